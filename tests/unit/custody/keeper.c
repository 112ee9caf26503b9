/* A spool in a running service: when it is committed, and what becomes of everything that can go wrong
 * with its file. */
#include "custody/keeper.h"
#include "harness.h"
#include "shell/health-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FRAME_BYTES = 1024 };

typedef struct Bench {
    char directory[64], path[96];
    Settings settings;
    Service *service;
    Keeper *keeper;
    KeeperReader reader;
    Intake intake;
    uint64_t max_bytes, commit_usec;
    unsigned n_committed; /* calls of on_committed */
    bool flows;
    unsigned n_edges;
    int error_fd; /* what is told meanwhile goes there */
    int saved_stderr;
} Bench;

/* --- the bench --- */

static void on_committed(void *userdata) {
    ((Bench *)userdata)->n_committed++;
}

static void on_flow(bool can_take, void *userdata) {
    Bench *bench = userdata;
    assert_int_not_equal(can_take, bench->flows); /* edges only */
    bench->flows = can_take;
    bench->n_edges++;
}

static int open_keeper(Bench *bench, Problem *problem) {
    static const char *const readers[] = {"analytics", NULL};
    const KeeperSpec spec = {.name = "spool",
                             .readers = readers,
                             .max_bytes = bench->max_bytes,
                             .commit_usec = bench->commit_usec,
                             .handlers = {.on_committed = on_committed, .on_flow = on_flow},
                             .userdata = bench};
    int r = keeper_new(bench->service, &spec, &bench->keeper, problem);
    bench->reader = (KeeperReader){.keeper = bench->keeper};
    return r;
}

static void start(Bench *bench) {
    const ServiceOptions options = {.name = "traffic-test",
                                    .settings = &bench->settings,
                                    .state_dir = bench->directory,
                                    .runtime_dir = "/nonexistent"};
    Problem problem = {""};
    bench->flows = true;
    if (service_new(&options, &bench->service, &problem) < 0 || open_keeper(bench, &problem) < 0)
        fail_msg("%s", problem.text);
}

static void stop(Bench *bench) {
    bench->keeper = keeper_free(bench->keeper);
    bench->service = service_free(bench->service);
}

static void listen_to_the_journal(Bench *bench) {
    char path[] = "/tmp/keeper-journal-XXXXXX";
    bench->error_fd = mkstemp(path);
    unlink(path);
    bench->saved_stderr = dup(STDERR_FILENO);
    dup2(bench->error_fd, STDERR_FILENO);
}

static void stop_listening(Bench *bench) {
    if (bench->error_fd < 0)
        return;
    dup2(bench->saved_stderr, STDERR_FILENO);
    close(bench->saved_stderr);
    close(bench->error_fd);
    bench->error_fd = -1;
}

static unsigned times_told(const Bench *bench, const char *words) {
    char text[4096];
    unsigned n = 0;
    ssize_t size = pread(bench->error_fd, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    for (const char *at = text; (at = strstr(at, words)); at++)
        n++;
    return n;
}

static int set_up(void **state) {
    Bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    *bench = (Bench){.directory = "/tmp/keeper-test-XXXXXX",
                     .settings = {.bind_address = "127.0.0.1", .custody_alarm_percent = 80},
                     .max_bytes = 1 << 30,
                     .commit_usec = 2 * USEC_PER_MSEC,
                     .error_fd = -1};
    assert_non_null(mkdtemp(bench->directory));
    (void)snprintf(bench->path, sizeof bench->path, "%s/spool.db", bench->directory);
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    Bench *bench = *state;
    char command[96];
    stop_listening(bench);
    stop(bench);
    (void)snprintf(command, sizeof command, "rm -r %s", bench->directory);
    int r = system(command);
    free(bench);
    return r;
}

static int append(Bench *bench) {
    char frame[FRAME_BYTES];
    memset(frame, 'x', sizeof frame);
    return keeper_append(bench->keeper, frame, sizeof frame);
}

static void append_some(Bench *bench, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(append(bench), 0);
}

static double metric(const Bench *bench, const char *name) {
    return counter(bench->service, name, "spool=\"spool\"");
}

static bool all_is_committed(void *userdata) {
    const Spool *spool = keeper_spool(((Bench *)userdata)->keeper);
    return spool_committed(spool) == spool_last(spool) && !spool_is_dirty(spool);
}

static bool flows(void *userdata) {
    return ((Bench *)userdata)->flows;
}

static bool has_stopped(void *userdata) {
    return !((Bench *)userdata)->flows;
}

static int read_at(Bench *bench, uint64_t position) {
    const char *frame;
    size_t size;
    int r = keeper_read(&bench->reader, position, &frame, &size);
    if (r > 0)
        assert_int_equal(size, FRAME_BYTES);
    return r;
}

/* --- when --- */

static void what_is_appended_is_committed_soon_and_can_be_read_then(void **state) {
    Bench *bench = *state;
    start(bench);
    append_some(bench, 1);
    assert_int_equal(read_at(bench, 1), 0);
    run_until(bench->service, all_is_committed, bench);
    assert_int_equal(bench->n_committed, 1);
    assert_int_equal(read_at(bench, 1), 1);
    assert_int_equal(read_at(bench, 2), 0);
}

static void frames_of_the_same_moment_share_a_commit(void **state) {
    Bench *bench = *state;
    bench->commit_usec = 100 * USEC_PER_MSEC;
    start(bench);
    append_some(bench, 10);
    assert_int_equal(keeper_end_batch(bench->keeper), 0);
    append_some(bench, 10);
    run_until(bench->service, all_is_committed, bench);
    assert_true(metric(bench, "traffic_spool_commits_total") == 1);
}

static void what_somebody_waits_for_is_committed_with_this_batch(void **state) {
    Bench *bench = *state;
    bench->commit_usec = USEC_PER_SEC;
    start(bench);
    append_some(bench, 3);
    assert_int_equal(keeper_end_batch(bench->keeper), 0);
    assert_int_equal(bench->n_committed, 0);
    keeper_hurry(bench->keeper);
    assert_int_equal(keeper_end_batch(bench->keeper), 0);
    assert_int_equal(bench->n_committed, 1);
    append_some(bench, 1); /* and the next one waits again */
    assert_int_equal(keeper_end_batch(bench->keeper), 0);
    assert_int_equal(bench->n_committed, 1);
}

static void a_thousand_frames_do_not_wait(void **state) {
    Bench *bench = *state;
    bench->commit_usec = USEC_PER_SEC;
    start(bench);
    append_some(bench, 999);
    assert_int_equal(keeper_end_batch(bench->keeper), 0);
    assert_int_equal(bench->n_committed, 0);
    append_some(bench, 1);
    assert_int_equal(keeper_end_batch(bench->keeper), 0);
    assert_int_equal(bench->n_committed, 1);
    assert_true(all_is_committed(bench));
}

static void an_idle_keeper_writes_nothing(void **state) {
    Bench *bench = *state;
    char log[112];
    struct stat before, after;
    (void)snprintf(log, sizeof log, "%s-wal", bench->path);
    start(bench);
    append_some(bench, 3);
    run_until(bench->service, all_is_committed, bench);
    assert_int_equal(stat(log, &before), 0);
    run_for(bench->service, 2500 * USEC_PER_MSEC);
    assert_int_equal(stat(log, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    assert_true(metric(bench, "traffic_spool_commits_total") == 1);
}

static bool is_clean(void *userdata) {
    return !spool_is_dirty(keeper_spool(((Bench *)userdata)->keeper));
}

static void acknowledgements_alone_wait_a_moment_and_are_kept_then(void **state) {
    Bench *bench = *state;
    start(bench);
    append_some(bench, 5);
    run_until(bench->service, all_is_committed, bench);
    keeper_acknowledge(&bench->reader, 1);
    run_for(bench->service, 200 * USEC_PER_MSEC);
    keeper_acknowledge(&bench->reader, 4);
    assert_false(is_clean(bench));
    run_until(bench->service, is_clean, bench);
    assert_true(metric(bench, "traffic_spool_commits_total") == 2);
    assert_int_equal(keeper_oldest(&bench->reader), 5);
    stop(bench);
    start(bench);
    assert_int_equal(keeper_oldest(&bench->reader), 5);
    assert_int_equal(read_at(bench, 5), 1);
}

static void the_end_commits_what_waits(void **state) {
    Bench *bench = *state;
    bench->commit_usec = USEC_PER_SEC;
    start(bench);
    append_some(bench, 5);
    stop(bench);
    start(bench);
    assert_int_equal(spool_committed(keeper_spool(bench->keeper)), 5);
}

/* A handler that fails between a frame's place in its stream and the frame: a cursor without its frame would
 * lose it. */
static void an_end_in_the_middle_of_work_commits_nothing(void **state) {
    Bench *bench = *state;
    Problem problem = {""};
    int code = 0;
    bench->commit_usec = USEC_PER_SEC;
    start(bench);
    intake_init(&bench->intake);
    assert_int_equal(spool_add_intake(keeper_spool(bench->keeper), "sensor.gps", &bench->intake, &problem),
                     0);
    (void)intake_judge(&bench->intake, &(Hop){.stream = 7, .epoch = 1, .position = 1, .oldest = 1});
    keeper_touch(bench->keeper);
    (void)sd_event_exit(service_event(bench->service), -ENOMEM);
    while (sd_event_run(service_event(bench->service), 0) >= 0)
        continue;
    assert_true(sd_event_get_exit_code(service_event(bench->service), &code) >= 0);
    stop(bench);
    start(bench);
    intake_init(&bench->intake);
    assert_int_equal(spool_add_intake(keeper_spool(bench->keeper), "sensor.gps", &bench->intake, &problem),
                     0);
    assert_null(intake_newest(&bench->intake));
}

static void a_cursor_alone_is_committed(void **state) {
    Bench *bench = *state;
    Problem problem = {""};
    start(bench);
    intake_init(&bench->intake);
    assert_int_equal(spool_add_intake(keeper_spool(bench->keeper), "sensor.gps", &bench->intake, &problem),
                     0);
    (void)intake_judge(&bench->intake, &(Hop){.stream = 7, .epoch = 1, .position = 1, .oldest = 1});
    keeper_touch(bench->keeper);
    run_until(bench->service, all_is_committed, bench);
    assert_int_equal(intake_newest(&bench->intake)->committed, 1);
    assert_int_equal(bench->n_committed, 1);
}

static void a_stream_that_was_made_new_is_kept(void **state) {
    Bench *bench = *state;
    start(bench);
    uint64_t first = keeper_stream(&bench->reader), second = keeper_renew_stream(&bench->reader);
    assert_int_not_equal(first, second);
    assert_int_equal(keeper_stream(&bench->reader), second);
    run_until(bench->service, all_is_committed, bench);
    stop(bench);
    start(bench);
    assert_int_equal(keeper_stream(&bench->reader), second);
}

/* systemd ends a start after a minute, and after the next one again: a large file on a slow disk would never
 * be open. */
static void a_start_asks_for_the_time_that_reading_the_file_takes(void **state) {
    Bench *bench = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat file;
    char text[64] = "";
    unsigned long long usec = 0;
    start(bench);
    append_some(bench, 10000);
    run_until(bench->service, all_is_committed, bench);
    stop(bench);
    assert_int_equal(stat(bench->path, &file), 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", bench->directory);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    start(bench);
    unsetenv("NOTIFY_SOCKET");
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    close(fd);
    assert_int_equal(sscanf(text, "EXTEND_TIMEOUT_USEC=%llu", &usec), 1);
    unsigned long long least = 60 * USEC_PER_SEC + (unsigned long long)file.st_size / 5;
    assert_in_range(usec, least, least + USEC_PER_SEC);
}

static void without_a_state_directory_there_is_no_keeper(void **state) {
    Bench *bench = *state;
    Problem problem = {""};
    bench->service = make_service("traffic-test", NULL);
    assert_int_equal(open_keeper(bench, &problem), -EINVAL);
    assert_non_null(strstr(problem.text, "--state-dir"));
}

/* --- trouble --- */

static sqlite3 *lock_file(const Bench *bench) {
    sqlite3 *other;
    assert_int_equal(sqlite3_open(bench->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return other;
}

static void a_file_that_is_locked_stops_the_flow_until_it_is_free(void **state) {
    Bench *bench = *state;
    start(bench);
    append_some(bench, 3);
    run_until(bench->service, all_is_committed, bench);
    listen_to_the_journal(bench);
    sqlite3 *other = lock_file(bench);
    append_some(bench, 3);
    run_until(bench->service, has_stopped, bench);
    run_for(bench->service, USEC_PER_SEC); /* several attempts, one entry */
    assert_false(keeper_can_take(bench->keeper));
    assert_false(keeper_can_commit(bench->keeper));
    assert_non_null(strstr(keeper_trouble(bench->keeper), "locked"));
    assert_int_equal(bench->n_committed, 1);
    assert_int_equal(append(bench), 0); /* it belonged to what was taken before */
    assert_true(metric(bench, "traffic_spool_commit_failures_total") > 1);
    sqlite3_close(other);
    run_until(bench->service, flows, bench);
    assert_true(all_is_committed(bench));
    assert_true(keeper_can_commit(bench->keeper));
    assert_string_equal(keeper_trouble(bench->keeper), "");
    assert_int_equal(spool_committed(keeper_spool(bench->keeper)), 7);
    assert_int_equal(times_told(bench, "cannot commit"), 1);
    assert_int_equal(times_told(bench, "commits again"), 1);
    assert_int_equal(bench->n_edges, 2);
}

/* No file of this process may grow beyond `bytes`. */
static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void after_an_error_of_the_disk_the_file_is_opened_anew_and_nothing_is_missing(void **state) {
    Bench *bench = *state;
    start(bench);
    append_some(bench, 3);
    run_until(bench->service, all_is_committed, bench);
    limit_files(1);
    append_some(bench, 3);
    run_until(bench->service, has_stopped, bench);
    run_for(bench->service, 500 * USEC_PER_MSEC);
    limit_files(RLIM_INFINITY);
    run_until(bench->service, flows, bench);
    for (uint64_t position = 1; position <= 6; position++)
        assert_int_equal(read_at(bench, position), 1);
    stop(bench);
    start(bench);
    assert_int_equal(spool_committed(keeper_spool(bench->keeper)), 6);
    assert_int_equal(read_at(bench, 6), 1);
}

/* The file, and its log as far as there is one. */
static void damage_file(const Bench *bench) {
    static const char *const endings[] = {"", "-wal"};
    char garbage[8192], path[112];
    memset(garbage, 0xA5, sizeof garbage);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        (void)snprintf(path, sizeof path, "%s%s", bench->path, endings[i]);
        int fd = open(path, O_WRONLY);
        assert_true(fd >= 0 || i > 0);
        if (fd >= 0)
            assert_int_equal(pwrite(fd, garbage, sizeof garbage, 0), sizeof garbage);
        close(fd);
    }
}

static bool has_ended(void *userdata) {
    return sd_event_get_state(service_event(((Bench *)userdata)->service)) == SD_EVENT_EXITING ||
           sd_event_get_state(service_event(((Bench *)userdata)->service)) == SD_EVENT_FINISHED;
}

static size_t n_files_aside(const Bench *bench) {
    char pattern[128];
    glob_t found;
    (void)snprintf(pattern, sizeof pattern, "%s.corrupt-*Z", bench->path);
    size_t n = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    if (n > 0)
        globfree(&found);
    return n;
}

static void a_damaged_file_is_moved_aside_at_start(void **state) {
    Bench *bench = *state;
    start(bench);
    append_some(bench, 3);
    stop(bench);
    damage_file(bench);
    listen_to_the_journal(bench);
    start(bench);
    assert_int_equal(n_files_aside(bench), 1);
    assert_int_equal(times_told(bench, "moved to"), 1);
    append_some(bench, 3);
    run_until(bench->service, all_is_committed, bench);
}

/* Met when the file is opened anew after an error. */
static void damage_that_shows_while_running_ends_the_process(void **state) {
    Bench *bench = *state;
    start(bench);
    append_some(bench, 3);
    run_until(bench->service, all_is_committed, bench);
    limit_files(1);
    append_some(bench, 3);
    run_until(bench->service, has_stopped, bench);
    limit_files(RLIM_INFINITY);
    damage_file(bench);
    run_until(bench->service, has_ended, bench);
    stop(bench);
    start(bench);
    assert_int_equal(n_files_aside(bench), 1);
}

static bool has_failed(void *userdata) {
    return metric(userdata, "traffic_spool_commit_failures_total") > 0;
}

/* What was acknowledged stands in that file alone. */
static void a_file_that_was_deleted_is_emptied_and_then_replaced(void **state) {
    Bench *bench = *state;
    start(bench);
    append_some(bench, 3);
    run_until(bench->service, all_is_committed, bench);
    assert_int_equal(unlink(bench->path), 0);
    append_some(bench, 1);
    run_until(bench->service, has_failed, bench);
    assert_int_equal(bench->n_committed, 1); /* so the fourth is not acknowledged */
    assert_false(keeper_can_take(bench->keeper));
    for (uint64_t position = 1; position <= 3; position++)
        assert_int_equal(read_at(bench, position), 1);
    keeper_acknowledge(&bench->reader, 3);
    run_until(bench->service, has_ended, bench);
    stop(bench);
    start(bench);
    assert_int_equal(spool_last(keeper_spool(bench->keeper)), 0);
}

static bool will_be_healthy_after(Bench *bench, uint64_t usec) {
    return health_holds(service_health(bench->service), mono_after(service_now(bench->service), usec));
}

/* The loop does not turn before the end, as if it had lost its timers. */
static void who_no_longer_tries_to_commit_is_not_healthy(void **state) {
    Bench *bench = *state;
    start(bench);
    listen_to_the_journal(bench);
    assert_true(will_be_healthy_after(bench, 100 * USEC_PER_SEC));
    append_some(bench, 1);
    assert_true(will_be_healthy_after(bench, 9 * USEC_PER_SEC));
    assert_false(will_be_healthy_after(bench, 10 * USEC_PER_SEC));
    assert_int_equal(times_told(bench, "1 frames wait and the last attempt"), 1);
    run_until(bench->service, all_is_committed, bench);
    assert_true(will_be_healthy_after(bench, 100 * USEC_PER_SEC));
}

/* --- full --- */

static void a_full_spool_stops_the_flow_and_keeps_room_for_what_was_taken(void **state) {
    Bench *bench = *state;
    bench->max_bytes = 100 * FRAME_BYTES;
    start(bench);
    append_some(bench, 99);
    assert_true(bench->flows);
    append_some(bench, 1);
    assert_true(keeper_used(bench->keeper) == 1);
    assert_false(bench->flows);
    assert_false(keeper_can_take(bench->keeper));
    assert_true(keeper_can_commit(bench->keeper));
    append_some(bench, 1024);
    assert_int_equal(append(bench), -ENOSPC);
    run_until(bench->service, all_is_committed, bench);
    assert_false(bench->flows);
    keeper_acknowledge(&bench->reader, 1000);
    run_until(bench->service, is_clean, bench);
    assert_false(bench->flows);
    keeper_acknowledge(&bench->reader, 1100);
    run_until(bench->service, flows, bench);
    append_some(bench, 1);
}

static bool has_stopped_flowing(void *userdata) {
    return !((Bench *)userdata)->flows;
}

/* Its limit was lowered since: what comes must not meet a spool that has no room at all. */
static void a_spool_that_is_full_at_start_takes_nothing_until_it_is_read(void **state) {
    Bench *bench = *state;
    start(bench);
    append_some(bench, 2000);
    run_until(bench->service, all_is_committed, bench);
    stop(bench);
    bench->max_bytes = 100 * FRAME_BYTES;
    start(bench);
    run_until(bench->service, has_stopped_flowing, bench);
    assert_false(keeper_can_take(bench->keeper));
    assert_int_equal(append(bench), -ENOSPC);
    keeper_acknowledge(&bench->reader, 2000);
    run_until(bench->service, flows, bench);
    append_some(bench, 1);
}

static void the_alarm_is_told_once_and_its_end_too(void **state) {
    Bench *bench = *state;
    bench->max_bytes = 100 * FRAME_BYTES;
    start(bench);
    listen_to_the_journal(bench);
    append_some(bench, 79);
    assert_int_equal(times_told(bench, "are used"), 0);
    append_some(bench, 10);
    run_until(bench->service, all_is_committed, bench);
    assert_int_equal(times_told(bench, "are used"), 1);
    keeper_acknowledge(&bench->reader, 10); /* 79 are left: no news */
    run_until(bench->service, is_clean, bench);
    append_some(bench, 5);
    assert_int_equal(times_told(bench, "are used"), 1);
    keeper_acknowledge(&bench->reader, 30);
    run_until(bench->service, is_clean, bench);
    assert_int_equal(times_told(bench, "alarm is over"), 1);
    append_some(bench, 20);
    assert_int_equal(times_told(bench, "MiB are used"), 2);
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(what_is_appended_is_committed_soon_and_can_be_read_then),
        KEEPER_TEST(frames_of_the_same_moment_share_a_commit),
        KEEPER_TEST(what_somebody_waits_for_is_committed_with_this_batch),
        KEEPER_TEST(a_thousand_frames_do_not_wait),
        KEEPER_TEST(an_idle_keeper_writes_nothing),
        KEEPER_TEST(acknowledgements_alone_wait_a_moment_and_are_kept_then),
        KEEPER_TEST(the_end_commits_what_waits),
        KEEPER_TEST(an_end_in_the_middle_of_work_commits_nothing),
        KEEPER_TEST(a_cursor_alone_is_committed),
        KEEPER_TEST(a_stream_that_was_made_new_is_kept),
        KEEPER_TEST(a_start_asks_for_the_time_that_reading_the_file_takes),
        KEEPER_TEST(without_a_state_directory_there_is_no_keeper),
        KEEPER_TEST(a_file_that_is_locked_stops_the_flow_until_it_is_free),
        KEEPER_TEST(after_an_error_of_the_disk_the_file_is_opened_anew_and_nothing_is_missing),
        KEEPER_TEST(a_damaged_file_is_moved_aside_at_start),
        KEEPER_TEST(damage_that_shows_while_running_ends_the_process),
        KEEPER_TEST(a_file_that_was_deleted_is_emptied_and_then_replaced),
        KEEPER_TEST(who_no_longer_tries_to_commit_is_not_healthy),
        KEEPER_TEST(a_full_spool_stops_the_flow_and_keeps_room_for_what_was_taken),
        KEEPER_TEST(a_spool_that_is_full_at_start_takes_nothing_until_it_is_read),
        KEEPER_TEST(the_alarm_is_told_once_and_its_end_too),
    };
    return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
