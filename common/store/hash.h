/* One number for a set of events, so that two stores can be compared without reading either: the sum, modulo
 * 2^64, of a hash of each event's identity. A sum because it does not care for order and rows can be taken
 * out of it again.
 *
 * Not cryptographic: it finds faults, not forgers. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* What makes an event itself: who produced it, in which life, the how-manieth. Events of older peers have
 * no identity and are what they say, also when a copy between the stores has put a number on them: else the
 * copy would be another event than the original. */
#define EVENT_COPY_PRODUCER "copy-of-" /* the beginning of such a number's producer */

typedef struct EventIdentity {
    const char *producer; /* NULL: no identity */
    int64_t epoch, sequence;
    /* sensor_id, tipo_sensor, interseccion, timestamp, event_data; used without identity */
    const char *content[5];
} EventIdentity;

/* False: it is what it says, and `content` is needed. */
bool event_has_identity(const EventIdentity *identity);

uint64_t event_hash(const EventIdentity *identity);

/* Makes it known to a connection's SQL:
 *     record_hash(producer_id, epoch, seq, sensor_id, tipo_sensor, interseccion, timestamp, event_data)
 *     event_set(hash)    aggregate: the sum modulo 2^64
 * Returns an SQLite result code. */
int event_hash_register(sqlite3 *db);
