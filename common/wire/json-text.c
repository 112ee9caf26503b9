/* The part of strictness that json-c leaves out. With JSON_TOKENER_STRICT and JSON_TOKENER_VALIDATE_UTF8,
 * json-c 0.16 still takes NaN, Infinity, -01, 00, 1., strings in single quotes and with raw control
 * characters, overlong UTF-8 and encoded surrogates; it replaces \ud800 by U+FFFD, keeps "\u0000" inside a
 * string, turns integers that do not fit into the nearest that does, and of two members with one name keeps
 * the last. tests/unit/wire has a line for each.
 *
 * So the tokens are walked once before json-c sees them. Grammar is not checked here; where json-c would lose
 * something (a repeated member) this side counts, and the caller compares. */
#include "wire/json-text.h"

#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Integers up to here fit an int64_t (negative) or a uint64_t, whatever their digits. */
enum { NEGATIVE_DIGITS_MAX = 18, POSITIVE_DIGITS_MAX = 19 };

typedef struct Scan {
    const char *start, *at, *end;
    Refusal *ret_refusal;
    Problem *problem;
} Scan;

static int refuse(Scan *scan, Refusal refusal, const char *expected) {
    size_t left = (size_t)(scan->end - scan->at);
    *scan->ret_refusal = refusal;
    return problem_set(scan->problem, -EBADMSG, "%s at byte %zu, got \"%s\"", expected,
                       (size_t)(scan->at - scan->start), text_shown(scan->at, left < 12 ? left : 12).text);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* strchr() finds the NUL that ends the list, too. */
static bool is_one_of(char c, const char *list) {
    return c != '\0' && strchr(list, c);
}

/* The four hexadecimal digits after \u, or -1. */
static int code_unit(const char *at, const char *end) {
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    int value = 0;
    for (int i = 2; i < 6; i++) {
        char lower = (char)(at[i] | 0x20);
        if (!is_digit(at[i]) && (lower < 'a' || lower > 'f'))
            return -1;
        value = value * 16 + (is_digit(at[i]) ? at[i] - '0' : lower - 'a' + 10);
    }
    return value;
}

/* An escape sequence: malformed ones are json-c's to refuse, here only those with no meaning as text. */
static int scan_escape(Scan *scan) {
    int unit = code_unit(scan->at, scan->end);
    if (scan->end - scan->at < 2)
        return refuse(scan, REFUSAL_NOT_JSON, "expected the rest of an escape sequence");
    if (unit == 0)
        return refuse(scan, REFUSAL_NOT_JSON, "expected text without NUL characters");
    bool is_high = unit >= 0xD800 && unit < 0xDC00;
    bool is_low = unit >= 0xDC00 && unit < 0xE000;
    if (is_high) {
        int next = code_unit(scan->at + 6, scan->end);
        is_low = next < 0xDC00 || next > 0xDFFF;
        scan->at += is_low ? 0 : 6;
    }
    if (is_low)
        return refuse(scan, REFUSAL_NOT_UTF8, "expected both halves of a surrogate pair");
    scan->at += unit >= 0 ? 6 : 2;
    return 0;
}

/* A string, from its opening quote to behind its closing one. */
static int scan_string(Scan *scan) {
    scan->at++;
    while (scan->at < scan->end && *scan->at != '"') {
        if ((unsigned char)*scan->at < ' ')
            return refuse(scan, REFUSAL_NOT_JSON, "expected control characters to be escaped");
        if (*scan->at != '\\') {
            scan->at++;
            continue;
        }
        int r = scan_escape(scan);
        if (r < 0)
            return r;
    }
    if (scan->at == scan->end)
        return refuse(scan, REFUSAL_NOT_JSON, "expected the end of a string");
    scan->at++;
    return 0;
}

static int scan_number(Scan *scan) {
    const char *digits = scan->at + (*scan->at == '-');
    const char *after = digits;
    while (after < scan->end && is_digit(*after))
        after++;
    size_t n_digits = (size_t)(after - digits);
    bool is_integer = after == scan->end || !is_one_of(*after, ".eE");
    bool has_bare_point =
        after < scan->end && *after == '.' && (after + 1 == scan->end || !is_digit(after[1]));
    if (n_digits == 0 || (n_digits > 1 && *digits == '0') || has_bare_point)
        return refuse(scan, REFUSAL_NOT_JSON, "expected a JSON number");
    if (is_integer && n_digits > (*scan->at == '-' ? NEGATIVE_DIGITS_MAX : POSITIVE_DIGITS_MAX))
        return refuse(scan, REFUSAL_OUT_OF_RANGE, "expected an integer of at most 18 digits");
    while (after < scan->end && (is_digit(*after) || is_one_of(*after, "+-.eE")))
        after++;
    scan->at = after;
    return 0;
}

int strict_json_check(const char *text, size_t size, size_t *ret_n_members, Refusal *ret_refusal,
                      Problem *problem) {
    Scan scan = {
        .start = text, .at = text, .end = text + size, .ret_refusal = ret_refusal, .problem = problem};
    size_t n_members = 0;
    int r = 0;
    while (r >= 0 && scan.at < scan.end) {
        char c = *scan.at;
        if (c == '"') {
            r = scan_string(&scan);
        } else if (c == '-' || is_digit(c)) {
            r = scan_number(&scan);
        } else if (is_one_of(c, "{}[],: \t\r\nabcdefghijklmnopqrstuvwxyz")) {
            n_members += c == ':';
            scan.at++;
        } else {
            r = refuse(&scan, REFUSAL_NOT_JSON, "expected JSON");
        }
    }
    if (r >= 0)
        *ret_n_members = n_members;
    return r;
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

JsonText object_text_value(const char *text, size_t size, size_t index) {
    const char *end = text + size, *value = NULL;
    size_t depth = 0, n_colons = 0;
    for (const char *at = text; at < end;) {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        bool ends_here = depth == 1 && (*at == ',' || *at == '}');
        if (value && ends_here) {
            end = at;
            break;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        if (depth == 1 && *at == ':' && n_colons++ == index)
            value = at + 1;
        at++;
    }
    return without_blanks(value, end);
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
