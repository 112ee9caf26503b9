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

typedef struct PlaceFile {
    const char *name; /* for messages */
    Problem *problem;
} PlaceFile;

typedef struct Place {
    const PlaceFile *file;
    const struct Place *parent; /* NULL at the root */
    const char *member;         /* NULL: element `index` of an array */
    size_t index;
    json_object *value; /* borrowed; NULL is JSON null */
    /* What people call it, once that is known: every refusal of it and of what is in it says so. Borrowed; NULL when it
     * has no name. */
    const char *kind, *id;
} Place;

/* The text as one JSON value that the caller puts back with json_object_put(). -EINVAL names line and
 * column. */
int place_parse(const PlaceFile *file, const char *text, size_t size, json_object **ret);

/* Fills the problem and returns `error`: "FILE: /POINTER: KIND "ID", KIND "ID": ..." */
int place_refuse(const Place *place, int error, const char *format, ...) printf_like(3, 4);

/* Refuses with what came: "expected WHAT, got the string "x"". */
int place_refuse_value(const Place *place, const char *expected);

/* The place must be an object of no other members than these. */
int place_check_members(const Place *place, const char *const *known, size_t n_known);

/* The place must be an array; *ret_n is its length. */
int place_check_array(const Place *place, size_t *ret_n);

/* A member of an object: false when it is absent. */
bool place_member(const Place *object, const char *member, Place *ret);
Place place_element(const Place *array, size_t index);

/* The same for a member that must be there. */
int place_required(const Place *object, const char *member, Place *ret);

/* A text of 1 to size - 1 bytes that are neither control characters nor, unless `spaces` are allowed,
 * spaces. */
int place_text(const Place *place, char *ret, size_t size, bool spaces);
int place_integer(const Place *place, int min, int max, int *ret);
int place_number(const Place *place, double min, double max, double *ret);

/* The index of the text in a NULL-terminated list of words. */
int place_word(const Place *place, const char *const *words, int *ret);
