/* What is UTF-8 and what may be shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static void well_formed_sequences_are_valid_to_their_end(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "INT-A1",
        "\xC2\x80",         /* U+0080, the first of two bytes */
        "\xDF\xBF",         /* U+07FF, the last */
        "\xE0\xA0\x80",     /* U+0800, the first of three */
        "\xED\x9F\xBF",     /* U+D7FF, before the surrogates */
        "\xEE\x80\x80",     /* U+E000, behind them */
        "\xEF\xBF\xBF",     /* U+FFFF */
        "\xF0\x90\x80\x80", /* U+10000, the first of four */
        "\xF4\x8F\xBF\xBF", /* U+10FFFF, the last there is */
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(utf8_valid_size(texts[i], strlen(texts[i])), strlen(texts[i]));
}

static void ill_formed_sequences_end_the_valid_part(void **state) {
    (void)state;
    static const char *const texts[] = {
        "ab\x80",             /* a continuation without a start */
        "ab\xC0\xAF",         /* overlong, two bytes */
        "ab\xC1\xBF",         /* overlong, two bytes */
        "ab\xE0\x9F\xBF",     /* overlong, three bytes */
        "ab\xF0\x8F\xBF\xBF", /* overlong, four bytes */
        "ab\xED\xA0\x80",     /* the first surrogate */
        "ab\xED\xBF\xBF",     /* the last surrogate */
        "ab\xF4\x90\x80\x80", /* U+110000 */
        "ab\xF5\x80\x80\x80", /* above it */
        "ab\xFF",             /* never a start */
        "ab\xC3",             /* cut */
        "ab\xE2\x82",         /* cut */
        "ab\xF0\x9F\x9A",     /* cut */
        "ab\xE2\x28\xA1",     /* not continued */
        "ab\xE2\x82\x28",     /* not continued */
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_equal(utf8_valid_size(texts[i], strlen(texts[i])), 2);
}

/* Most bytes are looked at eight at a time. */
static void ill_formed_bytes_are_found_at_any_place_of_any_text(void **state) {
    (void)state;
    char text[48];
    for (size_t size = 1; size <= sizeof text; size++) {
        for (size_t at = 0; at < size; at++) {
            for (size_t wide = 0; wide + 2 <= at || wide == 0; wide++) {
                memset(text, 'a', sizeof text);
                if (at >= 2)
                    memcpy(text + wide, "\xC3\xB1", 2);
                text[at] = '\x80';
                assert_int_equal(utf8_valid_size(text, size), at);
            }
        }
        memset(text, 'a', sizeof text);
        assert_int_equal(utf8_valid_size(text, size), size);
    }
}

static void nul_is_a_byte_like_others(void **state) {
    (void)state;
    assert_int_equal(utf8_valid_size("a\0b", 3), 3);
}

static void shown_text_is_printable_whatever_came(void **state) {
    (void)state;
    char bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    for (size_t from = 0; from < sizeof bytes; from += 16) {
        ShownText shown = text_shown(bytes + from, 16);
        for (const char *c = shown.text; *c; c++)
            assert_in_range(*c, ' ', '~');
    }
    assert_string_equal(text_shown("a\x1b[2J\xC3\xA9\0z", 9).text, "a\\x1b[2J\\xc3\\xa9\\x00z");
}

static void shown_text_is_cut_above_48_bytes(void **state) {
    (void)state;
    char bytes[49];
    memset(bytes, '\xFF', sizeof bytes);
    assert_int_equal(strlen(text_shown(bytes, 48).text), 48 * 4);
    assert_int_equal(strlen(text_shown(bytes, 49).text), 48 * 4 + 3);
    assert_string_equal(text_shown(bytes, 49).text + 48 * 4, "...");
    assert_string_equal(text_shown(bytes, 0).text, "");
}

static void control_characters_are_found_in_every_range(void **state) {
    (void)state;
    assert_true(text_has_control("a\nb", 3));
    assert_true(text_has_control("\x1F", 1));
    assert_true(text_has_control("\x7F", 1));
    assert_true(text_has_control("\xC2\x80", 2));
    assert_true(text_has_control("\xC2\x9F", 2));
    assert_false(text_has_control("\xC2\xA0", 2));
    assert_false(text_has_control(" ~", 2));
    assert_false(text_has_control("Avenida Bol\xC3\xADvar", 16));
    assert_false(text_has_control("\xC3\x80", 2));
    assert_false(text_has_control("", 0));
}

/* Every byte at every place of every short length, among bytes that need no second look. */
static void plain_text_ends_where_json_needs_an_escape(void **state) {
    (void)state;
    char text[24];
    for (size_t size = 0; size <= sizeof text; size++)
        for (size_t place = 0; place < size; place++)
            for (unsigned byte = 0; byte < 256; byte++) {
                memset(text, byte % 2 ? '!' : '~', sizeof text);
                text[place] = (char)byte;
                bool is_plain = byte >= ' ' && byte < 0x7F && byte != '"' && byte != '\\';
                assert_int_equal(text_plain_size(text, size), is_plain ? size : place);
            }
}

static void digits_are_those_that_printf_writes(void **state) {
    (void)state;
    uint64_t value = 0;
    for (unsigned i = 0; i < 200; i++, value = value * 3 + i) {
        char expected[32], digits[TEXT_UINT64_SIZE];
        int n = snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
        assert_int_equal(text_from_uint64(value, digits), n);
        assert_memory_equal(digits, expected, (size_t)n);
    }
    char digits[TEXT_UINT64_SIZE];
    assert_int_equal(text_from_uint64(UINT64_MAX, digits), 20);
    assert_memory_equal(digits, "18446744073709551615", 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_sequences_are_valid_to_their_end),
        cmocka_unit_test(ill_formed_sequences_end_the_valid_part),
        cmocka_unit_test(ill_formed_bytes_are_found_at_any_place_of_any_text),
        cmocka_unit_test(nul_is_a_byte_like_others),
        cmocka_unit_test(shown_text_is_printable_whatever_came),
        cmocka_unit_test(shown_text_is_cut_above_48_bytes),
        cmocka_unit_test(plain_text_ends_where_json_needs_an_escape),
        cmocka_unit_test(digits_are_those_that_printf_writes),
        cmocka_unit_test(control_characters_are_found_in_every_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
