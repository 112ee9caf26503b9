/* Slices of JSON: the text has been read before and is well-formed, so that brackets and commas outside of strings are
 * all there is to look at. */
#include "wire/json-text.h"

#include <string.h>

/* strchr() finds the NUL that ends the list, too. */
static bool is_one_of(char c, const char *list) {
    return c != '\0' && strchr(list, c);
}

/* Behind the string that begins at `at`. */
static const char *skip_string(const char *at) {
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at + 1;
}

static JsonText without_blanks(const char *from, const char *to) {
    while (from < to && is_one_of(*from, " \t\r\n"))
        from++;
    while (to > from && is_one_of(to[-1], " \t\r\n"))
        to--;
    return (JsonText){.text = from, .size = (size_t)(to - from)};
}

bool array_text_next(JsonText array, size_t *at, JsonText *ret) {
    const char *end = array.text + array.size, *value = array.text + (*at > 0 ? *at : 1), *to = value;
    size_t depth = 1;
    while (to < end) {
        if (*to == '"') {
            to = skip_string(to);
            continue;
        }
        if (depth == 1 && (*to == ',' || *to == ']'))
            break;
        depth += *to == '{' || *to == '[';
        depth -= *to == '}' || *to == ']';
        to++;
    }
    JsonText element = without_blanks(value, to);
    if (element.size == 0) /* the end, or [] */
        return false;
    *at = (size_t)(to - array.text) + (*to == ',');
    *ret = element;
    return true;
}

size_t json_text_depth(JsonText json) {
    size_t depth = 0, deepest = 0;
    for (const char *at = json.text; at < json.text + json.size;) {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        depth += *at == '{' || *at == '[';
        deepest = depth > deepest ? depth : deepest;
        depth -= *at == '}' || *at == ']';
        at++;
    }
    return deepest;
}
