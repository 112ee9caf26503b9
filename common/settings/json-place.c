/* What json-place.h promises, on top of json-c. The subtle things: json-c takes a NUL byte for the end,
 * behind the value and inside a string, so both are looked for here; and a message shows what came only as
 * far as a terminal can bear it. */
#include "settings/json-place.h"

#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { JSON_DEPTH_MAX = 10 };

/* --- messages --- */

typedef struct Pointer {
    char text[160];
} Pointer;

static Pointer pointer_to(const Place *place) {
    Pointer pointer = {""};
    if (!place->parent)
        return pointer;
    pointer = pointer_to(place->parent);
    size_t used = strlen(pointer.text);
    if (place->member)
        (void)snprintf(pointer.text + used, sizeof pointer.text - used, "/%s", place->member);
    else
        (void)snprintf(pointer.text + used, sizeof pointer.text - used, "/%zu", place->index);
    return pointer;
}

/* `intersection "INT-A1", phase "2": ` */
typedef struct Subject {
    char text[320];
} Subject;

static Subject subject_of(const Place *place) {
    Subject subject = {""};
    if (!place)
        return subject;
    subject = subject_of(place->parent);
    size_t used = strlen(subject.text);
    if (place->id)
        (void)snprintf(subject.text + used, sizeof subject.text - used, "%s%s \"%s\"", used ? ", " : "",
                       place->kind, place->id);
    return subject;
}

int place_refuse(const Place *place, int error, const char *format, ...) {
    char what[sizeof((Problem *)0)->text];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    Pointer pointer = pointer_to(place);
    Subject subject = subject_of(place);
    return problem_set(place->file->problem, error, "%s: %s%s%s%s%s", place->file->name, pointer.text,
                       pointer.text[0] ? ": " : "", subject.text, subject.text[0] ? ": " : "", what);
}

/* What came, short: its JSON text, or only its kind when it has parts. */
static ShownText show(json_object *value) {
    ShownText shown;
    if (json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array)) {
        (void)snprintf(shown.text, sizeof shown.text, "an %s",
                       json_type_to_name(json_object_get_type(value)));
        return shown;
    }
    const char *text =
        json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    return text_shown(text, strlen(text));
}

int place_refuse_value(const Place *place, const char *expected) {
    return place_refuse(place, -EINVAL, "expected %s, got %s", expected, show(place->value).text);
}

/* --- the file --- */

static int refuse_at_offset(const PlaceFile *file, const char *text, size_t offset, const char *what) {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset; i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    return problem_set(file->problem, -EINVAL, "%s:%zu:%zu: expected JSON: %s", file->name, line, column,
                       what);
}

int place_parse(const PlaceFile *file, const char *text, size_t size, json_object **ret) {
    if (size > INT32_MAX)
        return problem_set(file->problem, -EINVAL, "%s: the file is too large", file->name);
    json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (!tokener)
        return -ENOMEM;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *value = json_tokener_parse_ex(tokener, text, (int)size);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    if (error == json_tokener_continue) { /* a number or a word ends where something else begins */
        value = json_tokener_parse_ex(tokener, "\n", 1);
        error = json_tokener_get_error(tokener);
        end = size;
    }
    json_tokener_free(tokener);
    if (error == json_tokener_success && end == size) {
        *ret = value;
        return 0;
    }
    json_object_put(value);
    if (error == json_tokener_continue)
        return refuse_at_offset(file, text, size, "the file ends too early");
    if (error == json_tokener_success)
        return refuse_at_offset(file, text, end, "something follows the end");
    return refuse_at_offset(file, text, end, json_tokener_error_desc(error));
}

/* --- walking --- */

bool place_member(const Place *object, const char *member, Place *ret) {
    json_object *value;
    if (!json_object_object_get_ex(object->value, member, &value))
        return false;
    *ret = (Place){.file = object->file, .parent = object, .member = member, .value = value};
    return true;
}

Place place_element(const Place *array, size_t index) {
    return (Place){.file = array->file,
                   .parent = array,
                   .index = index,
                   .value = json_object_array_get_idx(array->value, index)};
}

int place_required(const Place *object, const char *member, Place *ret) {
    if (place_member(object, member, ret))
        return 0;
    return place_refuse(object, -EINVAL, "member \"%s\" is missing", member);
}

static int refuse_member(const Place *object, const char *member, const char *const *known, size_t n_known) {
    const char *nearest = closest_word(member, known, n_known);
    if (nearest)
        return place_refuse(object, -EINVAL, "unknown member \"%s\"; did you mean \"%s\"?",
                            text_shown(member, strlen(member)).text, nearest);
    char list[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < n_known && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"", i ? ", " : "", known[i]);
    return place_refuse(object, -EINVAL, "unknown member \"%s\"; expected one of %s",
                        text_shown(member, strlen(member)).text, list);
}

int place_check_members(const Place *place, const char *const *known, size_t n_known) {
    if (!json_object_is_type(place->value, json_type_object))
        return place_refuse_value(place, "an object");
    json_object_object_foreach(place->value, member, value) {
        (void)value;
        bool is_known = false;
        for (size_t i = 0; i < n_known; i++)
            is_known |= strcmp(member, known[i]) == 0;
        if (!is_known)
            return refuse_member(place, member, known, n_known);
    }
    return 0;
}

int place_check_array(const Place *place, size_t *ret_n) {
    if (!json_object_is_type(place->value, json_type_array))
        return place_refuse_value(place, "an array");
    *ret_n = json_object_array_length(place->value);
    return 0;
}

/* --- values --- */

int place_text(const Place *place, char *ret, size_t size, bool spaces) {
    char expected[80];
    (void)snprintf(expected, sizeof expected, "a string of 1 to %zu bytes%s", size - 1,
                   spaces ? "" : " without spaces");
    if (!json_object_is_type(place->value, json_type_string))
        return place_refuse_value(place, expected);
    const char *text = json_object_get_string(place->value);
    size_t length = (size_t)json_object_get_string_len(place->value);
    bool is_good =
        length > 0 && length < size && !text_has_control(text, length) && (spaces || !strchr(text, ' '));
    if (!is_good)
        return place_refuse_value(place, expected);
    memcpy(ret, text, length + 1);
    return 0;
}

int place_integer(const Place *place, int min, int max, int *ret) {
    char expected[80];
    (void)snprintf(expected, sizeof expected, "a whole number from %d to %d", min, max);
    int64_t value = json_object_get_int64(place->value);
    if (!json_object_is_type(place->value, json_type_int) || value < min || value > max)
        return place_refuse_value(place, expected);
    *ret = (int)value;
    return 0;
}

int place_number(const Place *place, double min, double max, double *ret) {
    char expected[80];
    (void)snprintf(expected, sizeof expected, "a number from %.0f to %.0f", min, max);
    double value = json_object_get_double(place->value);
    bool is_number = json_object_is_type(place->value, json_type_int) ||
                     json_object_is_type(place->value, json_type_double);
    if (!is_number || !(value >= min && value <= max))
        return place_refuse_value(place, expected);
    *ret = value;
    return 0;
}

int place_word(const Place *place, const char *const *words, int *ret) {
    char expected[128] = "";
    size_t used = 0, n = 0;
    for (; words[n] && used < sizeof expected; n++)
        used +=
            (size_t)snprintf(expected + used, sizeof expected - used, "%s\"%s\"", n ? " or " : "", words[n]);
    if (!json_object_is_type(place->value, json_type_string))
        return place_refuse_value(place, expected);
    const char *text = json_object_get_string(place->value);
    bool is_text = strlen(text) == (size_t)json_object_get_string_len(place->value);
    int index = is_text ? word_index(words, text) : -1;
    if (index < 0)
        return place_refuse_value(place, expected);
    *ret = index;
    return 0;
}
