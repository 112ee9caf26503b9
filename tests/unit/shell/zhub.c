/* The hub in the cases in which simpler forms fail: lost wake-ups, swallowed edges, starved timers, starved
 * late sockets, unequal turns. Floods are sockets whose one message is never taken: they stay readable for
 * ever, without a race. */
#include "shell/zhub.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

enum { DEADLINE_SEC = 30, STREAM_MESSAGES = 200000 };

typedef struct Bench {
    void *context;
    sd_event *event;
    ZHub *hub;
    bool is_done;
} Bench;

static int set_up(void **state) {
    Bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->context = zmq_ctx_new();
    assert_int_equal(sd_event_new(&bench->event), 0);
    assert_int_equal(zhub_new(bench->event, &bench->hub), 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    Bench *bench = *state;
    zhub_free(bench->hub);
    sd_event_unref(bench->event);
    if (bench->is_done) /* else sockets are still open, and this would wait for them for ever */
        zmq_ctx_term(bench->context);
    free(bench);
    return 0;
}

static void *open_socket(const Bench *bench, int type, const char *bind, const char *connect) {
    int no_linger = 0;
    void *socket = zmq_socket(bench->context, type);
    assert_non_null(socket);
    zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof no_linger);
    if (bind)
        assert_int_equal(zmq_bind(socket, bind), 0);
    if (connect)
        assert_int_equal(zmq_connect(socket, connect), 0);
    return socket;
}

static void finish(Bench *bench) {
    bench->is_done = true;
}

static void run(Bench *bench) {
    time_t deadline = time(NULL) + DEADLINE_SEC;
    for (bench->is_done = false; !bench->is_done;) {
        assert_true(sd_event_run(bench->event, 100000) >= 0);
        if (time(NULL) > deadline)
            fail_msg("nothing more happened: the loop sleeps although there is work, or starves what the "
                     "test waits for");
    }
}

/* --- streams --- */

typedef struct Stream {
    Bench *bench;
    void *writer, *reader;
    ZSource *source;
    bool is_secretive;
    unsigned n_read, n_sent_back, n_heard_back;
} Stream;

static void *write_stream(void *userdata) {
    Stream *stream = userdata;
    for (unsigned i = 0; i < STREAM_MESSAGES; i++)
        if (zmq_send(stream->writer, &i, sizeof i, 0) < 0)
            return NULL;
    return NULL;
}

static int read_stream(void *socket, void *userdata) {
    Stream *stream = userdata;
    unsigned number;
    if (zmq_recv(socket, &number, sizeof number, ZMQ_DONTWAIT) < 0)
        return errno == EAGAIN ? 0 : -errno;
    assert_int_equal(number, stream->n_read);
    if (++stream->n_read == STREAM_MESSAGES)
        finish(stream->bench);
    return 1;
}

static void every_message_is_read_although_one_wakeup_stands_for_many(void **state) {
    Bench *bench = *state;
    Stream stream = {.bench = bench};
    ZSource *source;
    pthread_t thread;

    stream.reader = open_socket(bench, ZMQ_PULL, "inproc://stream", NULL);
    stream.writer = open_socket(bench, ZMQ_PUSH, NULL, "inproc://stream");
    assert_int_equal(zsource_new(bench->hub, stream.reader, 1, read_stream, &stream, &source), 0);
    pthread_create(&thread, NULL, write_stream, &stream);
    run(bench);
    pthread_join(thread, NULL);

    assert_int_equal(stream.n_read, STREAM_MESSAGES);
    zsource_free(source);
    zmq_close(stream.reader);
    zmq_close(stream.writer);
}

/* Sending makes the socket look at its mailbox, which eats the edge that announced a message. */
static int send_on_the_read_socket(sd_event_source *timer, uint64_t usec, void *userdata) {
    (void)usec;
    Stream *stream = userdata;
    if (!stream->is_secretive)
        zsource_touch(stream->source);
    if (zmq_send(stream->reader, "x", 1, ZMQ_DONTWAIT) == 1)
        stream->n_sent_back++;
    sd_event_source_set_time_relative(timer, 100);
    return sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void read_and_send_back(Bench *bench, bool is_secretive) {
    Stream stream = {.bench = bench, .is_secretive = is_secretive};
    sd_event_source *timer = NULL;
    pthread_t thread;
    char byte;

    stream.reader = open_socket(bench, ZMQ_PAIR, "inproc://both-ways", NULL);
    stream.writer = open_socket(bench, ZMQ_PAIR, NULL, "inproc://both-ways");
    assert_int_equal(zsource_new(bench->hub, stream.reader, 16, read_stream, &stream, &stream.source), 0);
    assert_true(sd_event_add_time_relative(bench->event, &timer, CLOCK_MONOTONIC, 100, 1,
                                           send_on_the_read_socket, &stream) >= 0);
    pthread_create(&thread, NULL, write_stream, &stream);
    run(bench);
    pthread_join(thread, NULL);

    while (zmq_recv(stream.writer, &byte, 1, ZMQ_DONTWAIT) == 1)
        stream.n_heard_back++;
    assert_int_equal(stream.n_read, STREAM_MESSAGES);
    assert_true(stream.n_sent_back > 0);
    assert_int_equal(stream.n_heard_back, stream.n_sent_back);
    sd_event_source_disable_unref(timer);
    zsource_free(stream.source);
    zmq_close(stream.reader);
    zmq_close(stream.writer);
}

static void no_message_waits_although_a_timer_sends_on_the_same_socket(void **state) {
    read_and_send_back(*state, false);
}

static void no_message_is_lost_when_who_sends_does_not_say_so(void **state) {
    read_and_send_back(*state, true);
}

/* --- floods --- */

typedef struct Flood {
    Bench *bench;
    void *reader, *writer;
    ZSource *source;
    unsigned n_served, finish_at;
} Flood;

static int serve_flood(void *socket, void *userdata) {
    (void)socket;
    Flood *flood = userdata;
    if (++flood->n_served == flood->finish_at)
        finish(flood->bench);
    return 1;
}

static void flood_begin(Flood *flood, Bench *bench, const char *url, unsigned budget) {
    *flood = (Flood){.bench = bench};
    flood->reader = open_socket(bench, ZMQ_PULL, url, NULL);
    flood->writer = open_socket(bench, ZMQ_PUSH, NULL, url);
    assert_int_equal(zmq_send(flood->writer, "x", 1, 0), 1);
    assert_int_equal(zsource_new(bench->hub, flood->reader, budget, serve_flood, flood, &flood->source), 0);
}

static void flood_end(Flood *flood) {
    zsource_free(flood->source);
    zmq_close(flood->reader);
    zmq_close(flood->writer);
}

typedef struct Ticks {
    Flood flood;
    sd_event_source *timer;
    int fd;
    unsigned n_timer, n_fd, n_overtaken;
} Ticks;

/* A timer that was due at this wake-up and a message served before it: overtaken. */
static int serve_beside_ticks(void *socket, void *userdata) {
    (void)socket;
    Ticks *ticks = userdata;
    uint64_t now, due;
    sd_event_now(ticks->flood.bench->event, CLOCK_MONOTONIC, &now);
    sd_event_source_get_time(ticks->timer, &due);
    if (now >= due)
        ticks->n_overtaken++;
    ticks->flood.n_served++;
    return 1;
}

static void tick(Ticks *ticks) {
    if (ticks->n_timer >= 200 && ticks->n_fd >= 200)
        finish(ticks->flood.bench);
}

static int on_tick(sd_event_source *timer, uint64_t usec, void *userdata) {
    (void)usec;
    Ticks *ticks = userdata;
    ticks->n_timer++;
    eventfd_write(ticks->fd, 1);
    tick(ticks);
    sd_event_source_set_time_relative(timer, 1000);
    return sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static int on_fd(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)source;
    (void)events;
    Ticks *ticks = userdata;
    eventfd_t value;
    assert_int_equal(eventfd_read(fd, &value), 0);
    ticks->n_fd++;
    tick(ticks);
    return 0;
}

static void timers_and_descriptors_go_first_while_messages_never_end(void **state) {
    Bench *bench = *state;
    Ticks ticks = {.fd = eventfd(0, EFD_NONBLOCK)};
    sd_event_source *plain = NULL;

    flood_begin(&ticks.flood, bench, "inproc://flood", 64);
    zsource_free(ticks.flood.source);
    assert_int_equal(
        zsource_new(bench->hub, ticks.flood.reader, 64, serve_beside_ticks, &ticks, &ticks.flood.source), 0);
    assert_true(
        sd_event_add_time_relative(bench->event, &ticks.timer, CLOCK_MONOTONIC, 0, 1, on_tick, &ticks) >= 0);
    assert_true(sd_event_add_io(bench->event, &plain, ticks.fd, EPOLLIN, on_fd, &ticks) >= 0);
    run(bench);

    assert_int_equal(ticks.n_overtaken, 0);
    assert_true(ticks.flood.n_served > 0);
    sd_event_source_disable_unref(ticks.timer);
    sd_event_source_disable_unref(plain);
    close(ticks.fd);
    flood_end(&ticks.flood);
}

static void a_socket_that_comes_late_is_served_beside_a_flood(void **state) {
    enum { BUDGET = 10, SERVED = 1000 };
    Bench *bench = *state;
    Flood early, late;

    flood_begin(&early, bench, "inproc://early", BUDGET);
    early.finish_at = SERVED;
    run(bench);
    unsigned before = early.n_served;
    flood_begin(&late, bench, "inproc://late", BUDGET);
    late.finish_at = SERVED;
    run(bench);

    assert_true(early.n_served - before <= SERVED + BUDGET);
    flood_end(&late);
    flood_end(&early);
}

static void flooded_sockets_get_equal_turns(void **state) {
    enum { BUDGET = 7, SOCKETS = 5, SERVED = 10000 };
    static const char *const urls[SOCKETS] = {"inproc://a", "inproc://b", "inproc://c", "inproc://d",
                                              "inproc://e"};
    Bench *bench = *state;
    Flood floods[SOCKETS];

    for (size_t i = 0; i < SOCKETS; i++)
        flood_begin(&floods[i], bench, urls[i], BUDGET);
    floods[2].finish_at = SERVED;
    run(bench);

    for (size_t i = 0; i < SOCKETS; i++) {
        assert_in_range(floods[i].n_served, SERVED - BUDGET, SERVED + BUDGET);
        flood_end(&floods[i]);
    }
}

/* --- pausing, room, batches --- */

static int finish_at_time(sd_event_source *timer, uint64_t usec, void *userdata) {
    (void)timer;
    (void)usec;
    finish(userdata);
    return 0;
}

static void a_paused_socket_is_not_read_until_it_goes_on(void **state) {
    Bench *bench = *state;
    Flood flood;
    sd_event_source *later = NULL;

    flood_begin(&flood, bench, "inproc://paused", 1);
    flood.finish_at = 1;
    zsource_pause(flood.source, true);
    assert_true(sd_event_add_time_relative(bench->event, &later, CLOCK_MONOTONIC, 1000, 1, finish_at_time,
                                           bench) >= 0);
    run(bench);
    assert_int_equal(flood.n_served, 0);

    zsource_pause(flood.source, false);
    run(bench);
    assert_int_equal(flood.n_served, 1);
    sd_event_source_disable_unref(later);
    flood_end(&flood);
}

static int pause_myself(void *socket, void *userdata) {
    (void)socket;
    Flood *flood = userdata;
    flood->n_served++;
    zsource_pause(flood->source, true);
    finish(flood->bench);
    return 1;
}

static void a_handler_that_pauses_its_socket_is_not_called_again_in_this_turn(void **state) {
    Bench *bench = *state;
    Flood flood = {.bench = bench};

    flood.reader = open_socket(bench, ZMQ_PULL, "inproc://pause-myself", NULL);
    flood.writer = open_socket(bench, ZMQ_PUSH, NULL, "inproc://pause-myself");
    zmq_send(flood.writer, "x", 1, 0);
    assert_int_equal(zsource_new(bench->hub, flood.reader, 100, pause_myself, &flood, &flood.source), 0);
    run(bench);
    assert_int_equal(flood.n_served, 1);
    flood_end(&flood);
}

typedef struct Sender {
    Bench *bench;
    void *writer, *reader;
    ZSource *source;
    unsigned n_sent, n_writable;
} Sender;

static int never_readable(void *socket, void *userdata) {
    (void)socket;
    (void)userdata;
    return 0;
}

static int has_room(void *socket, void *userdata) {
    (void)socket;
    Sender *sender = userdata;
    sender->n_writable++;
    finish(sender->bench);
    return 0;
}

static int take_all(sd_event_source *timer, uint64_t usec, void *userdata) {
    (void)timer;
    (void)usec;
    Sender *sender = userdata;
    char byte;
    assert_int_equal(sender->n_writable, 0); /* it was full until now */
    while (zmq_recv(sender->reader, &byte, 1, ZMQ_DONTWAIT) == 1)
        ;
    return 0;
}

static void a_full_socket_tells_once_when_it_takes_messages_again(void **state) {
    Bench *bench = *state;
    Sender sender = {.bench = bench};
    sd_event_source *later = NULL;
    int high_water_mark = 10;

    sender.reader = open_socket(bench, ZMQ_PULL, NULL, NULL);
    zmq_setsockopt(sender.reader, ZMQ_RCVHWM, &high_water_mark, sizeof high_water_mark);
    zmq_bind(sender.reader, "inproc://full");
    sender.writer = open_socket(bench, ZMQ_PUSH, NULL, NULL);
    zmq_setsockopt(sender.writer, ZMQ_SNDHWM, &high_water_mark, sizeof high_water_mark);
    zmq_connect(sender.writer, "inproc://full");
    assert_int_equal(zsource_new(bench->hub, sender.writer, 1, never_readable, &sender, &sender.source), 0);

    while (zmq_send(sender.writer, "x", 1, ZMQ_DONTWAIT) == 1)
        sender.n_sent++;
    assert_true(sender.n_sent >= (unsigned)high_water_mark);
    zsource_when_writable(sender.source, has_room);
    assert_true(
        sd_event_add_time_relative(bench->event, &later, CLOCK_MONOTONIC, 1000, 1, take_all, &sender) >= 0);
    run(bench);

    sd_event_source_disable_unref(later);
    assert_true(sd_event_add_time_relative(bench->event, &later, CLOCK_MONOTONIC, 1000, 1, finish_at_time,
                                           bench) >= 0);
    run(bench);
    assert_int_equal(sender.n_writable, 1);
    sd_event_source_disable_unref(later);
    zsource_free(sender.source);
    zmq_close(sender.writer);
    zmq_close(sender.reader);
}

typedef struct Batches {
    Flood *flood;
    unsigned n_batches, served_before, largest;
} Batches;

static int count_batch(void *userdata) {
    Batches *batches = userdata;
    unsigned size = batches->flood->n_served - batches->served_before;
    batches->served_before = batches->flood->n_served;
    batches->n_batches++;
    if (size > batches->largest)
        batches->largest = size;
    return 0;
}

static void a_batch_ends_after_each_turn_of_at_most_the_budget(void **state) {
    Bench *bench = *state;
    Flood flood;

    flood_begin(&flood, bench, "inproc://batches", 25);
    Batches batches = {.flood = &flood};
    zhub_on_batch_end(bench->hub, count_batch, &batches);
    flood.finish_at = 1000;
    run(bench);
    assert_int_equal(batches.n_batches, 40);
    assert_int_equal(batches.largest, 25);
    assert_int_equal(zhub_turns(bench->hub), 40);
    flood_end(&flood);
}

typedef struct Ends {
    Bench *bench;
    unsigned n_busy, n_over, n_over_wanted;
} Ends;

static int count_end(void *userdata) {
    Ends *ends = userdata;
    bool is_busy = zhub_is_busy(ends->bench->hub);
    ends->n_busy += is_busy;
    ends->n_over += !is_busy;
    if (ends->n_over == ends->n_over_wanted)
        finish(ends->bench);
    return 0;
}

/* Turns of one message each: there are many more of them than milliseconds. */
static void a_flood_keeps_the_hub_busy_for_some_milliseconds_at_a_time(void **state) {
    Bench *bench = *state;
    Flood flood;

    flood_begin(&flood, bench, "inproc://busy", 1);
    Ends ends = {.bench = bench, .n_over_wanted = 5};
    zhub_on_batch_end(bench->hub, count_end, &ends);
    run(bench);
    flood_end(&flood);
    assert_true(ends.n_busy > ends.n_over);
    assert_int_equal(ends.n_over, 5);
}

static int take_one(void *socket, void *userdata) {
    (void)userdata;
    char byte;
    return zmq_recv(socket, &byte, 1, ZMQ_DONTWAIT) < 0 ? 0 : 1;
}

static void the_hub_is_not_busy_behind_the_turn_that_leaves_nothing(void **state) {
    Bench *bench = *state;
    void *readers[2], *writers[2];
    ZSource *sources[2];
    static const char *const urls[] = {"inproc://one", "inproc://other"};

    for (int i = 0; i < 2; i++) {
        readers[i] = open_socket(bench, ZMQ_PULL, urls[i], NULL);
        writers[i] = open_socket(bench, ZMQ_PUSH, NULL, urls[i]);
        assert_int_equal(zsource_new(bench->hub, readers[i], 8, take_one, NULL, &sources[i]), 0);
        for (int n = 0; n < 3; n++)
            assert_int_equal(zmq_send(writers[i], "x", 1, 0), 1);
    }
    Ends ends = {.bench = bench, .n_over_wanted = 1};
    zhub_on_batch_end(bench->hub, count_end, &ends);
    run(bench);
    bool is_busy = zhub_is_busy(bench->hub);
    for (int i = 0; i < 2; i++) {
        zsource_free(sources[i]);
        zmq_close(readers[i]);
        zmq_close(writers[i]);
    }
    assert_int_equal(ends.n_busy, 1); /* the other socket's messages were at hand */
    assert_false(is_busy);
}

/* --- ownership and failure --- */

static int free_both(void *socket, void *userdata) {
    (void)socket;
    Flood *floods = userdata;
    floods[0].source = zsource_free(floods[0].source);
    floods[1].source = zsource_free(floods[1].source);
    floods[0].n_served++;
    finish(floods[0].bench);
    return 1;
}

static void a_handler_may_free_its_own_source_and_the_next(void **state) {
    Bench *bench = *state;
    Flood floods[2] = {{.bench = bench}, {.bench = bench}};
    static const char *const urls[] = {"inproc://first", "inproc://second"};

    for (size_t i = 0; i < 2; i++) {
        floods[i].reader = open_socket(bench, ZMQ_PULL, urls[i], NULL);
        floods[i].writer = open_socket(bench, ZMQ_PUSH, NULL, urls[i]);
        zmq_send(floods[i].writer, "x", 1, 0);
        assert_int_equal(zsource_new(bench->hub, floods[i].reader, 100, free_both, floods, &floods[i].source),
                         0);
    }
    run(bench);
    assert_int_equal(floods[0].n_served, 1);
    assert_false(zhub_has_work(bench->hub));
    flood_end(&floods[0]);
    flood_end(&floods[1]);
}

static int fail_with_eio(void *socket, void *userdata) {
    (void)socket;
    (void)userdata;
    return -EIO;
}

static void an_error_of_a_handler_ends_the_loop_with_it(void **state) {
    Bench *bench = *state;
    Flood flood = {.bench = bench};

    flood.reader = open_socket(bench, ZMQ_PULL, "inproc://error", NULL);
    flood.writer = open_socket(bench, ZMQ_PUSH, NULL, "inproc://error");
    zmq_send(flood.writer, "x", 1, 0);
    assert_int_equal(zsource_new(bench->hub, flood.reader, 1, fail_with_eio, NULL, &flood.source), 0);
    assert_int_equal(sd_event_loop(bench->event), -EIO);
    finish(bench);
    flood_end(&flood);
}

#define HUB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        HUB_TEST(every_message_is_read_although_one_wakeup_stands_for_many),
        HUB_TEST(no_message_waits_although_a_timer_sends_on_the_same_socket),
        HUB_TEST(no_message_is_lost_when_who_sends_does_not_say_so),
        HUB_TEST(timers_and_descriptors_go_first_while_messages_never_end),
        HUB_TEST(a_socket_that_comes_late_is_served_beside_a_flood),
        HUB_TEST(flooded_sockets_get_equal_turns),
        HUB_TEST(a_paused_socket_is_not_read_until_it_goes_on),
        HUB_TEST(a_handler_that_pauses_its_socket_is_not_called_again_in_this_turn),
        HUB_TEST(a_full_socket_tells_once_when_it_takes_messages_again),
        HUB_TEST(a_batch_ends_after_each_turn_of_at_most_the_budget),
        HUB_TEST(a_flood_keeps_the_hub_busy_for_some_milliseconds_at_a_time),
        HUB_TEST(the_hub_is_not_busy_behind_the_turn_that_leaves_nothing),
        HUB_TEST(a_handler_may_free_its_own_source_and_the_next),
        HUB_TEST(an_error_of_a_handler_ends_the_loop_with_it),
    };
    return cmocka_run_group_tests_name("zhub", tests, NULL, NULL);
}
