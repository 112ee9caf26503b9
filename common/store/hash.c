/* FNV-1a over the parts, each with its end marked, and a finaliser that spreads consecutive sequence numbers
 * over all bits: sums of unspread hashes of neighbours would collide. The same function serves the insertion
 * (from the message), retention and migration (from the columns), so that what is added can be subtracted. */
#include "store/hash.h"

#include "base/macro.h"

#include <string.h>

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

static uint64_t hash_text(uint64_t hash, const char *text) {
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        hash = (hash ^ *at) * FNV_PRIME;
    return (hash ^ 0xFF) * FNV_PRIME; /* no byte of UTF-8: the end of a part */
}

/* Finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t spread(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

bool event_has_identity(const EventIdentity *identity) {
    return identity->producer &&
           strncmp(identity->producer, EVENT_COPY_PRODUCER, sizeof EVENT_COPY_PRODUCER - 1) != 0;
}

uint64_t event_hash(const EventIdentity *identity) {
    uint64_t hash = FNV_OFFSET;
    if (event_has_identity(identity)) {
        hash = hash_text(hash, identity->producer);
        hash = spread(hash + (uint64_t)identity->epoch);
        return spread(hash + (uint64_t)identity->sequence);
    }
    for (size_t i = 0; i < ARRAY_LEN(identity->content); i++)
        hash = hash_text(hash, identity->content[i] ? identity->content[i] : "");
    return spread(hash);
}

static void sql_record_hash(sqlite3_context *context, int n_values, sqlite3_value **values) {
    (void)n_values;
    EventIdentity identity = {0};
    if (sqlite3_value_type(values[0]) != SQLITE_NULL && sqlite3_value_type(values[1]) != SQLITE_NULL &&
        sqlite3_value_type(values[2]) != SQLITE_NULL) {
        identity.producer = (const char *)sqlite3_value_text(values[0]);
        identity.epoch = sqlite3_value_int64(values[1]);
        identity.sequence = sqlite3_value_int64(values[2]);
    }
    for (size_t i = 0; i < ARRAY_LEN(identity.content); i++)
        identity.content[i] = (const char *)sqlite3_value_text(values[3 + i]);
    sqlite3_result_int64(context, (sqlite3_int64)event_hash(&identity));
}

static void sql_event_set_step(sqlite3_context *context, int n_values, sqlite3_value **values) {
    (void)n_values;
    uint64_t *sum = sqlite3_aggregate_context(context, sizeof *sum);
    if (sum)
        *sum += (uint64_t)sqlite3_value_int64(values[0]);
}

static void sql_event_set_final(sqlite3_context *context) {
    const uint64_t *sum = sqlite3_aggregate_context(context, 0);
    sqlite3_result_int64(context, sum ? (sqlite3_int64)*sum : 0);
}

int event_hash_register(sqlite3 *db) {
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int rc = sqlite3_create_function(db, "record_hash", 8, flags, NULL, sql_record_hash, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function(db, "event_set", 1, flags, NULL, NULL, sql_event_set_step,
                                     sql_event_set_final);
    return rc;
}
