/* A JSON file read member by member, where every refusal says file, JSON pointer (RFC 6901), what was
 * expected and what came. Knows no city. Private to common/settings.
 *
 * A place is a value together with the way to it; places live on the stack of whoever walks the file and
 * point to the place they were reached from. */
#pragma once

#include "base/problem.h"
#include "base/vocabulary.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct JsonFile {
    const char *name; /* for messages */
    Problem *problem;
} JsonFile;

typedef struct JsonPlace {
    const JsonFile *file;
    const struct JsonPlace *parent; /* NULL at the root */
    const char *member;             /* NULL: element `index` of an array */
    size_t index;
    json_object *value; /* borrowed; NULL is JSON null */
} JsonPlace;

/* The text as one JSON value that the caller puts back with json_object_put(). -EINVAL names line and column.
 */
int json_file_parse(const JsonFile *file, const char *text, size_t size, json_object **ret);

/* Fills the problem and returns `error`: "FILE: /POINTER: ..." */
int json_refuse(const JsonPlace *place, int error, const char *format, ...) printf_like(3, 4);

/* Refuses with what came: "expected WHAT, got the string "x"". */
int json_refuse_value(const JsonPlace *place, const char *expected);

/* The place must be an object of no other members than these. */
int json_check_members(const JsonPlace *place, const char *const *known, size_t n_known);

/* The place must be an array; *ret_n is its length. */
int json_check_array(const JsonPlace *place, size_t *ret_n);

/* A member of an object: false when it is absent. */
bool json_member(const JsonPlace *object, const char *member, JsonPlace *ret);
JsonPlace json_element(const JsonPlace *array, size_t index);

/* The same for a member that must be there. */
int json_required(const JsonPlace *object, const char *member, JsonPlace *ret);

/* A text of 1 to size - 1 bytes that are neither control characters nor, unless `spaces` are allowed, spaces.
 */
int json_text(const JsonPlace *place, char *ret, size_t size, bool spaces);
int json_integer(const JsonPlace *place, int min, int max, int *ret);
int json_number(const JsonPlace *place, double min, double max, double *ret);

/* The index of the text in a NULL-terminated list of words. */
int json_word(const JsonPlace *place, const char *const *words, int *ret);
