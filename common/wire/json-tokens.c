/* A recursive reader, as deep as objects and arrays may be inside each other.
 *
 * The subtle thing: the token of a container is written when it begins and finished when it ends; in between the row may
 * have moved, so tokens are known by their index. */
#include "wire/json-tokens.h"

#include "base/text.h"
#include "wire/json-escape.h"
#include "wire/json-number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 15,   /* objects and arrays inside each other */
    FEW_MEMBERS = 24, /* of which each name is compared with each other one; more are sorted first */
};

struct JsonTokens {
    const char *text;
    size_t size, depth;
    JsonToken *tokens;
    size_t n, capacity;
    char *unescaped; /* the strings of the text that have escapes, one behind the other */
    size_t unescaped_size, unescaped_capacity;
    const JsonToken **names; /* of one object with many members */
    size_t names_capacity;
    locale_t locale; /* whose decimal point is a point */
};

int json_tokens_new(JsonTokens **ret) {
    scoped(json_tokens_freep) JsonTokens *tokens = calloc(1, sizeof *tokens);
    if (!tokens)
        return -ENOMEM;
    tokens->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!tokens->locale)
        return -ENOMEM;
    *ret = take(tokens);
    return 0;
}

JsonTokens *json_tokens_free(JsonTokens *tokens) {
    if (!tokens)
        return NULL;
    if (tokens->locale)
        freelocale(tokens->locale);
    free(tokens->tokens);
    free(tokens->unescaped);
    free(tokens->names);
    free(tokens);
    return NULL;
}

/* --- reading --- */

typedef struct Reading {
    JsonTokens *tokens;
    const char *at, *end;
    size_t depth;
    Refusal *ret_refusal;
    Problem *problem;
} Reading;

static int refuse_as(const Reading *reading, Refusal refusal, const char *expected) {
    size_t left = (size_t)(reading->end - reading->at);
    *reading->ret_refusal = refusal;
    if (left == 0)
        return problem_set(reading->problem, -EBADMSG, "%s at byte %zu, got the end of the text", expected,
                           reading->tokens->size);
    return problem_set(reading->problem, -EBADMSG, "%s at byte %zu, got \"%s\"", expected,
                       (size_t)(reading->at - reading->tokens->text),
                       text_shown(reading->at, left < 12 ? left : 12).text);
}

static int refuse(const Reading *reading, const char *expected) {
    return refuse_as(reading, REFUSAL_NOT_JSON, expected);
}

static void *grown(void *array, size_t *capacity, size_t needed, size_t element_size) {
    size_t wanted = *capacity ? *capacity : 64;
    while (wanted < needed)
        wanted *= 2;
    void *moved = realloc(array, wanted * element_size);
    if (moved)
        *capacity = wanted;
    return moved;
}

/* The index of a new token that begins here, or -ENOMEM. */
static int add_token(Reading *reading, JsonKind kind) {
    JsonTokens *tokens = reading->tokens;
    if (tokens->n == tokens->capacity) {
        JsonToken *moved = grown(tokens->tokens, &tokens->capacity, tokens->n + 1, sizeof *tokens->tokens);
        if (!moved)
            return problem_set(reading->problem, -ENOMEM, "out of memory");
        tokens->tokens = moved;
    }
    JsonToken *token = &tokens->tokens[tokens->n];
    token->kind = kind;
    token->begin = (uint32_t)(reading->at - tokens->text);
    return (int)tokens->n++;
}

/* Ends the token here; its index again. */
static int end_token(Reading *reading, int index) {
    JsonToken *token = &reading->tokens->tokens[index];
    token->end = (uint32_t)(reading->at - reading->tokens->text);
    token->next = (uint32_t)reading->tokens->n;
    return index;
}

static void skip_blanks(Reading *reading) {
    while (reading->at < reading->end &&
           (*reading->at == ' ' || *reading->at == '\n' || *reading->at == '\r' || *reading->at == '\t'))
        reading->at++;
}

/* Whether it comes next, behind blanks; it is passed then. */
static bool take_byte(Reading *reading, char expected) {
    skip_blanks(reading);
    bool is_there = reading->at < reading->end && *reading->at == expected;
    reading->at += is_there;
    return is_there;
}

/* --- strings --- */

static void skip_plain(Reading *reading) {
    const char *at = reading->at + text_plain_size(reading->at, (size_t)(reading->end - reading->at));
    while (at < reading->end && (unsigned char)*at >= ' ' && *at != '"' && *at != '\\')
        at++;
    reading->at = at;
}

/* All strings of a text together are never longer than the text. */
static int reserve_unescaped(Reading *reading) {
    JsonTokens *tokens = reading->tokens;
    if (tokens->unescaped_size > 0 || tokens->unescaped_capacity >= tokens->size)
        return 0;
    char *moved = grown(tokens->unescaped, &tokens->unescaped_capacity, tokens->size, 1);
    if (!moved)
        return problem_set(reading->problem, -ENOMEM, "out of memory");
    tokens->unescaped = moved;
    return 0;
}

/* Goes on at the first escape of a string whose plain beginning is behind it. */
static int read_escaped(Reading *reading, const char *begin, JsonText *ret) {
    JsonTokens *tokens = reading->tokens;
    int r = reserve_unescaped(reading);
    if (r < 0)
        return r;
    char *text = tokens->unescaped + tokens->unescaped_size, *to = text;
    for (;;) {
        size_t n_plain = (size_t)(reading->at - begin);
        memcpy(to, begin, n_plain);
        to += n_plain;
        if (reading->at == reading->end || *reading->at != '\\')
            break;
        JsonEscape escape = json_escape_read(reading->at, reading->end, to);
        if (escape.n_taken == 0)
            return refuse_as(reading, escape.refusal, escape.expected);
        to += escape.n_written;
        reading->at += escape.n_taken;
        begin = reading->at;
        skip_plain(reading);
    }
    *ret = (JsonText){text, (size_t)(to - text)};
    tokens->unescaped_size += ret->size;
    return 0;
}

static int read_string(Reading *reading) {
    int index = add_token(reading, JSON_STRING), r = 0;
    const char *begin = ++reading->at;
    skip_plain(reading);
    JsonText said = {begin, (size_t)(reading->at - begin)};
    if (index >= 0 && reading->at < reading->end && *reading->at == '\\')
        r = read_escaped(reading, begin, &said);
    if (index < 0 || r < 0)
        return index < 0 ? index : r;
    if (reading->at == reading->end)
        return refuse(reading, "expected the end of a string");
    if (*reading->at != '"')
        return refuse(reading, "expected control characters to be escaped");
    reading->at++;
    reading->tokens->tokens[index].text = said.text;
    reading->tokens->tokens[index].size = (uint32_t)said.size;
    return end_token(reading, index);
}

/* --- numbers and words --- */

static int read_number(Reading *reading) {
    int index = add_token(reading, JSON_INTEGER);
    if (index < 0)
        return index;
    JsonNumber number = json_number_read(reading->at, reading->end, reading->tokens->locale);
    if (number.n_taken == 0)
        return refuse_as(reading, number.refusal, number.expected);
    JsonToken *token = &reading->tokens->tokens[index];
    if (number.is_decimal) {
        token->kind = JSON_DECIMAL;
        token->number = number.value;
    } else {
        token->magnitude = number.magnitude;
    }
    reading->at += number.n_taken;
    return end_token(reading, index);
}

static int read_word(Reading *reading, const char *word, JsonKind kind) {
    size_t size = strlen(word);
    if ((size_t)(reading->end - reading->at) < size || memcmp(reading->at, word, size) != 0)
        return refuse(reading, "expected JSON");
    int index = add_token(reading, kind);
    if (index < 0)
        return index;
    reading->at += size;
    return end_token(reading, index);
}

/* --- containers --- */

static int read_value(Reading *reading);

static bool is_same_name(const JsonToken *a, const JsonToken *b) {
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

/* The same for the same name, and seldom for two. */
static unsigned kind_of_name(const JsonToken *name) {
    if (name->size == 0)
        return 0;
    unsigned first = (unsigned char)name->text[0], last = (unsigned char)name->text[name->size - 1];
    return name->size * 11 + first * 5 + last;
}

static int in_order(const void *a, const void *b) {
    const JsonToken *one = *(const JsonToken *const *)a, *other = *(const JsonToken *const *)b;
    if (one->size != other->size)
        return one->size < other->size ? -1 : 1;
    return memcmp(one->text, other->text, one->size);
}

/* Each name with those before it: for few members cheaper than anything that needs to be prepared. */
static bool has_twins_of_few(const JsonToken *tokens, size_t first, size_t behind) {
    uint64_t seen = 0; /* of sixty-four kinds of name: one of a kind of its own has no twin */
    for (size_t i = first; i < behind; i = tokens[i + 1].next) {
        uint64_t kind = UINT64_C(1) << (kind_of_name(&tokens[i]) % 64);
        for (size_t j = first; (seen & kind) && j < i; j = tokens[j + 1].next)
            if (is_same_name(&tokens[i], &tokens[j]))
                return true;
        seen |= kind;
    }
    return false;
}

/* 1, 0 or -ENOMEM. */
static int has_twins_of_many(JsonTokens *tokens, size_t first, size_t n_members) {
    size_t n = 0;
    if (n_members > tokens->names_capacity) {
        const JsonToken **moved =
            grown((void *)tokens->names, &tokens->names_capacity, n_members, sizeof *moved);
        if (!moved)
            return -ENOMEM;
        tokens->names = moved;
    }
    for (size_t i = first; i < tokens->n; i = tokens->tokens[i + 1].next)
        tokens->names[n++] = &tokens->tokens[i];
    qsort((void *)tokens->names, n, sizeof *tokens->names, in_order);
    for (size_t i = 1; i < n; i++)
        if (is_same_name(tokens->names[i - 1], tokens->names[i]))
            return 1;
    return 0;
}

/* Of the object that ends here, whose first name is token `first`. */
static int check_names(Reading *reading, size_t first, size_t n_members) {
    JsonTokens *tokens = reading->tokens;
    int r = n_members <= FEW_MEMBERS ? has_twins_of_few(tokens->tokens, first, tokens->n)
                                     : has_twins_of_many(tokens, first, n_members);
    if (r < 0)
        return problem_set(reading->problem, r, "out of memory");
    if (r == 0)
        return 0;
    *reading->ret_refusal = REFUSAL_NOT_JSON;
    return problem_set(reading->problem, -EBADMSG,
                       "expected one JSON object, got one with two members of the same name");
}

static int read_member(Reading *reading) {
    skip_blanks(reading);
    if (reading->at == reading->end || *reading->at != '"')
        return refuse(reading, "expected the name of a member");
    int r = read_string(reading);
    if (r < 0)
        return r;
    if (!take_byte(reading, ':'))
        return refuse(reading, "expected a colon");
    return read_value(reading);
}

static int read_members(Reading *reading) {
    const size_t first = reading->tokens->n;
    size_t n_members = 0;
    if (take_byte(reading, '}'))
        return 0;
    do {
        int r = read_member(reading);
        if (r < 0)
            return r;
        n_members++;
    } while (take_byte(reading, ','));
    if (!take_byte(reading, '}'))
        return refuse(reading, "expected a comma or the end of the object");
    return check_names(reading, first, n_members);
}

static int read_elements(Reading *reading) {
    if (take_byte(reading, ']'))
        return 0;
    do {
        int r = read_value(reading);
        if (r < 0)
            return r;
    } while (take_byte(reading, ','));
    return take_byte(reading, ']') ? 0 : refuse(reading, "expected a comma or the end of the array");
}

static int read_container(Reading *reading, JsonKind kind) {
    if (reading->depth == DEPTH_MAX)
        return refuse(reading, "expected less (nesting too deep)");
    int index = add_token(reading, kind);
    if (index < 0)
        return index;
    reading->at++;
    reading->depth++;
    if (reading->depth > reading->tokens->depth)
        reading->tokens->depth = reading->depth;
    int r = kind == JSON_OBJECT ? read_members(reading) : read_elements(reading);
    reading->depth--;
    return r < 0 ? r : end_token(reading, index);
}

static int read_value(Reading *reading) {
    skip_blanks(reading);
    char c = '\0';
    if (reading->at < reading->end)
        c = *reading->at;
    switch (c) {
    case '{':
        return read_container(reading, JSON_OBJECT);
    case '[':
        return read_container(reading, JSON_ARRAY);
    case '"':
        return read_string(reading);
    case 't':
        return read_word(reading, "true", JSON_TRUE);
    case 'f':
        return read_word(reading, "false", JSON_FALSE);
    case 'n':
        return read_word(reading, "null", JSON_NULL);
    default:
        return c == '-' || text_is_digit(c) ? read_number(reading) : refuse(reading, "expected JSON");
    }
}

int json_tokens_read(JsonTokens *tokens, const char *text, size_t size, Refusal *ret_refusal,
                     Problem *problem) {
    Reading reading = {
        .tokens = tokens, .at = text, .end = text + size, .ret_refusal = ret_refusal, .problem = problem};
    tokens->text = text;
    tokens->size = size;
    tokens->n = tokens->depth = tokens->unescaped_size = 0;
    skip_blanks(&reading);
    if (reading.at == reading.end || *reading.at != '{')
        return refuse(&reading, "expected one JSON object");
    int r = read_value(&reading);
    if (r < 0)
        return r;
    skip_blanks(&reading);
    return reading.at == reading.end ? 0 : refuse(&reading, "expected nothing more behind the JSON object");
}

/* --- asking --- */

const JsonToken *json_tokens_root(const JsonTokens *tokens) {
    return &tokens->tokens[0];
}

size_t json_tokens_depth(const JsonTokens *tokens) {
    return tokens->depth;
}

const JsonToken *json_tokens_member(const JsonTokens *tokens, const JsonToken *object, const char *name,
                                    uint32_t *hint) {
    const uint32_t first = (uint32_t)(object - tokens->tokens) + 1;
    const size_t size = strlen(name);
    if (first == object->next)
        return NULL;
    const uint32_t start = *hint > first && *hint < object->next ? *hint : first;
    uint32_t at = start;
    do {
        const JsonToken *found = &tokens->tokens[at], *value = found + 1;
        at = value->next < object->next ? value->next : first;
        if (found->size == size && memcmp(found->text, name, size) == 0) {
            *hint = at;
            return value;
        }
    } while (at != start);
    return NULL;
}

size_t json_tokens_n_elements(const JsonTokens *tokens, const JsonToken *array) {
    size_t n = 0;
    for (const JsonToken *at = array + 1; at < tokens->tokens + array->next; at = tokens->tokens + at->next)
        n++;
    return n;
}

JsonText json_tokens_source(const JsonTokens *tokens, const JsonToken *token) {
    return (JsonText){tokens->text + token->begin, token->end - token->begin};
}

bool json_token_is_number(const JsonToken *token) {
    return token->kind == JSON_INTEGER || token->kind == JSON_DECIMAL;
}

static bool is_negative(const JsonTokens *tokens, const JsonToken *token) {
    return tokens->text[token->begin] == '-';
}

double json_tokens_number(const JsonTokens *tokens, const JsonToken *token) {
    if (token->kind == JSON_DECIMAL)
        return token->number;
    double magnitude = (double)token->magnitude;
    return is_negative(tokens, token) && token->magnitude > 0 ? -magnitude : magnitude;
}

bool json_tokens_whole_number(const JsonTokens *tokens, const JsonToken *token, int64_t *ret) {
    if (token->kind == JSON_DECIMAL) {
        double number = token->number;
        if (!(fabs(number) < (double)INT64_MAX) || number != trunc(number))
            return false;
        *ret = (int64_t)number;
        return true;
    }
    if (token->magnitude > INT64_MAX)
        return false;
    *ret = is_negative(tokens, token) ? -(int64_t)token->magnitude : (int64_t)token->magnitude;
    return true;
}
