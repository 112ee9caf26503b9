/* One JSON object as a row of tokens: what a decoder that knows which members it wants needs of a text, without a tree.
 * For messages and what becomes one; everything else is read with json-c.
 *
 * Stricter than json-c is with all its flags: the text is exactly one object by RFC 8259, each object in it has each
 * name once, strings hold text (no NUL, no half of a surrogate pair), integers fit 64 bits whatever their digits, other
 * numbers are finite. Reading allocates nothing once the buffers have grown to the largest text. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "wire/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum JsonKind {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_INTEGER, /* a number without fraction and exponent */
    JSON_DECIMAL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
} JsonKind;

/* Tokens stand as in the text: a container before what is in it, the name of a member (a JSON_STRING) before its
 * value. */
typedef struct JsonToken {
    JsonKind kind;
    uint32_t begin, end; /* its bytes in the text, with quotes and brackets */
    uint32_t next;       /* index of the first token behind it and all that is in it */
    uint32_t size;       /* STRING: of `text` */
    union {
        const char *text;   /* STRING: what it says, without escapes; no NUL behind it */
        uint64_t magnitude; /* INTEGER; the sign is the text's first byte */
        double number;      /* DECIMAL */
    };
} JsonToken;

typedef struct JsonTokens JsonTokens;

int json_tokens_new(JsonTokens **ret); /* 0, -ENOMEM */
JsonTokens *json_tokens_free(JsonTokens *tokens);
DEFINE_FREEP(JsonTokens, json_tokens_free)

/* Reads `size` bytes of UTF-8, which must stay while the tokens are used. 0: the first token is the object.
 * -EBADMSG: *ret_refusal says which kind, `problem` what came and at which byte. -ENOMEM. Cost: one pass. */
int json_tokens_read(JsonTokens *tokens, const char *text, size_t size, Refusal *ret_refusal,
                     Problem *problem);

const JsonToken *json_tokens_root(const JsonTokens *tokens);
/* How many objects and arrays stand inside each other at most: 1 for {}. */
size_t json_tokens_depth(const JsonTokens *tokens);

/* The value of a member of `object`, or NULL. `*hint` (0 at first) is where to look first: cheap when names are asked
 * for in the order in which they came. */
const JsonToken *json_tokens_find(const JsonTokens *tokens, const JsonToken *object, JsonText name,
                                  uint32_t *hint);

static inline const JsonToken *json_tokens_member(const JsonTokens *tokens, const JsonToken *object,
                                                  const char *name, uint32_t *hint) {
    return json_tokens_find(tokens, object, (JsonText){name, strlen(name)}, hint);
}

size_t json_tokens_n_elements(const JsonTokens *tokens, const JsonToken *array);

/* The bytes that `token` was read from. */
JsonText json_tokens_source(const JsonTokens *tokens, const JsonToken *token);

bool json_token_is_number(const JsonToken *token);
/* Of an INTEGER or DECIMAL. */
double json_tokens_number(const JsonTokens *tokens, const JsonToken *token);
/* The same when it is whole and fits, 3.0 and 3e2 included; false otherwise. */
bool json_tokens_whole_number(const JsonTokens *tokens, const JsonToken *token, int64_t *ret);
