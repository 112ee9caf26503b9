/* The migrations of schema/, put into the program when it is built. */
#pragma once

#include <stddef.h>

typedef struct SchemaStep {
    int version;      /* the database's user_version after this step */
    const char *name; /* of its file */
    const char *sql;
} SchemaStep;

typedef struct Schema {
    const SchemaStep *steps; /* in order of version, which is 1, 2, 3 ... */
    size_t n_steps;          /* the last version, which is the one that this program works with */
} Schema;

extern const Schema traffic_schema; /* a store's traffic.db */
extern const Schema spool_schema;   /* what waits for the next hop */
