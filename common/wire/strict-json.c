/* json-c parses; this file says no where json-c would be kind. What characters and numbers may look like is
 * checked before (json-text.c), what only the tree can show is checked after: two members of one name (the
 * text has more of them than the tree), and numbers that became infinite. */
#include "wire/strict-json.h"

#include "wire/json-text.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

enum { DEPTH_MAX = 16 }; /* a scalar inside 15 objects and arrays */

struct json_tokener *strict_json_tokener(void) {
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    if (tokener) /* what follows the object is looked at here: json-c's own check refuses a blank, too */
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    return tokener;
}

ShownText value_shown(struct json_object *value) {
    if (json_object_is_type(value, json_type_object))
        return (ShownText){"an object"};
    if (json_object_is_type(value, json_type_array))
        return (ShownText){"an array"};
    size_t size = 0;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    return text ? text_shown(text, size) : (ShownText){"?"};
}

/* Members of all objects in the tree, and whether a number in it is beyond what a double holds. */
static void survey(struct json_object *value, size_t *n_members, bool *has_infinity) {
    if (json_object_is_type(value, json_type_double))
        *has_infinity |= !isfinite(json_object_get_double(value));
    if (json_object_is_type(value, json_type_array))
        for (size_t i = 0; i < json_object_array_length(value); i++)
            survey(json_object_array_get_idx(value, i), n_members, has_infinity);
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member) {
            (void)key;
            ++*n_members;
            survey(member, n_members, has_infinity);
        }
    }
}

static int refuse(Refusal *ret_refusal, Problem *problem, Refusal refusal, const char *what) {
    *ret_refusal = refusal;
    return problem_set(problem, -EBADMSG, "expected one JSON object, got %s", what);
}

static bool is_blank(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n')
            return false;
    return true;
}

/* json-c's verdict on a text that strict_json_check() passed. */
static int parse(struct json_tokener *tokener, const char *text, size_t size, struct json_object **ret,
                 Refusal *ret_refusal, Problem *problem) {
    json_tokener_reset(tokener);
    scoped(tree_freep) struct json_object *tree = json_tokener_parse_ex(tokener, text, (int)size);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue)
        return refuse(ret_refusal, problem, REFUSAL_NOT_JSON, "a text that ends too early");
    size_t end = json_tokener_get_parse_end(tokener);
    if (error != json_tokener_success) {
        *ret_refusal = REFUSAL_NOT_JSON;
        return problem_set(problem, -EBADMSG, "expected one JSON object, got \"%s\" at byte %zu (%s)",
                           text_shown(text + end, size - end < 12 ? size - end : 12).text, end,
                           json_tokener_error_desc(error));
    }
    if (!is_blank(text + end, size - end))
        return refuse(ret_refusal, problem, REFUSAL_NOT_JSON, "something more behind it");
    if (!json_object_is_type(tree, json_type_object))
        return refuse(ret_refusal, problem, REFUSAL_NOT_JSON, value_shown(tree).text);
    *ret = take(tree);
    return 0;
}

int strict_json_parse(struct json_tokener *tokener, const char *text, size_t size, struct json_object **ret,
                      Refusal *ret_refusal, Problem *problem) {
    size_t n_written = 0, n_kept = 0;
    bool has_infinity = false;
    int r = strict_json_check(text, size, &n_written, ret_refusal, problem);
    if (r < 0)
        return r;
    scoped(tree_freep) struct json_object *tree = NULL;
    r = parse(tokener, text, size, &tree, ret_refusal, problem);
    if (r < 0)
        return r;
    survey(tree, &n_kept, &has_infinity);
    if (n_kept != n_written)
        return refuse(ret_refusal, problem, REFUSAL_NOT_JSON, "one with two members of the same name");
    if (has_infinity)
        return refuse(ret_refusal, problem, REFUSAL_OUT_OF_RANGE, "one with a number beyond 1.8e308");
    *ret = take(tree);
    return 0;
}
