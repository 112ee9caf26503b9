/* Edges only: one entry when the disk becomes too full, one when it is not any more. */
#include "disk-watch.h"

#include "shell/journal.h"

#include <sys/statvfs.h>

enum { CLEARS_BELOW_PERCENT = 2 }; /* under the alarm, so that it does not flutter */

void disk_watch_init(DiskWatch *watch, Service *service, StoreRole role) {
    Metrics *metrics = service_metrics(service);
    *watch = (DiskWatch){
        .service = service,
        .role = role,
        .used = metrics_gauge(metrics, "traffic_store_disk_used_ratio", "Used part of the store's disk.", ""),
        .available =
            metrics_gauge(metrics, "traffic_store_disk_free_bytes", "Free space on the store's disk.", ""),
    };
}

/* As df counts: what root keeps for itself is neither used nor free. */
static double used_percent(const struct statvfs *disk) {
    double used = (double)(disk->f_blocks - disk->f_bfree);
    double available = (double)disk->f_bavail;
    return used + available > 0 ? 100 * used / (used + available) : 100;
}

void disk_watch_look(DiskWatch *watch) {
    struct statvfs disk;
    const char *directory = service_state_dir(watch->service), *role = store_role_words[watch->role];
    double alarm_percent = service_settings(watch->service)->store_disk_alarm_percent;
    if (statvfs(directory, &disk) < 0)
        return;
    double percent = used_percent(&disk);
    watch->free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    metric_set(watch->used, percent / 100);
    metric_set(watch->available, (double)watch->free_bytes);
    if (!watch->has_alarm && percent >= alarm_percent) {
        watch->has_alarm = true;
        journal_event(JOURNAL_DISK_ALARM, NULL, 0,
                      "The disk of the %s store is %.1f %% full (%s, alarm at %.0f %%)", role, percent,
                      directory, alarm_percent);
    } else if (watch->has_alarm && percent < alarm_percent - CLEARS_BELOW_PERCENT) {
        watch->has_alarm = false;
        journal_note(LOG_NOTICE, "The disk of the %s store is %.1f %% full: the alarm is over", role,
                     percent);
    }
}
