/* Which links can be under custody, which are as the settings have it, and which one brings the acknowledgements of
 * which: its only home. */
#pragma once

#include "base/vocabulary.h"
#include "settings/settings.h"
#include "wire/endpoints.h"

/* The link with the acknowledgements of data link `data`; ENDPOINT_COUNT when there are none. */
EndpointId link_acks(EndpointId data);

/* What the reader of link `id` speaks: on PROTOCOL_CUSTODY it acknowledges, and what a connection loses is
 * sent again. A link of acknowledgements is like the data link it belongs to. PROTOCOL_V0 for all that is
 * never acknowledged. */
Protocol link_protocol(const Settings *settings, EndpointId id);
