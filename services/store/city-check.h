/* Whether a record is about this city: a store keeps no others, from wherever they come. */
#pragma once

#include "base/problem.h"
#include "settings/city.h"
#include "wire/messages.h"

#include <stdbool.h>

/* `city` is a const City. If false, `problem` says what came. Fits RefillMayTakeFn. */
bool is_of_this_city(const Message *record, void *city, Problem *problem);
