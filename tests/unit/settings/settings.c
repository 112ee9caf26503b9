/* traffic.conf: what is read, from where, who wins, and what every refusal says. Each bad input is checked
 * for its place, what was expected, what came and the nearest word: an operator has only this sentence. */
#include "settings/settings.h"
#include "files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define USR  "/usr/lib/traffic/traffic.conf"
#define ETC  "/etc/traffic/traffic.conf"
#define MANY 128 /* more than there are settings */

static Scratch scratch;

static int make_scratch(void **state) {
    (void)state;
    scratch = scratch_new();
    return 0;
}

static int clear_scratch(void **state) {
    (void)state;
    scratch_clear(&scratch);
    return 0;
}

static Settings load(const char *const *overrides, size_t n, SettingOrigin *origins) {
    SettingsSource source = {.root = scratch.root, .overrides = overrides, .n_overrides = n};
    Settings settings;
    Problem problem = {""};
    int r = settings_load(&source, &settings, origins, &problem);
    if (r != 0)
        fail_msg("%s", problem.text);
    return settings;
}

/* The whole file `text` is refused with `error`; the sentence starts with the place and goes on with
 * `expected`. */
static void refused(const char *text, size_t size, int error, unsigned line, const char *expected) {
    scratch_write_bytes(&scratch, ETC, text, size);
    SettingsSource source = {.root = scratch.root};
    Settings settings, untouched;
    memset(&settings, 0x5a, sizeof settings);
    memset(&untouched, 0x5a, sizeof untouched);
    Problem problem = {""};
    char sentence[1024];
    (void)snprintf(sentence, sizeof sentence, "%s" ETC ":%u: %s", scratch.root, line, expected);
    assert_int_equal(settings_load(&source, &settings, NULL, &problem), error);
    assert_string_equal(problem.text, sentence);
    assert_memory_equal(&settings, &untouched, sizeof settings);
}

static void refused_text(const char *text, int error, unsigned line, const char *expected) {
    refused(text, strlen(text), error, line, expected);
}

static void refused_override(const char *override, int error, const char *expected) {
    SettingsSource source = {.root = scratch.root, .overrides = &override, .n_overrides = 1};
    Settings settings;
    Problem problem = {""};
    assert_int_equal(settings_load(&source, &settings, NULL, &problem), error);
    assert_string_equal(problem.text, expected);
}

static const SettingOrigin *origin_in(const SettingOrigin *origins, const Settings *settings,
                                      const char *name) {
    /* the printed list has the order of the table, so a name's line is its index */
    char *text = NULL;
    size_t size = 0, index = 0;
    FILE *out = open_memstream(&text, &size);
    settings_print_origins(out, settings, origins);
    (void)fclose(out);
    char *at = strstr(text, name);
    assert_non_null(at);
    for (const char *c = text; c < at; c++)
        index += *c == '\n';
    free(text);
    return &origins[index];
}

/* --- who wins --- */

static void without_any_file_everything_has_its_default(void **state) {
    (void)state;
    SettingOrigin origins[MANY];
    assert_in_range(settings_count(), 1, MANY);
    Settings settings = load(NULL, 0, origins);
    assert_string_equal(settings.pc1, "127.0.0.1");
    assert_int_equal(settings.sensor_source, SENSOR_SOURCE_RANDOM);
    assert_true(settings.sensor_loop);
    assert_int_equal(settings.store_commit_rows, 1000);
    assert_true(settings.failover_dead_sec == 0.6);
    for (size_t i = 0; i < settings_count(); i++) {
        assert_string_equal(origins[i].file, "");
        assert_int_equal(origins[i].line, 0);
    }
}

static void later_files_win_and_the_command_line_wins_over_all(void **state) {
    (void)state;
    static const char *const winners[] = {"signal.green_sec = 20", "sensor.count=1", "sensor.count=2"};
    scratch_write(&scratch, USR, "[network]\npc1 = usr\npc2 = usr\npc3 = usr\n[signal]\ngreen_sec = 16\n");
    scratch_write(&scratch, USR ".d/50-a.conf",
                  "[network]\npc2 = usr-d\npc3 = usr-d\n[signal]\ngreen_sec = 17\n");
    scratch_write(&scratch, ETC,
                  "[network]\npc3 = etc\n[query]\ntimeout_sec = 3\n[signal]\ngreen_sec = 18\n");
    scratch_write(&scratch, ETC ".d/a.conf", "[query]\ntimeout_sec = 4\n[signal]\ngreen_sec = 19\n");
    Settings settings = load(winners, 3, NULL);
    assert_string_equal(settings.pc1, "usr");
    assert_string_equal(settings.pc2, "usr-d");
    assert_string_equal(settings.pc3, "etc");
    assert_true(settings.query_timeout_sec == 4);
    assert_true(settings.signal_green_sec == 20);
    assert_int_equal(settings.sensor_count, 2);
}

static void drop_ins_are_read_in_byte_order_of_their_names(void **state) {
    (void)state;
    scratch_write(&scratch, ETC ".d/b.conf", "[sensor]\nseed = 4\n");
    scratch_write(&scratch, ETC ".d/a.conf", "[sensor]\nseed = 3\n");
    scratch_write(&scratch, ETC ".d/Z.conf", "[sensor]\nseed = 2\n");
    scratch_write(&scratch, ETC ".d/9.conf", "[sensor]\nseed = 1\n");
    assert_int_equal(load(NULL, 0, NULL).sensor_seed, 4);
}

static void files_that_do_not_end_in_conf_or_are_hidden_are_not_drop_ins(void **state) {
    (void)state;
    scratch_write(&scratch, ETC ".d/a.conf.dpkg-old", "[nonsense\n");
    scratch_write(&scratch, ETC ".d/.a.conf", "[nonsense\n");
    scratch_write(&scratch, ETC ".d/conf", "[nonsense\n");
    scratch_write(&scratch, ETC ".d/README", "[nonsense\n");
    assert_int_equal(load(NULL, 0, NULL).sensor_seed, 1);
}

static void one_named_file_replaces_the_four_and_has_drop_ins_of_its_own(void **state) {
    (void)state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/mine.conf", scratch.root);
    scratch_write(&scratch, ETC, "[sensor]\nseed = 1000\ncount = 1000\n");
    scratch_write(&scratch, "/mine.conf", "[sensor]\nseed = 7\nspeed = 60\n");
    scratch_write(&scratch, "/mine.conf.d/more.conf", "[sensor]\nspeed = 0\n");
    SettingsSource source = {.root = scratch.root, .file = path};
    Settings settings;
    assert_int_equal(settings_load(&source, &settings, NULL, NULL), 0);
    assert_int_equal(settings.sensor_seed, 7);
    assert_int_equal(settings.sensor_count, 0);
    assert_true(settings.sensor_speed == 0);
}

static void a_named_file_that_is_missing_is_refused(void **state) {
    (void)state;
    SettingsSource source = {.file = "/nonexistent/traffic.conf"};
    Settings settings;
    Problem problem = {""};
    assert_int_equal(settings_load(&source, &settings, NULL, &problem), -ENOENT);
    assert_string_equal(problem.text, "/nonexistent/traffic.conf: cannot open: No such file or directory");
}

static void a_directory_in_place_of_a_file_is_refused(void **state) {
    (void)state;
    scratch_write(&scratch, ETC "/x", "");
    SettingsSource source = {.root = scratch.root};
    Settings settings;
    Problem problem = {""};
    assert_int_equal(settings_load(&source, &settings, NULL, &problem), -EIO);
    assert_non_null(strstr(problem.text, ETC ": cannot read: Is a directory"));
}

static void origins_name_the_file_and_line_that_won(void **state) {
    (void)state;
    static const char *const override[] = {"query.timeout_sec=5"};
    char expected[256];
    SettingOrigin origins[MANY];
    scratch_write(&scratch, USR, "[network]\npc1 = a\n");
    scratch_write(&scratch, ETC ".d/x.conf", "# comment\n\n[network]\n\npc1 = b\npc1 = c\n");
    Settings settings = load(override, 1, origins);
    const SettingOrigin *origin = origin_in(origins, &settings, "network.pc1 = c");
    (void)snprintf(expected, sizeof expected, "%s" ETC ".d/x.conf", scratch.root);
    assert_string_equal(origin->file, expected);
    assert_int_equal(origin->line, 6);
    assert_string_equal(origin_in(origins, &settings, "query.timeout_sec = 5")->file, "--set");
    assert_string_equal(origin_in(origins, &settings, "network.pc2")->file, "");
}

/* --- what a line may look like --- */

static void comments_blanks_indentation_and_windows_line_ends_are_fine(void **state) {
    (void)state;
    scratch_write(&scratch, ETC,
                  "; comment\r\n# comment\r\n\r\n[sensor]  # comment\r\n  source = replay\r\n\tseed\t=\t5  ; "
                  "comment\r\n"
                  "   count=3\r\nloop : no");
    Settings settings = load(NULL, 0, NULL);
    assert_int_equal(settings.sensor_source, SENSOR_SOURCE_REPLAY);
    assert_int_equal(settings.sensor_seed, 5);
    assert_int_equal(settings.sensor_count, 3);
    assert_false(settings.sensor_loop);
}

static void a_byte_order_mark_is_no_part_of_the_first_line(void **state) {
    (void)state;
    scratch_write(&scratch, ETC, "\xEF\xBB\xBF[sensor]\nseed = 5\n");
    assert_int_equal(load(NULL, 0, NULL).sensor_seed, 5);
}

static void every_word_for_yes_and_no_is_read(void **state) {
    (void)state;
    static const char *const words[][2] = {{"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        for (size_t truth = 0; truth < 2; truth++) {
            char override[64];
            (void)snprintf(override, sizeof override, "sensor.loop=%s", words[i][truth]);
            assert_int_equal(load((const char *const[]){override}, 1, NULL).sensor_loop, truth);
        }
}

static void both_ends_of_a_range_are_inside(void **state) {
    (void)state;
    static const char *const ends[] = {"query.timeout_sec=0.1", "query.timeout_sec=9",
                                       "store.commit_rows=1",   "store.commit_rows=100000",
                                       "sensor.seed=0",         "sensor.seed=9223372036854775807"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        (void)load(&ends[i], 1, NULL);
}

static void a_text_of_the_greatest_length_is_read(void **state) {
    (void)state;
    char line[512] = "[city]\nfile = ", text[256];
    memset(text, 'x', 255);
    text[255] = '\0';
    strcat(line, text);
    scratch_write(&scratch, ETC, line);
    assert_string_equal(load(NULL, 0, NULL).city_file, text);
}

/* --- refusals: a file --- */

static void an_unknown_section_is_refused_with_the_nearest(void **state) {
    (void)state;
    refused_text("[sensr]\nseed = 1\n", -EINVAL, 1, "unknown section [sensr]; did you mean [sensor]?");
    refused_text(
        "\n\n[qqqqqq]\nseed = 1\n", -EINVAL, 3,
        "unknown section [qqqqqq]; expected one of [network] [city] [clock] [sensor] [broker] [analytics] "
        "[custody] [protocol] [rules] [control] [signal] "
        "[failover] [store] [query]");
    refused_text("[Sensor]\nseed = 1\n", -EINVAL, 1, "unknown section [Sensor]; did you mean [sensor]?");
}

static void an_unknown_section_without_a_key_is_refused_too(void **state) {
    (void)state;
    refused_text("[sensr]\n", -EINVAL, 1, "unknown section [sensr]; did you mean [sensor]?");
    refused_text("[sensor]\n[ signal ]\n", -EINVAL, 2, "unknown section [ signal ]; did you mean [signal]?");
}

static void an_unknown_key_is_refused_with_the_nearest(void **state) {
    (void)state;
    refused_text("[sensor]\n\ninterval = 1\n", -EINVAL, 3,
                 "unknown key \"interval\" in [sensor]; --print-settings lists them all");
    refused_text("[sensor]\ncamera_intervall_sec = 1\n", -EINVAL, 2,
                 "unknown key \"camera_intervall_sec\" in [sensor]; did you mean \"camera_interval_sec\"?");
    refused_text("[network]\npc4 = 1\n", -EINVAL, 2,
                 "unknown key \"pc4\" in [network]; did you mean \"pc1\"?");
}

static void a_key_under_the_wrong_section_is_told_where_it_belongs(void **state) {
    (void)state;
    refused_text("[sensor]\ngreen_sec = 20\n", -EINVAL, 2,
                 "unknown key \"green_sec\" in [sensor]; it belongs under [signal]");
}

static void a_key_before_any_section_is_refused(void **state) {
    (void)state;
    refused_text("# c\nseed = 1\n", -EINVAL, 2, "expected a [section] before the first key");
}

static void a_line_that_is_neither_section_nor_assignment_is_refused(void **state) {
    (void)state;
    refused_text("[sensor]\nseed\n", -EINVAL, 2, "expected [section] or key = value, got \"seed\"");
    refused_text("[sensor\nseed = 1\n", -EINVAL, 1, "expected [section] or key = value, got \"[sensor\"");
    refused_text("[sensor] seed = 1\n", -EINVAL, 1, "expected nothing after the ] of a section");
    refused_text("[sensor]\n  seed = 2\n  more\n", -EINVAL, 3,
                 "expected [section] or key = value, got \"  more\"");
}

static void the_first_of_several_faults_is_reported(void **state) {
    (void)state;
    refused_text("[sensor]\nseed\nsource = x\n", -EINVAL, 2,
                 "expected [section] or key = value, got \"seed\"");
    refused_text("[sensor]\nseed = x\n[signal\n", -EINVAL, 2,
                 "[sensor] seed: expected a whole number of at least 0, got \"x\"");
}

static void bytes_that_no_text_file_holds_are_refused(void **state) {
    (void)state;
    static const char nul[] = "[sensor]\nseed = 1\0 2\n";
    refused(nul, sizeof nul - 1, -EINVAL, 2, "expected text, got a NUL byte");
    refused_text(
        "[city]\nfile = a\xff\n", -EINVAL, 2,
        "[city] file: expected a text in UTF-8 without control characters and comments, got \"a\\xff\"");
    refused_text(
        "[city]\nfile = a\x01z\n", -EINVAL, 2,
        "[city] file: expected a text in UTF-8 without control characters and comments, got \"a\\x01z\"");
}

static void a_line_longer_than_any_setting_is_refused(void **state) {
    (void)state;
    char text[1200];
    for (size_t length = 1000; length <= 1001; length++) {
        (void)snprintf(text, sizeof text, "[sensor]\n#%*s\nseed = 3\n", (int)length - 2, "");
        if (length == 1000) {
            scratch_write(&scratch, ETC, text);
            assert_int_equal(load(NULL, 0, NULL).sensor_seed, 3);
        } else
            refused_text(text, -EINVAL, 2, "expected a line of at most 1000 bytes, got a longer one");
    }
}

static void an_unreadable_value_is_refused_with_what_came(void **state) {
    (void)state;
    refused_text(
        "[sensor]\nsource = reply\n", -EINVAL, 2,
        "[sensor] source: expected random, replay or relay, got \"reply\"; did you mean \"replay\"?");
    refused_text("[sensor]\nsource = sumo\n", -EINVAL, 2,
                 "[sensor] source: expected random, replay or relay, got \"sumo\"");
    refused_text("[sensor]\nloop = maybe\n", -EINVAL, 2, "[sensor] loop: expected yes or no, got \"maybe\"");
    refused_text("[sensor]\nseed = 1.5\n", -EINVAL, 2,
                 "[sensor] seed: expected a whole number of at least 0, got \"1.5\"");
    refused_text("[sensor]\nseed =\n", -EINVAL, 2,
                 "[sensor] seed: expected a whole number of at least 0, got \"\"");
    refused_text("[network]\npc1 =\n", -EINVAL, 2,
                 "[network] pc1: expected a text of 1 to 255 bytes, got \"\"");
}

static void numbers_in_disguise_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"ten", "1s", "0x10", "inf", "nan", "1,5", "1 5", "--1", "1e", "."};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char text[64], expected[128];
        (void)snprintf(text, sizeof text, "[query]\ntimeout_sec = %s\n", texts[i]);
        (void)snprintf(expected, sizeof expected,
                       "[query] timeout_sec: expected a number from 0.1 to 9 s, got \"%s\"", texts[i]);
        refused_text(text, -EINVAL, 2, expected);
    }
}

static void a_value_outside_its_range_is_refused(void **state) {
    (void)state;
    refused_text("[query]\ntimeout_sec = 9.01\n", -ERANGE, 2,
                 "[query] timeout_sec: expected a number from 0.1 to 9 s, got \"9.01\"");
    refused_text("[query]\ntimeout_sec = 0.09\n", -ERANGE, 2,
                 "[query] timeout_sec: expected a number from 0.1 to 9 s, got \"0.09\"");
    refused_text("[signal]\nmin_green_sec = 4.9\n", -ERANGE, 2,
                 "[signal] min_green_sec: expected a number from 5 to 60 s, got \"4.9\"");
    refused_text("[store]\ncommit_rows = 0\n", -ERANGE, 2,
                 "[store] commit_rows: expected a whole number from 1 to 100000 rows, got \"0\"");
    refused_text("[store]\ncommit_rows = 100001\n", -ERANGE, 2,
                 "[store] commit_rows: expected a whole number from 1 to 100000 rows, got \"100001\"");
    refused_text("[sensor]\nseed = 9223372036854775808\n", -ERANGE, 2,
                 "[sensor] seed: expected a whole number of at least 0, got \"9223372036854775808\"");
    refused_text("[rules]\nstale_intervals = 1e400\n", -ERANGE, 2,
                 "[rules] stale_intervals: expected a number from 1 to 1000 intervals, got \"1e400\"");
}

static void a_text_above_its_length_is_refused(void **state) {
    (void)state;
    char text[128], expected[256];
    (void)snprintf(text, sizeof text, "[network]\nbind = %064d\n", 0);
    (void)snprintf(expected, sizeof expected,
                   "[network] bind: expected a text of 1 to 63 bytes, got \"%048d...\"", 0);
    refused_text(text, -ERANGE, 2, expected);
}

static void an_address_with_scheme_or_port_is_refused(void **state) {
    (void)state;
    refused_text("[network]\npc1 = tcp://10.0.0.1:5560\n", -EINVAL, 2,
                 "[network] pc1: expected a host name or an IPv4 address, without scheme and port, got "
                 "\"tcp://10.0.0.1:5560\"");
    refused_text(
        "[network]\npc3 = *\n", -EINVAL, 2,
        "[network] pc3: expected a host name or an IPv4 address, without scheme and port, got \"*\"");
    refused_text("[network]\nbind = 10.0.0.1 10.0.0.2\n", -EINVAL, 2,
                 "[network] bind: expected a host name or an IPv4 address, without scheme and port, got "
                 "\"10.0.0.1 10.0.0.2\"");
}

/* --- refusals: the command line --- */

static void an_override_that_is_no_assignment_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"", "seed", "seed=1", "sensor.seed", "=", "seed=a.b"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char expected[128];
        (void)snprintf(expected, sizeof expected, "--set: expected SECTION.KEY=VALUE, got \"%s\"", texts[i]);
        refused_override(texts[i], -EINVAL, expected);
    }
}

static void an_override_is_checked_like_a_line(void **state) {
    (void)state;
    refused_override("sensr.seed=1", -EINVAL, "--set: unknown section [sensr]; did you mean [sensor]?");
    refused_override("sensor.sed=1", -EINVAL,
                     "--set: unknown key \"sed\" in [sensor]; did you mean \"seed\"?");
    refused_override("sensor.seed=x", -EINVAL,
                     "--set: [sensor] seed: expected a whole number of at least 0, got \"x\"");
    refused_override(
        "city.file= ; x", -EINVAL,
        "--set: [city] file: expected a text in UTF-8 without control characters and comments, got \"; x\"");
}

static void an_override_longer_than_any_value_is_refused(void **state) {
    (void)state;
    char text[2000] = "city.file=";
    memset(text + 10, 'x', sizeof text - 11);
    text[sizeof text - 1] = '\0';
    SettingsSource source = {
        .root = scratch.root, .overrides = (const char *const[]){text}, .n_overrides = 1};
    Settings settings;
    Problem problem = {""};
    assert_int_equal(settings_load(&source, &settings, NULL, &problem), -EINVAL);
    assert_non_null(strstr(problem.text, "--set: \"city.file=xxx"));
    assert_non_null(strstr(problem.text, "is too long"));
}

/* --- relations --- */

static void values_that_contradict_each_other_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *override, *expected;
    } cases[] = {
        {"failover.beat_sec=0.3",
         "[failover] suspect_sec greater than [failover] beat_sec, got 0.3 (default) and 0.3 (--set)"},
        {"failover.dead_sec=0.3",
         "[failover] dead_sec greater than [failover] suspect_sec, got 0.3 (--set) and 0.3 (default)"},
        {"signal.min_green_sec=15.5",
         "[signal] green_sec at least [signal] min_green_sec, got 15 (default) and 15.5 (--set)"},
        {"signal.green_sec=30.5", NULL},
        {"rules.wave_duration_sec=5", NULL},
        {"rules.normal_queue_below=10.5", "[rules] normal_queue_below at most [rules] congestion_queue_min, "
                                          "got 10.5 (--set) and 10 (default)"},
        {"rules.normal_speed_above_kmh=19", "[rules] normal_speed_above_kmh at least [rules] "
                                            "congestion_speed_max_kmh, got 19 (--set) and 20 (default)"},
        {"rules.congestion_count_min=19",
         "[rules] normal_count_below at most [rules] congestion_count_min, got 20 (default) and 19 (--set)"},
        {"rules.normal_queue_below=10", NULL},
        {"rules.normal_speed_above_kmh=20", NULL},
        {"rules.normal_count_below=40", NULL},
        {"signal.min_green_sec=15", NULL},
        {"clock.tick_sources=gps", NULL},
        {"clock.tick_sources=gps  camera", NULL},
        {"clock.tick_sources=camera radar", "[clock] tick_sources: expected camera, inductive and gps, or "
                                            "some of them, each once, got \"radar\""},
        {"clock.tick_sources=gps gps", "each once, got \"gps\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        SettingsSource source = {.root = scratch.root, .overrides = &cases[i].override, .n_overrides = 1};
        Settings settings;
        Problem problem = {""};
        int r = settings_load(&source, &settings, NULL, &problem);
        assert_int_equal(r, cases[i].expected ? -EINVAL : 0);
        if (cases[i].expected && !strstr(problem.text, cases[i].expected))
            fail_msg("%s: %s", cases[i].override, problem.text);
    }
}

static void ticks_need_custody_all_the_way(void **state) {
    (void)state;
    static const char *const links[] = {"protocol.broker=v0", "protocol.analytics=v0"};
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        const char *const overrides[] = {"clock.source=tick", links[i]};
        SettingsSource source = {.root = scratch.root, .overrides = overrides, .n_overrides = 2};
        Settings settings;
        Problem problem = {""};
        assert_int_equal(settings_load(&source, &settings, NULL, &problem), -EINVAL);
        assert_non_null(strstr(problem.text, "expected custody, because [clock] source is tick, got \"v0\""));
        source.n_overrides = 1;
        assert_int_equal(settings_load(&source, &settings, NULL, &problem), 0);
        assert_int_equal(settings.clock_source, CLOCK_TICK);
    }
}

static void a_wave_shorter_than_the_minimum_green_is_refused(void **state) {
    (void)state;
    static const char *const overrides[] = {"signal.min_green_sec=10", "rules.wave_duration_sec=9"};
    SettingsSource source = {.root = scratch.root, .overrides = overrides, .n_overrides = 2};
    Settings settings;
    Problem problem = {""};
    assert_int_equal(settings_load(&source, &settings, NULL, &problem), -EINVAL);
    assert_non_null(
        strstr(problem.text, "expected [rules] wave_duration_sec at least [signal] min_green_sec"));
}

static void a_maximum_red_without_room_for_the_longest_green_is_refused(void **state) {
    (void)state;
    static const char *const least[] = {"signal.max_red_sec=29"};
    (void)load(least, 1, NULL); /* 15 + 10 + 2 * 2 */
    refused_text("[signal]\nmax_red_sec = 28.9\n", -EINVAL, 2,
                 "expected [signal] max_red_sec at least green_sec + extension_sec + 2 (yellow_sec + "
                 "all_red_sec) = 29, got 28.9");
    refused_text("[signal]\nextension_sec = 72\n", -EINVAL, 2,
                 "expected [signal] max_red_sec at least green_sec + extension_sec + 2 (yellow_sec + "
                 "all_red_sec) = 91, got 90");
}

static void a_contradiction_between_files_names_both_lines(void **state) {
    (void)state;
    char usr[256], etc[256];
    scratch_write(&scratch, USR, "[failover]\nsuspect_sec = 2\n dead_sec = 4\n");
    scratch_write(&scratch, ETC, "\n\n[failover]\ndead_sec = 1\n");
    (void)snprintf(usr, sizeof usr, "got 1 (%s" ETC ":4)", scratch.root);
    (void)snprintf(etc, sizeof etc, "and 2 (%s" USR ":2)", scratch.root);
    SettingsSource source = {.root = scratch.root};
    Settings settings;
    Problem problem = {""};
    assert_int_equal(settings_load(&source, &settings, NULL, &problem), -EINVAL);
    assert_non_null(strstr(problem.text, usr));
    assert_non_null(strstr(problem.text, etc));
}

/* --- printing --- */

static char *print(void (*printer)(FILE *, const Settings *), const Settings *settings) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    printer(out, settings);
    (void)fclose(out);
    return text;
}

static void printed_settings_load_to_the_same_values(void **state) {
    (void)state;
    static const char *const odd[] = {"network.pc1=roadside.example.org",
                                      "city.file=/srv/a city/[1] #2.json",
                                      "sensor.source=relay",
                                      "sensor.loop=off",
                                      "sensor.seed=9223372036854775807",
                                      "sensor.speed=0.1",
                                      "failover.beat_sec=0.012345678901234567",
                                      "store.keep_days=36499.999999999",
                                      "sensor.time_base=recorded",
                                      "sensor.speed=123456.78901234567"};
    Settings first = load(odd, ARRAY_LEN(odd), NULL);
    char *text = print(settings_print, &first);
    scratch_write(&scratch, ETC, text);
    SettingOrigin origins[MANY];
    Settings second = load(NULL, 0, origins);
    char *again = print(settings_print, &second);
    assert_string_equal(text, again);
    assert_true(first.failover_beat_sec == second.failover_beat_sec);
    assert_true(first.store_keep_days == second.store_keep_days);
    assert_true(first.sensor_speed == second.sensor_speed);
    assert_string_equal(second.city_file, "/srv/a city/[1] #2.json");
    for (size_t i = 0; i < settings_count(); i++)
        assert_true(origins[i].line > 0); /* not one is left out */
    free(text);
    free(again);
}

static void printed_settings_carry_sentence_range_unit_and_default(void **state) {
    (void)state;
    Settings settings = load(NULL, 0, NULL);
    char *text = print(settings_print, &settings);
    assert_non_null(strstr(text, "\n[failover]\n# Period of the heartbeat between analytics and each store.\n"
                                 "# Expects a number from 0.01 to 10 s; default 0.1.\nbeat_sec = 0.1\n"));
    free(text);
}

static void origins_are_one_line_for_each_setting(void **state) {
    (void)state;
    SettingOrigin origins[MANY];
    scratch_write(&scratch, ETC, "[network]\npc2 = control\n");
    Settings settings = load((const char *const[]){"query.timeout_sec=1"}, 1, origins);
    char *text = NULL, expected[256];
    size_t size = 0, lines = 0;
    FILE *out = open_memstream(&text, &size);
    settings_print_origins(out, &settings, origins);
    (void)fclose(out);
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, settings_count());
    assert_non_null(strstr(text, "network.pc1 = 127.0.0.1                               # default\n"));
    (void)snprintf(expected, sizeof expected, "  # %s" ETC ":2\n", scratch.root);
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "# --set\n"));
    free(text);
}

static void the_manual_has_every_section_and_key(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0, entries = 0;
    FILE *out = open_memstream(&text, &size);
    settings_print_manual(out);
    (void)fclose(out);
    for (char *at = text; (at = strstr(at, "* = ")); at++)
        entries++;
    assert_int_equal(entries, settings_count());
    assert_non_null(strstr(text, "## [signal]\n"));
    assert_non_null(
        strstr(text, "*min\\_green\\_sec* = 5\n\tNo green is shorter. Expects a number from 5 to 60 s."));
    free(text);
}

static void the_installed_file_is_accepted_and_changes_nothing(void **state) {
    (void)state;
    SettingsSource source = {.file = CONFIG_DIR "/traffic.conf"};
    Settings settings;
    Problem problem = {""};
    if (settings_load(&source, &settings, NULL, &problem) != 0)
        fail_msg("%s", problem.text);
    Settings defaults = load(NULL, 0, NULL);
    char *first = print(settings_print, &defaults), *second = print(settings_print, &settings);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, clear_scratch)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(without_any_file_everything_has_its_default),
        TEST(later_files_win_and_the_command_line_wins_over_all),
        TEST(drop_ins_are_read_in_byte_order_of_their_names),
        TEST(files_that_do_not_end_in_conf_or_are_hidden_are_not_drop_ins),
        TEST(one_named_file_replaces_the_four_and_has_drop_ins_of_its_own),
        TEST(a_named_file_that_is_missing_is_refused),
        TEST(a_directory_in_place_of_a_file_is_refused),
        TEST(origins_name_the_file_and_line_that_won),
        TEST(comments_blanks_indentation_and_windows_line_ends_are_fine),
        TEST(a_byte_order_mark_is_no_part_of_the_first_line),
        TEST(every_word_for_yes_and_no_is_read),
        TEST(both_ends_of_a_range_are_inside),
        TEST(a_text_of_the_greatest_length_is_read),
        TEST(an_unknown_section_is_refused_with_the_nearest),
        TEST(an_unknown_section_without_a_key_is_refused_too),
        TEST(an_unknown_key_is_refused_with_the_nearest),
        TEST(a_key_under_the_wrong_section_is_told_where_it_belongs),
        TEST(a_key_before_any_section_is_refused),
        TEST(a_line_that_is_neither_section_nor_assignment_is_refused),
        TEST(the_first_of_several_faults_is_reported),
        TEST(bytes_that_no_text_file_holds_are_refused),
        TEST(a_line_longer_than_any_setting_is_refused),
        TEST(an_unreadable_value_is_refused_with_what_came),
        TEST(numbers_in_disguise_are_refused),
        TEST(a_value_outside_its_range_is_refused),
        TEST(a_text_above_its_length_is_refused),
        TEST(an_address_with_scheme_or_port_is_refused),
        TEST(an_override_that_is_no_assignment_is_refused),
        TEST(an_override_is_checked_like_a_line),
        TEST(an_override_longer_than_any_value_is_refused),
        TEST(values_that_contradict_each_other_are_refused),
        TEST(ticks_need_custody_all_the_way),
        TEST(a_wave_shorter_than_the_minimum_green_is_refused),
        TEST(a_maximum_red_without_room_for_the_longest_green_is_refused),
        TEST(a_contradiction_between_files_names_both_lines),
        TEST(printed_settings_load_to_the_same_values),
        TEST(printed_settings_carry_sentence_range_unit_and_default),
        TEST(origins_are_one_line_for_each_setting),
        TEST(the_manual_has_every_section_and_key),
        TEST(the_installed_file_is_accepted_and_changes_nothing),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
