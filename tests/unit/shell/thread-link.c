/* Links read by threads: every frame reaches the loop, back-pressure goes all the way through, and a thread
 * can be ended whatever it waits for. */
#include "harness.h"

#include "shell/pipe.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_FRAMES = 200000, FRAME_BYTES = 300, PIPE_MESSAGES = 100 };

typedef struct Bench {
    Service *service;
    Link *publisher, *pipe;
    ThreadLink *thread_link;
    pthread_t thread;
    atomic_int thread_result; /* of the last blocking call */
    atomic_uint n_through;
    unsigned n_sent, n_stops, n_read;
    bool is_stopped, is_thread_joined;
} Bench;

static void *forward_everything(void *userdata) {
    Bench *bench = userdata;
    LinkFrame frame;
    int r;
    while ((r = thread_link_receive(bench->thread_link, &frame)) > 0) {
        r = thread_link_forward(bench->thread_link, frame.data, frame.size);
        if (r < 0)
            break;
        bench->n_through++;
    }
    bench->thread_result = r;
    return NULL;
}

static int send_more(Link *link, void *userdata) {
    Bench *bench = userdata;
    char frame[FRAME_BYTES] = "";
    bench->is_stopped = false;
    while (bench->n_sent < STREAM_FRAMES && !bench->is_stopped) {
        memcpy(frame, &bench->n_sent, sizeof bench->n_sent);
        int r = link_send(link, frame, sizeof frame);
        if (r == -EAGAIN) {
            bench->is_stopped = true;
            bench->n_stops++;
            if (bench->pipe)
                link_pause(bench->pipe, false);
        } else if (r < 0) {
            return r;
        } else {
            bench->n_sent++;
        }
    }
    return 0;
}

static int read_slowly(Link *link, const LinkFrame *frame, void *userdata) {
    Bench *bench = userdata;
    unsigned number;
    assert_int_equal(frame->size, FRAME_BYTES);
    memcpy(&number, frame->data, sizeof number);
    assert_int_equal(number, bench->n_read);
    bench->n_read++;
    if (bench->n_read % 30000 == 0 && bench->n_sent < STREAM_FRAMES && !bench->is_stopped)
        link_pause(link, true);
    return 0;
}

static int set_up(void **state) {
    static const LinkHandlers publish = {.on_writable = send_more}, read = {.on_frame = read_slowly};
    Bench *bench = calloc(1, sizeof *bench);
    Problem problem = {""};
    assert_non_null(bench);
    bench->service = make_service("traffic-test", NULL);
    if (link_bind(bench->service, ENDPOINT_SENSOR_GPS, &publish, bench, &bench->publisher, &problem) < 0 ||
        pipe_open(bench->service, "events", PIPE_MESSAGES, &read, bench, &bench->pipe, &problem) < 0 ||
        thread_link_new(bench->service, ENDPOINT_SENSOR_GPS, NULL, bench->pipe, PIPE_MESSAGES,
                        &bench->thread_link, &problem) < 0)
        fail_msg("%s", problem.text);
    pthread_create(&bench->thread, NULL, forward_everything, bench);
    *state = bench;
    return 0;
}

static void stop_thread(Bench *bench) {
    if (bench->is_thread_joined)
        return;
    bench->is_thread_joined = true;
    thread_link_stop(bench->thread_link);
    pthread_join(bench->thread, NULL);
}

static int tear_down(void **state) {
    Bench *bench = *state;
    stop_thread(bench); /* when the test failed half-way */
    thread_link_free(bench->thread_link);
    link_free(bench->pipe);
    link_free(bench->publisher);
    service_free(bench->service);
    free(bench);
    return 0;
}

static bool everything_is_read(void *userdata) {
    return ((Bench *)userdata)->n_read == STREAM_FRAMES;
}

static void every_frame_passes_the_thread_although_the_loop_reads_slowly(void **state) {
    Bench *bench = *state;
    link_pause(bench->pipe, true);
    assert_int_equal(send_more(bench->publisher, bench), 0);
    run_until(bench->service, everything_is_read, bench);
    stop_thread(
        bench); /* it counts a frame after handing it over, so the loop may be ahead of it until here */
    assert_int_equal(bench->thread_result, 0);
    assert_int_equal(bench->n_through, STREAM_FRAMES);
    assert_true(bench->n_stops >= 5);
}

static void a_thread_that_waits_for_a_frame_ends_when_asked(void **state) {
    Bench *bench = *state;
    stop_thread(bench);
    assert_int_equal(bench->thread_result, 0);
}

static bool thread_is_stuck(void *userdata) {
    Bench *bench = userdata;
    /* Both ends of the pipe and what the loop has read: there is no room for more. */
    return bench->n_through >= 2 * PIPE_MESSAGES && bench->n_stops >= 2;
}

static void a_thread_that_waits_for_the_loop_ends_when_asked(void **state) {
    Bench *bench = *state;
    Link *pipe = bench->pipe;
    link_pause(pipe, true);
    bench->pipe = NULL; /* send_more() cannot let it go on */
    assert_int_equal(send_more(bench->publisher, bench), 0);
    run_until(bench->service, thread_is_stuck, bench);
    stop_thread(bench);
    assert_int_equal(bench->thread_result, -ECANCELED);
    assert_int_equal(bench->n_read, 0);
    bench->pipe = pipe;
}

#define THREAD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        THREAD_TEST(every_frame_passes_the_thread_although_the_loop_reads_slowly),
        THREAD_TEST(a_thread_that_waits_for_a_frame_ends_when_asked),
        THREAD_TEST(a_thread_that_waits_for_the_loop_ends_when_asked),
    };
    return cmocka_run_group_tests_name("thread-link", tests, NULL, NULL);
}
