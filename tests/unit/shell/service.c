/* A whole daemon made of a small ServiceSpec, started as a process of its own and seen as systemd sees it:
 * exit status, notifications, watchdog, what it prints. */
#include "base/macro.h"
#include "shell/fault-point.h"
#include "shell/link.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_SEC = 20, ARGUMENTS_MAX = 16 };

#define CITY                                                                                                 \
    "{\"name\": \"Test\", \"grid\": {\"rows\": [\"A\", \"B\"], \"columns\": [1, 2]},"                        \
    " \"sensors\": {\"cameras\": [{\"sensor_id\": \"CAM-A1\", \"interseccion\": \"INT-A1\"}]}}"

/* --- the daemon --- */

/* What the daemon does is steered by the environment: it is another process. */
static bool is_sound(void *userdata, Mono now, Problem *problem) {
    (void)userdata;
    (void)now;
    if (access(getenv("UNSOUND"), F_OK) < 0)
        return true;
    problem_set(problem, -EIO, "the file UNSOUND exists");
    return false;
}

static int tell_statuses(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    (void)now;
    for (unsigned i = 1; i <= 50; i++)
        service_status(userdata, "status %u", i);
    return 0;
}

typedef struct State {
    Service *service;
    Timer *timer, *drained_timer;
} State;

static int on_drained(Timer *timer, Mono now, void *userdata) {
    (void)timer;
    (void)now;
    fprintf(stderr, "what was under way has arrived\n");
    service_exit(userdata, EXIT_SUCCESS);
    return 0;
}

/* $DRAIN: "nothing" is under way, something that arrives "soon", or that "never" does. */
static bool drain(void *userdata) {
    State *state = userdata;
    const char *way = getenv("DRAIN");
    fprintf(stderr, "draining\n");
    if (way && strcmp(way, "soon") == 0)
        timer_set(state->drained_timer, mono_after(service_now(state->service), 50 * USEC_PER_MSEC));
    return !way || strcmp(way, "nothing") == 0;
}

/* $PASSAGES, a letter each: before a commit, after it, after an acknowledgement. */
static void pass_fault_points(void) {
    const char *passages = getenv("PASSAGES");
    for (; passages && *passages; passages++) {
        fault_point(*passages == 'b'   ? FAULT_BEFORE_COMMIT
                    : *passages == 'c' ? FAULT_AFTER_COMMIT
                                       : FAULT_AFTER_ACK);
        fprintf(stderr, "passed %c\n", *passages);
    }
}

static int start(Service *service, void **ret_state, Problem *problem) {
    const char *error = getenv("START_ERROR");
    State *state = calloc(1, sizeof *state);
    *ret_state = state;
    state->service = service;
    if (error)
        return problem_set(problem, -atoi(error), "told to fail");
    fprintf(stderr, "epoch %lld of %s in \"%s\"\n", (long long)service_epoch(service), service_name(service),
            service_state_dir(service));
    metric_add(metrics_counter(service_metrics(service), "traffic_test_total", "Test.", ""), 7);
    health_add(service_health(service), "soundness", is_sound, NULL);
    pass_fault_points();
    if (getenv("SUCCESSOR"))
        service_raise_epoch(service, atoll(getenv("SUCCESSOR")));
    int r = timer_new(service, on_drained, service, &state->drained_timer);
    if (r >= 0)
        r = timer_new(service, tell_statuses, service, &state->timer);
    if (r >= 0)
        timer_set(state->timer, service_now(service));
    return r;
}

static void stop(void *userdata) {
    State *state = userdata;
    if (state) {
        timer_free(state->timer);
        timer_free(state->drained_timer);
    }
    free(state);
    fprintf(stderr, "stopped in order\n");
}

static const ServiceSpec spec = {.name = "traffic-store",
                                 .summary = "Does nothing, in order.",
                                 .instances = "primary|replica",
                                 .start = start,
                                 .drain = drain,
                                 .stop = stop};

/* --- the bench --- */

typedef struct Bench {
    char directory[64], city[96], output[96], unsound[96], runtime[96];
    int notify_fd;
    pid_t pid;
} Bench;

static void write_file(const char *path, const char *text) {
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void open_notify_socket(Bench *bench) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = WAIT_SEC};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", bench->directory);
    bench->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bench->notify_fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(bench->notify_fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static int set_up(void **state) {
    Bench *bench = calloc(1, sizeof *bench);
    snprintf(bench->directory, sizeof bench->directory, "/tmp/service-test-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    snprintf(bench->city, sizeof bench->city, "%s/city.json", bench->directory);
    snprintf(bench->output, sizeof bench->output, "%s/output", bench->directory);
    snprintf(bench->unsound, sizeof bench->unsound, "%s/unsound", bench->directory);
    snprintf(bench->runtime, sizeof bench->runtime, "%s/metrics", bench->directory);
    assert_int_equal(mkdir(bench->runtime, 0755), 0);
    write_file(bench->city, CITY);
    open_notify_socket(bench);
    setenv("UNSOUND", bench->unsound, 1);
    unsetenv("START_ERROR");
    unsetenv("STATE_DIRECTORY");
    unsetenv("WATCHDOG_USEC");
    unsetenv("DRAIN");
    unsetenv("TRAFFIC_FAULT");
    unsetenv("PASSAGES");
    unsetenv("SUCCESSOR");
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    Bench *bench = *state;
    char command[128];
    if (bench->pid > 0) {
        kill(bench->pid, SIGKILL);
        waitpid(bench->pid, NULL, 0);
    }
    close(bench->notify_fd);
    snprintf(command, sizeof command, "rm -r %s", bench->directory);
    int r = system(command);
    free(bench);
    return r;
}

/* Starts the daemon with these arguments (NULL at the end) after those that every test gives. */
static void launch(Bench *bench, const char *argument, ...) {
    char city[128], config[128];
    char *arguments[ARGUMENTS_MAX] = {
        "traffic-store", "--runtime-dir", bench->directory, "--config", config, "--set", city};
    size_t n = 7;
    va_list list;

    snprintf(city, sizeof city, "city.file=%s", bench->city);
    snprintf(config, sizeof config, "%s/traffic.conf", bench->directory);
    write_file(config, "[network]\npc1 = 10.0.0.1\n");
    va_start(list, argument);
    for (; argument; argument = va_arg(list, const char *))
        arguments[n++] = (char *)argument;
    va_end(list);

    fflush(NULL);
    bench->pid = fork();
    assert_true(bench->pid >= 0);
    if (bench->pid == 0) {
        if (!freopen(bench->output, "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
            _exit(99);
        exit(service_main(&spec, (int)n, arguments));
    }
}

static int exit_status(Bench *bench) {
    int status;
    assert_int_equal(waitpid(bench->pid, &status, 0), bench->pid);
    bench->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void read_output(const Bench *bench, char *text, size_t size) {
    FILE *in = fopen(bench->output, "r");
    assert_non_null(in);
    text[fread(text, 1, size - 1, in)] = '\0';
    fclose(in);
}

static void assert_output_has(const Bench *bench, const char *sentence) {
    char text[8192];
    read_output(bench, text, sizeof text);
    if (!strstr(text, sentence))
        fail_msg("expected \"%s\" in:\n%s", sentence, text);
}

static void assert_output_lacks(const Bench *bench, const char *sentence) {
    char text[8192];
    read_output(bench, text, sizeof text);
    if (strstr(text, sentence))
        fail_msg("expected no \"%s\" in:\n%s", sentence, text);
}

/* The next notification; "" when none comes within the socket's timeout. */
static const char *next_notification(const Bench *bench) {
    static char text[512];
    ssize_t size = recv(bench->notify_fd, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void wait_notification(const Bench *bench, const char *expected) {
    const char *text;
    do {
        text = next_notification(bench);
        if (!*text)
            fail_msg("waited %d s in vain for %s", WAIT_SEC, expected);
    } while (strcmp(text, expected) != 0);
}

static void end_in_order(Bench *bench) {
    kill(bench->pid, SIGTERM);
    assert_int_equal(exit_status(bench), 0);
}

/* --- configuration --- */

static void check_says_what_it_checked(void **state) {
    Bench *bench = *state;
    launch(bench, "--check", "--state-dir", bench->directory, "primary", NULL);
    assert_int_equal(exit_status(bench), 0);
    assert_output_has(bench, "traffic-store@primary: the configuration is good\n");
    assert_output_has(bench, " 1 from --set\n");
    assert_output_has(bench, " built in\n");
    assert_output_has(bench, "\"Test\", 4 intersections, 1 camera, 0 inductive, 0 gps sensors\n");
    assert_output_has(bench, "link        store.primary on TCP port 5563");
    assert_output_has(bench, "is writable\n");
}

static void a_wrong_setting_ends_with_78_and_a_sentence(void **state) {
    Bench *bench = *state;
    launch(bench, "--set", "signal.green_sec=0", "primary", NULL);
    assert_int_equal(exit_status(bench), 78);
    assert_output_has(bench, "configuration refused: ");
    assert_output_has(bench, "green_sec");
}

static void a_missing_city_ends_with_78_and_its_name(void **state) {
    Bench *bench = *state;
    unlink(bench->city);
    launch(bench, "--check", "primary", NULL);
    assert_int_equal(exit_status(bench), 78);
    assert_output_has(bench, bench->city);
}

static void a_state_directory_that_is_not_there_fails_the_check(void **state) {
    Bench *bench = *state;
    launch(bench, "--check", "--state-dir", "/nonexistent/state", "primary", NULL);
    assert_int_equal(exit_status(bench), 78);
    assert_output_has(bench, "/nonexistent/state");
}

static void a_missing_or_unknown_instance_is_a_usage_error(void **state) {
    Bench *bench = *state;
    launch(bench, NULL);
    assert_int_equal(exit_status(bench), 64);
    assert_output_has(bench, "expected one of primary|replica");
    launch(bench, "primar", NULL);
    assert_int_equal(exit_status(bench), 64);
    assert_output_has(bench, "expected one of primary|replica, got \"primar\"");
    launch(bench, "primary", "replica", NULL);
    assert_int_equal(exit_status(bench), 64);
}

static void printing_needs_no_instance(void **state) {
    Bench *bench = *state;
    launch(bench, "--print-endpoints", NULL);
    assert_int_equal(exit_status(bench), 0);
    assert_output_has(bench, "store.primary");
    launch(bench, "--print-settings", NULL);
    assert_int_equal(exit_status(bench), 0);
    assert_output_has(bench, "pc1 = 10.0.0.1");
    launch(bench, "--version", NULL);
    assert_int_equal(exit_status(bench), 0);
    assert_output_has(bench, "traffic-store " PROJECT_VERSION "\n");
}

/* --- life --- */

static void a_start_that_is_misconfigured_ends_with_78_and_any_other_failure_with_1(void **state) {
    Bench *bench = *state;
    setenv("START_ERROR", "22", 1); /* EINVAL */
    launch(bench, "primary", NULL);
    assert_int_equal(exit_status(bench), 78);
    assert_output_has(bench, "traffic-store@primary cannot start: told to fail");
    assert_output_has(bench, "stopped in order");
    setenv("START_ERROR", "5", 1); /* EIO */
    launch(bench, "primary", NULL);
    assert_int_equal(exit_status(bench), 1);
}

static void ready_is_told_after_start_and_stopping_on_the_signal(void **state) {
    static const int signals[] = {SIGTERM, SIGINT};
    Bench *bench = *state;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        launch(bench, "primary", NULL);
        wait_notification(bench, "READY=1");
        assert_output_has(bench, "of traffic-store@primary in \"\"");
        kill(bench->pid, signals[i]);
        wait_notification(bench, "STOPPING=1");
        assert_int_equal(exit_status(bench), 0);
        assert_output_has(bench, "stopped in order");
    }
}

static void what_is_under_way_may_arrive_before_the_end(void **state) {
    Bench *bench = *state;
    setenv("DRAIN", "soon", 1);
    launch(bench, "primary", NULL);
    wait_notification(bench, "READY=1");
    kill(bench->pid, SIGTERM);
    wait_notification(bench, "STOPPING=1");
    assert_int_equal(exit_status(bench), 0);
    assert_output_has(bench, "draining\nwhat was under way has arrived\nstopped in order");
}

static void what_never_arrives_is_not_waited_for(void **state) {
    Bench *bench = *state;
    setenv("DRAIN", "never", 1);
    launch(bench, "primary", NULL);
    wait_notification(bench, "READY=1");
    kill(bench->pid, SIGTERM);
    wait_notification(bench, "STOPPING=1");
    assert_int_equal(exit_status(bench), 0);
    assert_output_has(bench, "draining\nstopped in order");
}

static void a_second_signal_ends_at_once(void **state) {
    Bench *bench = *state;
    setenv("DRAIN", "soon", 1);
    launch(bench, "primary", NULL);
    wait_notification(bench, "READY=1");
    kill(bench->pid, SIGTERM);
    wait_notification(bench, "STOPPING=1");
    kill(bench->pid, SIGINT);
    assert_int_equal(exit_status(bench), 0);
    assert_output_has(bench, "draining\nstopped in order");
}

/* --- fault points --- */

static void a_service_kills_itself_at_the_passage_that_it_was_told(void **state) {
    Bench *bench = *state;
    int status;
    setenv("TRAFFIC_FAULT", "after-commit:2", 1);
    setenv("PASSAGES", "bcabca", 1);
    launch(bench, "primary", NULL);
    assert_int_equal(waitpid(bench->pid, &status, 0), bench->pid);
    bench->pid = 0;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_output_has(bench, "kills itself at passage 2 of after-commit");
    assert_output_has(bench, "passed b\npassed c\npassed a\npassed b\n");
    assert_output_lacks(bench, "passed c\npassed a\npassed b\npassed c");
}

static void a_fault_that_there_is_not_ends_with_78(void **state) {
    static const char *const wrong[] = {"after-comit:1",   "after-commit", "after-commit:",  "after-commit:0",
                                        "after-commit:1x", ":1",           "after-commit:-1"};
    Bench *bench = *state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        setenv("TRAFFIC_FAULT", wrong[i], 1);
        launch(bench, "primary", NULL);
        assert_int_equal(exit_status(bench), 78);
        assert_output_has(bench, wrong[i]);
    }
}

/* --- a life --- */

static void the_life_after_another_writer_is_above_it(void **state) {
    Bench *bench = *state;
    setenv("SUCCESSOR", "5000000000000000", 1);
    launch(bench, "--state-dir", bench->directory, "primary", NULL);
    wait_notification(bench, "READY=1");
    end_in_order(bench);
    unsetenv("SUCCESSOR");
    launch(bench, "--state-dir", bench->directory, "primary", NULL);
    wait_notification(bench, "READY=1");
    end_in_order(bench);
    assert_output_has(bench, "epoch 5000000000000001 of");
}

static void the_last_status_is_told_and_those_within_a_second_are_not(void **state) {
    Bench *bench = *state;
    launch(bench, "primary", NULL);
    wait_notification(bench, "READY=1");
    assert_string_equal(next_notification(bench), "STATUS=status 1");
    assert_string_equal(next_notification(bench), "STATUS=status 50");
    end_in_order(bench);
}

static void each_life_has_a_greater_epoch(void **state) {
    Bench *bench = *state;
    char file[96], expected[64];
    snprintf(file, sizeof file, "%s/epoch", bench->directory);
    write_file(file, "4000000000000000\n"); /* the year 2096: the wall clock was once far ahead */
    for (unsigned i = 1; i <= 2; i++) {
        launch(bench, "--state-dir", bench->directory, "primary", NULL);
        wait_notification(bench, "READY=1");
        end_in_order(bench);
        snprintf(expected, sizeof expected, "epoch 400000000000000%u of", i);
        assert_output_has(bench, expected);
    }
}

static void the_state_directory_of_systemd_is_used(void **state) {
    Bench *bench = *state;
    char expected[128], directories[160];
    snprintf(directories, sizeof directories, "%s:/second", bench->directory);
    snprintf(expected, sizeof expected, "in \"%s\"", bench->directory);
    setenv("STATE_DIRECTORY", directories, 1);
    launch(bench, "primary", NULL);
    wait_notification(bench, "READY=1");
    end_in_order(bench);
    assert_output_has(bench, expected);
}

static void counters_are_written_where_the_collector_reads_them(void **state) {
    Bench *bench = *state;
    char path[160], line[256];
    bool is_found = false;
    launch(bench, "primary", NULL);
    wait_notification(bench, "READY=1");
    end_in_order(bench);
    snprintf(path, sizeof path, "%s/traffic-store@primary.prom", bench->runtime);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in))
        is_found |= strcmp(line, "traffic_test_total{service=\"traffic-store@primary\"} 7\n") == 0;
    fclose(in);
    assert_true(is_found);
}

static void the_watchdog_is_petted_only_while_every_invariant_holds(void **state) {
    Bench *bench = *state;
    struct timeval while_unsound = {.tv_sec = 1};
    setenv("WATCHDOG_USEC", "200000", 1);
    launch(bench, "primary", NULL);
    wait_notification(bench, "WATCHDOG=1");
    wait_notification(bench, "WATCHDOG=1");

    write_file(bench->unsound, "");
    setsockopt(bench->notify_fd, SOL_SOCKET, SO_RCVTIMEO, &while_unsound, sizeof while_unsound);
    unsigned n_late = 0;
    while (*next_notification(bench)) /* what was on its way, then a second (ten periods) of nothing */
        if (++n_late > 5)
            fail_msg("petted although an invariant fails");
    assert_output_has(bench, "soundness does not hold: the file UNSOUND exists");

    unlink(bench->unsound);
    struct timeval again = {.tv_sec = WAIT_SEC};
    setsockopt(bench->notify_fd, SOL_SOCKET, SO_RCVTIMEO, &again, sizeof again);
    wait_notification(bench, "WATCHDOG=1");
    assert_output_has(bench, "soundness holds again");
    end_in_order(bench);
}

#define SERVICE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    unsetenv("JOURNAL_STREAM");
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(check_says_what_it_checked),
        SERVICE_TEST(a_wrong_setting_ends_with_78_and_a_sentence),
        SERVICE_TEST(a_missing_city_ends_with_78_and_its_name),
        SERVICE_TEST(a_state_directory_that_is_not_there_fails_the_check),
        SERVICE_TEST(a_missing_or_unknown_instance_is_a_usage_error),
        SERVICE_TEST(printing_needs_no_instance),
        SERVICE_TEST(a_start_that_is_misconfigured_ends_with_78_and_any_other_failure_with_1),
        SERVICE_TEST(ready_is_told_after_start_and_stopping_on_the_signal),
        SERVICE_TEST(what_is_under_way_may_arrive_before_the_end),
        SERVICE_TEST(what_never_arrives_is_not_waited_for),
        SERVICE_TEST(a_second_signal_ends_at_once),
        SERVICE_TEST(a_service_kills_itself_at_the_passage_that_it_was_told),
        SERVICE_TEST(a_fault_that_there_is_not_ends_with_78),
        SERVICE_TEST(the_life_after_another_writer_is_above_it),
        SERVICE_TEST(the_last_status_is_told_and_those_within_a_second_are_not),
        SERVICE_TEST(each_life_has_a_greater_epoch),
        SERVICE_TEST(the_state_directory_of_systemd_is_used),
        SERVICE_TEST(counters_are_written_where_the_collector_reads_them),
        SERVICE_TEST(the_watchdog_is_petted_only_while_every_invariant_holds),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
