/* Text from strangers: well-formedness and display. Knows nothing of what the text means. */
#include "base/text.h"

#include "base/sixteen.h"

#include <stdint.h>
#include <string.h>

enum { SHOWN_BYTES_MAX = 48 };

/* The length of the well-formed sequence that begins at `b` with a byte that is not ASCII, or 0. Only the second
 * byte has a range of its own: that is where overlong forms, surrogates and code points that do not exist are told
 * apart. */
static size_t sequence_size(const unsigned char *b, size_t size) {
    size_t length = b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : 2;
    if (b[0] < 0xC2 || b[0] > 0xF4 || length > size)
        return 0;
    unsigned char lowest = b[0] == 0xE0 ? 0xA0 : b[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char highest = b[0] == 0xED ? 0x9F : b[0] == 0xF4 ? 0x8F : 0xBF;
    if (b[1] < lowest || b[1] > highest)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((b[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* Bytes of ASCII that come first, in sixteens and the last of them in eights: nearly all text is ASCII and nothing else. */
static size_t ascii_size(const unsigned char *b, size_t size) {
    size_t at = 0;
    uint64_t eight;
    for (; at + sizeof(Sixteen) <= size; at += sizeof(Sixteen)) {
        size_t first = sixteen_first(sixteen_at(b + at) >= (unsigned char)0x80);
        if (first < sizeof(Sixteen))
            return at + first;
    }
    for (; at + sizeof eight <= size; at += sizeof eight) {
        memcpy(&eight, b + at, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    return at;
}

static bool is_plain(unsigned char byte) {
    return byte >= ' ' && byte < 0x7F && byte != '"' && byte != '\\';
}

size_t text_plain_size(const char *text, size_t size) {
    const unsigned char quote = '"', backslash = '\\', lowest = ' ', beyond = 0x7F;
    size_t at = 0;
    for (; at + sizeof(Sixteen) <= size; at += sizeof(Sixteen)) {
        Sixteen b = sixteen_at(text + at);
        size_t first =
            sixteen_first((Sixteen)((b < lowest) | (b >= beyond) | (b == quote) | (b == backslash)));
        if (first < sizeof(Sixteen))
            return at + first;
    }
    while (at < size && is_plain((unsigned char)text[at]))
        at++;
    return at;
}

size_t utf8_valid_size(const void *bytes, size_t size) {
    const unsigned char *b = bytes;
    size_t at = ascii_size(b, size);
    while (at < size) {
        if (b[at] < 0x80) {
            at += 1 + ascii_size(b + at + 1, size - at - 1);
            continue;
        }
        size_t length = sequence_size(b + at, size - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

ShownText text_shown(const void *bytes, size_t size) {
    static const char hex[] = "0123456789abcdef";
    const unsigned char *b = bytes;
    size_t n_shown = size > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : size;
    ShownText shown = {{0}};
    char *at = shown.text;
    for (size_t i = 0; i < n_shown; i++) {
        if (b[i] >= ' ' && b[i] < 0x7F) {
            *at++ = (char)b[i];
            continue;
        }
        *at++ = '\\';
        *at++ = 'x';
        *at++ = hex[b[i] >> 4];
        *at++ = hex[b[i] & 15];
    }
    strcpy(at, n_shown < size ? "..." : "");
    return shown;
}

size_t text_from_uint64(uint64_t value, char ret[static TEXT_UINT64_SIZE]) {
    char reversed[TEXT_UINT64_SIZE];
    size_t n = 0;
    do
        reversed[n++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    for (size_t i = 0; i < n; i++)
        ret[i] = reversed[n - 1 - i];
    return n;
}

bool text_has_control(const char *text, size_t size) {
    const unsigned char *b = (const unsigned char *)text;
    for (size_t i = text_plain_size(text, size); i < size; i++)
        if (b[i] < ' ' || b[i] == 0x7F || (b[i] == 0xC2 && i + 1 < size && b[i + 1] < 0xA0))
            return true;
    return false;
}
