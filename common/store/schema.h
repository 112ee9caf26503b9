/* The migrations of schema/NNN-*.sql, put into the program when it is built. */
#pragma once

#include <stddef.h>

typedef struct SchemaStep {
    int version;      /* the database's user_version after this step: NNN */
    const char *name; /* of its file */
    const char *sql;
} SchemaStep;

/* In order of version, which is 1, 2, 3 ...; the last is the version this program works with. */
extern const SchemaStep schema_steps[];
extern const size_t n_schema_steps;
