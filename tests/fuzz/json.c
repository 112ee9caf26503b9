/* What our reader takes as JSON, json-c takes too, and both read the same in it: the same kinds, numbers, strings and names in
 * the same order. */
#include "fuzz.h"

#include "base/text.h"
#include "wire/json-tokens.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <strings.h>

static JsonTokens *tokens;

static void check_text(const JsonToken *token, const char *text, size_t size) {
    promise(token->kind == JSON_STRING && token->size == size);
    promise(memcmp(token->text, text, size) == 0);
}

static void check_number(const JsonToken *token, struct json_object *value) {
    int64_t whole = 0;
    promise(json_token_is_number(token));
    promise(json_tokens_number(tokens, token) == json_object_get_double(value));
    if (!json_object_is_type(value, json_type_int))
        promise(token->kind == JSON_DECIMAL);
    else if (json_tokens_whole_number(tokens, token, &whole))
        promise(whole == json_object_get_int64(value));
    else
        promise(token->magnitude == json_object_get_uint64(value));
}

/* Returns the token behind the value. */
static const JsonToken *check_value(const JsonToken *token, struct json_object *value);

static const JsonToken *check_members(const JsonToken *token, struct json_object *object) {
    const JsonToken *at = token + 1;
    promise(token->kind == JSON_OBJECT);
    json_object_object_foreach(object, name, value) {
        uint32_t hint = 0;
        check_text(at, name, strlen(name));
        promise(json_tokens_member(tokens, token, name, &hint) == at + 1);
        at = check_value(at + 1, value);
    }
    return at;
}

static const JsonToken *check_elements(const JsonToken *token, struct json_object *array) {
    const JsonToken *at = token + 1;
    promise(token->kind == JSON_ARRAY);
    for (size_t i = 0; i < json_object_array_length(array); i++)
        at = check_value(at, json_object_array_get_idx(array, i));
    return at;
}

static const JsonToken *check_value(const JsonToken *token, struct json_object *value) {
    const JsonToken *behind = token + 1;
    switch (json_object_get_type(value)) {
    case json_type_null:
        promise(token->kind == JSON_NULL);
        break;
    case json_type_boolean:
        promise(token->kind == (json_object_get_boolean(value) ? JSON_TRUE : JSON_FALSE));
        break;
    case json_type_int:
    case json_type_double:
        check_number(token, value);
        break;
    case json_type_string:
        check_text(token, json_object_get_string(value), (size_t)json_object_get_string_len(value));
        break;
    case json_type_array:
        behind = check_elements(token, value);
        break;
    case json_type_object:
        behind = check_members(token, value);
        break;
    }
    promise(behind == json_tokens_root(tokens) + token->next);
    return behind;
}

/* json-c 0.16 takes U+1D800 to U+1DFFF, written as a pair of escapes, for another half of a pair and puts U+FFFD in its
 * place: the first halves are \ud836 and \ud837. */
static bool json_c_would_bend(const char *text, size_t size) {
    for (size_t i = 0; i + 6 <= size; i++)
        if (strncasecmp(text + i, "\\ud83", 5) == 0 && (text[i + 5] == '6' || text[i + 5] == '7'))
            return true;
    return false;
}

/* In memory of just its size, so that reading behind it is found. */
static void check(const char *text, size_t size) {
    Refusal refusal = (Refusal)-1;
    Problem problem = {{0}};
    int r = json_tokens_read(tokens, text, size, &refusal, &problem);
    if (r < 0) {
        promise(r == -EBADMSG && problem.text[0] != '\0' && (int)refusal >= 0 &&
                (int)refusal < REFUSAL_COUNT);
        return;
    }
    struct json_tokener *tokener = json_tokener_new();
    promise(tokener);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    struct json_object *tree = json_tokener_parse_ex(tokener, text, (int)size);
    promise(json_tokener_get_error(tokener) == json_tokener_success);
    json_tokener_free(tokener);
    (void)check_value(json_tokens_root(tokens), tree);
    json_object_put(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!tokens)
        promise(json_tokens_new(&tokens) == 0);
    if (utf8_valid_size(data, size) < size || json_c_would_bend((const char *)data, size))
        return 0;
    char *text = malloc(size > 0 ? size : 1);
    promise(text);
    memcpy(text, data, size);
    check(text, size);
    free(text);
    return 0;
}
