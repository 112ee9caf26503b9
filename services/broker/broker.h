/* Collects the events of every kind of sensor and forwards them on one link. */
#pragma once

#include "shell/service.h"

extern const ServiceSpec broker_service;
