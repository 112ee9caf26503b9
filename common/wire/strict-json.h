/* One strict JSON object from text: json-c's parser, held to what JSON is. Private to wire. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/text.h"
#include "wire/messages.h"

#include <json-c/json.h>
#include <stddef.h>

/* A parser to be used again and again; NULL when out of memory. Free with json_tokener_free(). */
struct json_tokener *strict_json_tokener(void);

/* Parses valid UTF-8 `text`. 0: *ret is an object, the caller's, in which every name stands once and every
 * number is finite. -EBADMSG: *ret_refusal says which kind, `problem` what came and at which byte. */
int strict_json_parse(struct json_tokener *tokener, const char *text, size_t size, struct json_object **ret,
                      Refusal *ret_refusal, Problem *problem);

/* A value for a sentence, shortened and printable. */
ShownText value_shown(struct json_object *value);

static inline struct json_object *tree_free(struct json_object *tree) {
    json_object_put(tree);
    return NULL;
}
DEFINE_FREEP(struct json_object, tree_free)
