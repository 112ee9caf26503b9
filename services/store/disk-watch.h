/* How full the disk of a store is: an alarm when it becomes too full, told once. */
#pragma once

#include "base/vocabulary.h"
#include "shell/service.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct DiskWatch {
    Service *service;
    StoreRole role;
    uint64_t free_bytes;
    bool has_alarm;
    Metric *used, *available;
} DiskWatch;

void disk_watch_init(DiskWatch *watch, Service *service, StoreRole role);

/* Asks the file system of the state directory and logs both edges of the alarm. */
void disk_watch_look(DiskWatch *watch);
