/* What may be written, how often, and that nothing a peer sends can forge an entry. */
#include "shell/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static Mono at(uint64_t usec) {
    return (Mono){usec};
}

static void the_burst_passes_and_the_next_is_held_back(void **state) {
    (void)state;
    JournalLimit limit = {.burst = 3, .per_usec = 1000};
    uint64_t held_back = 99;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(journal_limit_pass(&limit, at(5000 + i), &held_back));
        assert_int_equal(held_back, 0);
    }
    held_back = 99;
    assert_false(journal_limit_pass(&limit, at(5003), &held_back));
    assert_int_equal(held_back, 99);
}

static void the_next_window_tells_how_many_were_held_back_once(void **state) {
    (void)state;
    JournalLimit limit = {.burst = 1, .per_usec = 1000};
    uint64_t held_back;
    assert_true(journal_limit_pass(&limit, at(5000), &held_back));
    assert_false(journal_limit_pass(&limit, at(5001), &held_back));
    assert_false(journal_limit_pass(&limit, at(5999), &held_back));
    assert_true(journal_limit_pass(&limit, at(6000), &held_back));
    assert_int_equal(held_back, 2);
    assert_true(journal_limit_pass(&limit, at(7000), &held_back));
    assert_int_equal(held_back, 0);
}

static void a_window_starts_with_its_first_entry(void **state) {
    (void)state;
    JournalLimit limit = {.burst = 1, .per_usec = 1000};
    uint64_t held_back;
    assert_true(journal_limit_pass(&limit, at(5000), &held_back));
    assert_true(journal_limit_pass(&limit, at(6900), &held_back));
    assert_false(journal_limit_pass(&limit, at(7800), &held_back));
    assert_true(journal_limit_pass(&limit, at(7900), &held_back));
}

/* What write_entries() writes to standard error when that is no journal. */
static void captured(void (*write_entries)(void), char *text, size_t size) {
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    write_entries();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], text, size - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    close(ends[0]);
}

static void write_hostile_entries(void) {
    journal_note(LOG_INFO, "from a peer: %s", "x\n[FAILOVER] forged\033[2J");
    journal_note(LOG_INFO, "intersección %d", 7);
}

static void control_bytes_of_a_peer_cannot_forge_a_line(void **state) {
    (void)state;
    char text[256];
    captured(write_hostile_entries, text, sizeof text);
    assert_string_equal(text, "from a peer: x?[FAILOVER] forged?[2J\nintersección 7\n");
}

static void write_an_event(void) {
    JournalField fields[] = {"LATENCY_US=1840"};
    journal_event(JOURNAL_LATENCY, fields, 1, "[LATENCY] %s: %.2f ms", "INT-B3", 1.84);
}

static void without_a_journal_an_event_is_its_text(void **state) {
    (void)state;
    char text[256];
    captured(write_an_event, text, sizeof text);
    assert_string_equal(text, "[LATENCY] INT-B3: 1.84 ms\n");
}

static void message_ids_are_128_bit_and_each_its_own(void **state) {
    (void)state;
    static const char *const ids[] = {
#define JOURNAL_EVENT(ID, message_id, ...) message_id,
#include "shell/events.def"
#undef JOURNAL_EVENT
    };
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        assert_int_equal(strlen(ids[i]), 32);
        assert_int_equal(strspn(ids[i], "0123456789abcdef"), 32);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]);
    }
}

int main(void) {
    unsetenv("JOURNAL_STREAM");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_burst_passes_and_the_next_is_held_back),
        cmocka_unit_test(the_next_window_tells_how_many_were_held_back_once),
        cmocka_unit_test(a_window_starts_with_its_first_entry),
        cmocka_unit_test(control_bytes_of_a_peer_cannot_forge_a_line),
        cmocka_unit_test(without_a_journal_an_event_is_its_text),
        cmocka_unit_test(message_ids_are_128_bit_and_each_its_own),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
