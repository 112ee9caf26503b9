/* A recursive reader, as deep as objects and arrays may be inside each other.
 *
 * What reads a part of the text is told where it begins and says where it ends, or NULL when it is refused: the place where
 * the reader is stays in a register, for there are fifty of these parts in a record.
 *
 * The subtle thing: the token of a container is written when it begins and finished when it ends; in between the row may
 * have moved, so tokens are known by their index. */
#include "wire/json-tokens.h"

#include "base/sixteen.h"
#include "base/text.h"
#include "wire/json-escape.h"
#include "wire/json-number.h"
#include "wire/json-twins.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 15 }; /* objects and arrays inside each other */

struct JsonTokens {
    const char *text;
    size_t size, depth;
    JsonToken *tokens;
    size_t n, capacity;
    char *unescaped; /* the strings of the text that have escapes, one behind the other */
    size_t unescaped_size, unescaped_capacity;
    JsonTwins twins;
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
    free((void *)tokens->twins.sorted);
    free(tokens);
    return NULL;
}

/* --- reading --- */

typedef struct Reading {
    JsonTokens *tokens;
    const char *end;
    size_t depth;
    int error; /* why the text is refused: a negative errno */
    Refusal *ret_refusal;
    Problem *problem;
} Reading;

/* NULL, for what reads. */
static const char *refuse_as(Reading *reading, const char *at, Refusal refusal, const char *expected) {
    size_t left = (size_t)(reading->end - at);
    *reading->ret_refusal = refusal;
    reading->error = -EBADMSG;
    if (left == 0)
        problem_set(reading->problem, -EBADMSG, "%s at byte %zu, got the end of the text", expected,
                    reading->tokens->size);
    else
        problem_set(reading->problem, -EBADMSG, "%s at byte %zu, got \"%s\"", expected,
                    (size_t)(at - reading->tokens->text), text_shown(at, left < 12 ? left : 12).text);
    return NULL;
}

static const char *refuse(Reading *reading, const char *at, const char *expected) {
    return refuse_as(reading, at, REFUSAL_NOT_JSON, expected);
}

/* False, for what makes room. */
static bool give_up(Reading *reading) {
    reading->error = problem_set(reading->problem, -ENOMEM, "out of memory");
    return false;
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

/* Makes room for two tokens, a name and its value: what is added then needs not ask. */
static inline bool has_room(Reading *reading) {
    JsonTokens *tokens = reading->tokens;
    if (tokens->capacity - tokens->n >= 2)
        return true;
    JsonToken *moved = grown(tokens->tokens, &tokens->capacity, tokens->n + 2, sizeof *tokens->tokens);
    if (!moved)
        return give_up(reading);
    tokens->tokens = moved;
    return true;
}

/* A token with nothing inside it. */
static inline JsonToken *add_token(Reading *reading, JsonKind kind, const char *begin, const char *end) {
    JsonTokens *tokens = reading->tokens;
    JsonToken *token = &tokens->tokens[tokens->n++];
    token->kind = kind;
    token->begin = (uint32_t)(begin - tokens->text);
    token->end = (uint32_t)(end - tokens->text);
    token->next = (uint32_t)tokens->n;
    return token;
}

static inline const char *skip_blanks(const Reading *reading, const char *at) {
    while (at < reading->end && *at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static inline bool is_at(const Reading *reading, const char *at, char expected) {
    return at < reading->end && *at == expected;
}

/* --- strings --- */

/* To the first byte that does not stand for itself in a string. */
static inline const char *skip_plain(const char *at, const char *end) {
    const unsigned char quote = '"', backslash = '\\', lowest = ' ';
    for (; end - at >= (ptrdiff_t)sizeof(Sixteen); at += sizeof(Sixteen)) {
        Sixteen b = sixteen_at(at);
        size_t first = sixteen_first((Sixteen)((b == quote) | (b == backslash) | (b < lowest)));
        if (first < sizeof(Sixteen))
            return at + first;
    }
    while (at < end && (unsigned char)*at >= lowest && *at != quote && *at != backslash)
        at++;
    return at;
}

/* All strings of a text together are never longer than the text. */
static bool has_room_for_unescaped(Reading *reading) {
    JsonTokens *tokens = reading->tokens;
    if (tokens->unescaped_size > 0 || tokens->unescaped_capacity >= tokens->size)
        return true;
    char *moved = grown(tokens->unescaped, &tokens->unescaped_capacity, tokens->size, 1);
    if (!moved)
        return give_up(reading);
    tokens->unescaped = moved;
    return true;
}

/* Goes on at `at`, the first escape of a string whose plain beginning is behind it. */
static const char *read_escaped(Reading *reading, const char *begin, const char *at, JsonText *ret) {
    JsonTokens *tokens = reading->tokens;
    char *text = tokens->unescaped + tokens->unescaped_size, *to = text;
    for (;;) {
        size_t n_plain = (size_t)(at - begin);
        memcpy(to, begin, n_plain);
        to += n_plain;
        if (!is_at(reading, at, '\\'))
            break;
        JsonEscape escape = json_escape_read(at, reading->end, to);
        if (escape.n_taken == 0)
            return refuse_as(reading, at, escape.refusal, escape.expected);
        to += escape.n_written;
        begin = at += escape.n_taken;
        at = skip_plain(at, reading->end);
    }
    *ret = (JsonText){text, (size_t)(to - text)};
    tokens->unescaped_size += ret->size;
    return at;
}

static inline const char *add_string(Reading *reading, const char *quote, const char *at, JsonText said) {
    JsonToken *token = add_token(reading, JSON_STRING, quote, at + 1);
    token->text = said.text;
    token->size = (uint32_t)said.size;
    return at + 1;
}

/* One with escapes, or one that is refused. */
static const char *read_odd_string(Reading *reading, const char *quote, const char *at) {
    JsonText said = {quote + 1, (size_t)(at - quote) - 1};
    if (is_at(reading, at, '\\') &&
        (!has_room_for_unescaped(reading) || !(at = read_escaped(reading, quote + 1, at, &said))))
        return NULL;
    if (at == reading->end)
        return refuse(reading, at, "expected the end of a string");
    if (*at != '"')
        return refuse(reading, at, "expected control characters to be escaped");
    return add_string(reading, quote, at, said);
}

/* Adds the token of the string whose opening quote is at `quote`. */
static inline const char *read_string(Reading *reading, const char *quote) {
    const char *at = skip_plain(quote + 1, reading->end);
    if (!is_at(reading, at, '"'))
        return read_odd_string(reading, quote, at);
    return add_string(reading, quote, at, (JsonText){quote + 1, (size_t)(at - quote) - 1});
}

/* --- numbers and words --- */

static const char *read_number(Reading *reading, const char *at) {
    JsonNumber number = json_number_read(at, reading->end, reading->tokens->locale);
    if (number.n_taken == 0)
        return refuse_as(reading, at, number.refusal, number.expected);
    JsonToken *token =
        add_token(reading, number.is_decimal ? JSON_DECIMAL : JSON_INTEGER, at, at + number.n_taken);
    if (number.is_decimal)
        token->number = number.value;
    else
        token->magnitude = number.magnitude;
    return at + number.n_taken;
}

static const char *read_word(Reading *reading, const char *at, const char *word, JsonKind kind) {
    size_t size = strlen(word);
    if ((size_t)(reading->end - at) < size || memcmp(at, word, size) != 0)
        return refuse(reading, at, "expected JSON");
    (void)add_token(reading, kind, at, at + size);
    return at + size;
}

/* --- containers --- */

static const char *read_container(Reading *reading, const char *at, JsonKind kind);

static inline const char *read_value(Reading *reading, const char *at) {
    char c = '\0';
    if (at < reading->end)
        c = *at;
    switch (c) {
    case '"':
        return read_string(reading, at);
    case '{':
        return read_container(reading, at, JSON_OBJECT);
    case '[':
        return read_container(reading, at, JSON_ARRAY);
    case 't':
        return read_word(reading, at, "true", JSON_TRUE);
    case 'f':
        return read_word(reading, at, "false", JSON_FALSE);
    case 'n':
        return read_word(reading, at, "null", JSON_NULL);
    default:
        return c == '-' || text_is_digit(c) ? read_number(reading, at) : refuse(reading, at, "expected JSON");
    }
}

/* A name, a colon and a value. */
static inline const char *read_member(Reading *reading, const char *at, JsonNames *names) {
    if (!is_at(reading, at, '"'))
        return refuse(reading, at, "expected the name of a member");
    if (!has_room(reading) || !(at = read_string(reading, at)))
        return NULL;
    const JsonToken *name = &reading->tokens->tokens[reading->tokens->n - 1];
    json_names_add(names, name->text, name->size);
    at = skip_blanks(reading, at);
    if (!is_at(reading, at, ':'))
        return refuse(reading, at, "expected a colon");
    return read_value(reading, skip_blanks(reading, at + 1));
}

/* Whether the object that ends here, whose first name is token `first`, has each name once. */
static bool check_names(Reading *reading, size_t first, const JsonNames *names) {
    JsonTokens *tokens = reading->tokens;
    if (!names->seen_twice)
        return true;
    int r = json_twins_find(&tokens->twins, tokens->tokens, first, tokens->n, names->n);
    if (r == 0)
        return true;
    if (r < 0)
        return give_up(reading);
    *reading->ret_refusal = REFUSAL_NOT_JSON;
    reading->error = problem_set(reading->problem, -EBADMSG,
                                 "expected one JSON object, got one with two members of the same name");
    return false;
}

static const char *read_members(Reading *reading, const char *at) {
    const size_t first = reading->tokens->n;
    JsonNames names = {0};
    at = skip_blanks(reading, at);
    if (is_at(reading, at, '}'))
        return at + 1;
    for (;;) {
        if (!(at = read_member(reading, at, &names)))
            return NULL;
        at = skip_blanks(reading, at);
        if (!is_at(reading, at, ','))
            break;
        at = skip_blanks(reading, at + 1);
    }
    if (!is_at(reading, at, '}'))
        return refuse(reading, at, "expected a comma or the end of the object");
    return check_names(reading, first, &names) ? at + 1 : NULL;
}

static const char *read_elements(Reading *reading, const char *at) {
    at = skip_blanks(reading, at);
    if (is_at(reading, at, ']'))
        return at + 1;
    for (;;) {
        if (!has_room(reading) || !(at = read_value(reading, at)))
            return NULL;
        at = skip_blanks(reading, at);
        if (!is_at(reading, at, ','))
            break;
        at = skip_blanks(reading, at + 1);
    }
    return is_at(reading, at, ']') ? at + 1 : refuse(reading, at, "expected a comma or the end of the array");
}

static const char *read_container(Reading *reading, const char *at, JsonKind kind) {
    JsonTokens *tokens = reading->tokens;
    if (reading->depth == DEPTH_MAX)
        return refuse(reading, at, "expected less (nesting too deep)");
    const size_t index = tokens->n;
    (void)add_token(reading, kind, at, at + 1);
    reading->depth++;
    if (reading->depth > tokens->depth)
        tokens->depth = reading->depth;
    at = kind == JSON_OBJECT ? read_members(reading, at + 1) : read_elements(reading, at + 1);
    reading->depth--;
    if (!at)
        return NULL;
    tokens->tokens[index].end = (uint32_t)(at - tokens->text);
    tokens->tokens[index].next = (uint32_t)tokens->n;
    return at;
}

int json_tokens_read(JsonTokens *tokens, const char *text, size_t size, Refusal *ret_refusal,
                     Problem *problem) {
    Reading reading = {.tokens = tokens, .end = text + size, .ret_refusal = ret_refusal, .problem = problem};
    tokens->text = text;
    tokens->size = size;
    tokens->n = tokens->depth = tokens->unescaped_size = 0;
    if (!has_room(&reading))
        return reading.error;
    const char *at = skip_blanks(&reading, text);
    at = is_at(&reading, at, '{') ? read_container(&reading, at, JSON_OBJECT)
                                  : refuse(&reading, at, "expected one JSON object");
    if (!at)
        return reading.error;
    at = skip_blanks(&reading, at);
    if (at < reading.end)
        (void)refuse(&reading, at, "expected nothing more behind the JSON object");
    return reading.error;
}

/* --- asking --- */

const JsonToken *json_tokens_root(const JsonTokens *tokens) {
    return &tokens->tokens[0];
}

size_t json_tokens_depth(const JsonTokens *tokens) {
    return tokens->depth;
}

const JsonToken *json_tokens_find(const JsonTokens *tokens, const JsonToken *object, JsonText name,
                                  uint32_t *hint) {
    const uint32_t first = (uint32_t)(object - tokens->tokens) + 1;
    if (first == object->next)
        return NULL;
    const uint32_t start = *hint > first && *hint < object->next ? *hint : first;
    uint32_t at = start;
    do {
        const JsonToken *found = &tokens->tokens[at], *value = found + 1;
        at = value->next < object->next ? value->next : first;
        if (found->size == name.size && memcmp(found->text, name.text, name.size) == 0) {
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
