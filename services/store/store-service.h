/* traffic-store: keeps the city's records in one SQLite file and answers questions about them. Wiring
 * only. */
#pragma once

#include "shell/service.h"

extern const ServiceSpec store_service;
