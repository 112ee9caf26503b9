/* A network that is cut in silence: packets vanish, and no process hears of it. The writer is here, its
 * reader a child in a network namespace of its own, at the other end of a bridge whose port goes down.
 *
 * Nothing is timed. What a dead connection costs shows in whether it is given up while the network is
 * still cut: left to itself TCP would take a quarter of an hour. TRAFFIC_CUT_SEC=20 makes the cuts that
 * long, and prints how soon after it data flow again. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HERE      "10.98.0.1"
#define THERE     "10.98.0.2"
#define BEAT_USEC (20 * USEC_PER_MSEC)

typedef struct Bench {
    Service *service;
    Link *link;
    Timer *timer;
    pid_t reader;
    int frames; /* a byte from the reader for each frame that came */
    unsigned n_frames, n_connected;
    double n_cut; /* connections given up before the test began to count */
} Bench;

static void shell(const char *command) {
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* --- the reader, in a process of its own --- */

static int report(Link *link, const LinkFrame *frame, void *userdata) {
    (void)link, (void)frame;
    return write(*(int *)userdata, ".", 1) == 1 ? 0 : -EIO;
}

static void read_for_ever(EndpointId id, bool binds, Protocol protocol, int ready, int frames) {
    static const LinkHandlers handlers = {.on_frame = report};
    Settings settings = {.pc1 = HERE, .pc2 = HERE, .pc3 = HERE, .bind_address = "*"};
    settings.protocol_analytics = settings.protocol_primary = protocol;
    const ServiceOptions options = {.name = "reader", .settings = &settings, .runtime_dir = "/nonexistent"};
    Service *service;
    Link *link;
    Problem problem;
    char go;
    if (read(ready, &go, 1) != 1 ||
        system("ip link set lo up && ip addr add " THERE "/24 dev there && "
               "ip link set there up") != 0 ||
        service_new(&options, &service, &problem) < 0 ||
        (binds ? link_bind : link_connect)(service, id, &handlers, &frames, &link, &problem) < 0)
        _exit(1);
    _exit(sd_event_loop(service_event(service)) < 0);
}

static void start_reader(Bench *bench, EndpointId id, bool binds, Protocol protocol) {
    int ready[2], frames[2], entered[2];
    char command[128], byte;
    assert_int_equal(pipe2(ready, O_CLOEXEC) + pipe2(frames, O_CLOEXEC) + pipe2(entered, O_CLOEXEC), 0);
    fflush(NULL);
    bench->reader = fork();
    assert_true(bench->reader >= 0);
    if (bench->reader == 0) {
        if (unshare(CLONE_NEWNET) < 0 || write(entered[1], ".", 1) != 1)
            _exit(1);
        read_for_ever(id, binds, protocol, ready[0], frames[1]);
    }
    assert_int_equal(read(entered[0], &byte, 1), 1);
    (void)snprintf(command, sizeof command,
                   "ip link add port type veth peer name there netns %d && "
                   "ip link set port master bridge && ip link set port up",
                   (int)bench->reader);
    shell(command);
    assert_int_equal(write(ready[1], ".", 1), 1);
    close(ready[0]), close(ready[1]), close(entered[0]), close(entered[1]), close(frames[1]);
    bench->frames = frames[0];
    assert_int_equal(fcntl(bench->frames, F_SETFL, O_NONBLOCK), 0);
}

/* --- the bench --- */

static int beat(Timer *timer, Mono now, void *userdata) {
    Bench *bench = userdata;
    (void)link_send(bench->link, "camara {}", 9);
    timer_set(timer, mono_after(now, BEAT_USEC));
    return 0;
}

static int set_up(void **state) {
    Bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    /* The second port keeps the bridge itself going while the first is down. */
    shell("ip link add bridge type bridge && ip link add other type veth peer name end && "
          "ip link set other master bridge && ip link set other up && ip link set end up && "
          "ip addr add " HERE "/24 dev bridge && ip link set bridge up");
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    Bench *bench = *state;
    if (bench->reader > 0) {
        kill(bench->reader, SIGKILL);
        waitpid(bench->reader, NULL, 0);
        close(bench->frames);
    }
    timer_free(bench->timer);
    link_free(bench->link);
    service_free(bench->service);
    free(bench);
    (void)!system("ip link del port 2>/dev/null; ip link del other; ip link del bridge");
    return 0;
}

/* Asked for, so that a link that connects counts those that end. */
static void count_connection(Link *link, void *userdata) {
    (void)link;
    ((Bench *)userdata)->n_connected++;
}

static void begin(Bench *bench, EndpointId id, Protocol protocol) {
    static const LinkHandlers handlers = {0};
    bool binds = endpoints[id].bind_pattern == WIRE_XPUB;
    Settings settings = {.pc1 = THERE, .pc2 = THERE, .pc3 = THERE, .bind_address = "*"};
    settings.protocol_analytics = settings.protocol_primary = protocol;
    const ServiceOptions options = {.name = "writer", .settings = &settings, .runtime_dir = "/nonexistent"};
    Problem problem;
    start_reader(bench, id, !binds, protocol);
    assert_int_equal(service_new(&options, &bench->service, &problem), 0);
    assert_int_equal(
        (binds ? link_bind : link_connect)(bench->service, id, &handlers, bench, &bench->link, &problem), 0);
    if (protocol == PROTOCOL_CUSTODY)
        link_let_drop(bench->link);
    assert_int_equal(link_on_connected(bench->link, count_connection, bench), 0);
    assert_int_equal(timer_new(bench->service, beat, bench, &bench->timer), 0);
    timer_set(bench->timer, service_now(bench->service));
}

static bool frames_come(void *userdata) {
    Bench *bench = userdata;
    char bytes[256];
    ssize_t n = read(bench->frames, bytes, sizeof bytes);
    bench->n_frames += n > 0 ? (unsigned)n : 0;
    return bench->n_frames > 0;
}

static double n_disconnects(const Bench *bench) {
    char labels[64];
    (void)snprintf(labels, sizeof labels, "link=\"%s\"", link_name(bench->link));
    return counter(bench->service, "traffic_peer_disconnected_total", labels);
}

static bool is_cut(void *userdata) {
    const Bench *bench = userdata;
    return n_disconnects(bench) > bench->n_cut;
}

static void cut(Bench *bench) {
    bench->n_cut = n_disconnects(bench);
    shell("ip link set port down");
}

/* What was on its way when the network was cut does not count. */
static void heal(Bench *bench) {
    while (frames_come(bench) && bench->n_frames > 0)
        bench->n_frames = 0;
    shell("ip link set port up");
}

static uint64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void flows_again(Bench *bench, EndpointId id) {
    const char *cut_sec = getenv("TRAFFIC_CUT_SEC");
    begin(bench, id, PROTOCOL_CUSTODY);
    run_until(bench->service, frames_come, bench);
    cut(bench);
    if (cut_sec)
        run_for(bench->service, usec_from_sec(atof(cut_sec)));
    else
        run_until(bench->service, is_cut, bench);
    heal(bench);
    uint64_t healed = milliseconds();
    run_until(bench->service, frames_come, bench);
    if (cut_sec)
        print_message("%s: data flow %llu ms after a cut of %s s\n", link_name(bench->link),
                      (unsigned long long)(milliseconds() - healed), cut_sec);
}

/* --- tests --- */

static void a_publisher_gives_a_dead_connection_up_while_the_network_is_cut(void **state) {
    flows_again(*state, ENDPOINT_BROKER);
}

static void a_pusher_gives_a_dead_connection_up_while_the_network_is_cut(void **state) {
    flows_again(*state, ENDPOINT_STORE_PRIMARY);
}

/* Its kernel answers for it. */
static void a_reader_that_is_stopped_is_not_cut(void **state) {
    Bench *bench = *state;
    begin(bench, ENDPOINT_BROKER, PROTOCOL_CUSTODY);
    run_until(bench->service, frames_come, bench);
    bench->n_cut = n_disconnects(bench);
    kill(bench->reader, SIGSTOP);
    run_for(bench->service, 3 * USEC_PER_SEC);
    assert_false(is_cut(bench));
    kill(bench->reader, SIGCONT);
    bench->n_frames = 0;
    run_until(bench->service, frames_come, bench);
    assert_false(is_cut(bench));
}

/* It gets none of that again, so TCP is left to try as long as it wants to. */
static void a_reader_of_the_first_implementation_keeps_its_connection(void **state) {
    Bench *bench = *state;
    begin(bench, ENDPOINT_BROKER, PROTOCOL_V0);
    run_until(bench->service, frames_come, bench);
    cut(bench);
    run_for(bench->service, 3 * USEC_PER_SEC);
    assert_false(is_cut(bench));
    heal(bench);
    run_until(bench->service, frames_come, bench);
    assert_false(is_cut(bench));
}

#define PARTITION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        PARTITION_TEST(a_publisher_gives_a_dead_connection_up_while_the_network_is_cut),
        PARTITION_TEST(a_pusher_gives_a_dead_connection_up_while_the_network_is_cut),
        PARTITION_TEST(a_reader_that_is_stopped_is_not_cut),
        PARTITION_TEST(a_reader_of_the_first_implementation_keeps_its_connection),
    };
    return cmocka_run_group_tests_name("partition", tests, NULL, NULL);
}
