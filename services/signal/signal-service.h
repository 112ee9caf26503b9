/* traffic-signal owns the lights of every intersection. (Not signal.h: that is the C library's.) */
#pragma once

#include "shell/service.h"

extern const ServiceSpec signal_service;
