/* Which link carries the acknowledgements of which: data go one way on a link of the first implementation,
 * how far they are committed comes back on a link of its own, which peers of the first implementation
 * never see. */
#pragma once

#include "wire/endpoints.h"

/* The acknowledgements of data link `data`; ENDPOINT_COUNT when it is not under custody. */
EndpointId custody_ack_link(EndpointId data);
