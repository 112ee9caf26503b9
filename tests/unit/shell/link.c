/* Links over real TCP, against themselves and against foreign ZeroMQ sockets. Runs in a network namespace of
 * its own, for ports are fixed. */
#include "harness.h"
#include "shell/link-protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

typedef struct Bench {
    Service *service;
    Link *link, *peer;
    Inbox inbox, peer_inbox;
    unsigned n_connected, n_writable, n_refused, n_subscribed, n_unsubscribed;
    char last_topic[32];
} Bench;

static int set_up(void **state) {
    Bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->service = make_service("traffic-test", NULL);
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    Bench *bench = *state;
    link_free(bench->link);
    link_free(bench->peer);
    foreign_close_left();
    service_free(bench->service);
    free(bench);
    return 0;
}

static int on_frame(Link *link, const LinkFrame *frame, void *userdata) {
    Bench *bench = userdata;
    return inbox_take(link, frame, link == bench->link ? &bench->inbox : &bench->peer_inbox);
}

static int on_writable(Link *link, void *userdata) {
    (void)link;
    ((Bench *)userdata)->n_writable++;
    return 0;
}

static void on_subscription(Link *link, const char *topic, size_t size, bool is_subscribed, void *userdata) {
    (void)link;
    Bench *bench = userdata;
    bench->n_subscribed += is_subscribed;
    bench->n_unsubscribed += !is_subscribed;
    snprintf(bench->last_topic, sizeof bench->last_topic, "%.*s", (int)size, topic);
}

static int on_refused(Link *link, const LinkFrame *frame, Refusal refusal, const Problem *problem,
                      void *userdata) {
    (void)problem;
    Bench *bench = userdata;
    assert_int_equal(refusal, REFUSAL_NOT_ONE_FRAME);
    bench->n_refused++;
    return link_send_to(link, frame->route, "ERROR", 5);
}

static const LinkHandlers handlers = {.on_frame = on_frame,
                                      .on_subscription = on_subscription,
                                      .on_writable = on_writable,
                                      .on_refused = on_refused};

static Link *bound(Bench *bench, EndpointId id) {
    Link *link = NULL;
    Problem problem = {""};
    if (link_bind(bench->service, id, &handlers, bench, &link, &problem) < 0)
        fail_msg("%s", problem.text);
    return link;
}

static Link *connected(Bench *bench, EndpointId id) {
    Link *link = NULL;
    Problem problem = {""};
    if (link_connect(bench->service, id, &handlers, bench, &link, &problem) < 0)
        fail_msg("%s", problem.text);
    return link;
}

static bool link_got_one(void *userdata) {
    return ((Bench *)userdata)->inbox.n > 0;
}

static bool peer_got_one(void *userdata) {
    return ((Bench *)userdata)->peer_inbox.n > 0;
}

static bool is_writable(void *userdata) {
    return ((Bench *)userdata)->n_writable > 0;
}

static bool is_subscribed(void *userdata) {
    return ((Bench *)userdata)->n_subscribed > 0;
}

static bool is_unsubscribed(void *userdata) {
    return ((Bench *)userdata)->n_unsubscribed > 0;
}

static void send_when_writable(Bench *bench, Link *link, const char *text) {
    int r = link_send(link, text, strlen(text));
    if (r == -EAGAIN) {
        bench->n_writable = 0;
        run_until(bench->service, is_writable, bench);
        r = link_send(link, text, strlen(text));
    }
    assert_int_equal(r, 0);
}

/* --- nobody there --- */

static void a_push_link_takes_nothing_until_its_reader_is_there(void **state) {
    Bench *bench = *state;
    bench->peer = connected(bench, ENDPOINT_STORE_PRIMARY);
    assert_int_equal(link_send(bench->peer, "early", 5), -EAGAIN);
    run_for(bench->service, 300 * USEC_PER_MSEC);
    assert_int_equal(bench->n_writable, 0);

    bench->link = bound(bench, ENDPOINT_STORE_PRIMARY);
    run_until(bench->service, is_writable, bench);
    assert_int_equal(link_send(bench->peer, "hello", 5), 0);
    run_until(bench->service, link_got_one, bench);
    assert_string_equal(bench->inbox.last, "hello");
    assert_int_equal(bench->inbox.n, 1);
}

static void a_port_that_only_systemd_holds_is_nobody(void **state) {
    Bench *bench = *state;
    int held = listen_on(5563); /* accepts TCP connections for a service that is stopped */
    bench->peer = connected(bench, ENDPOINT_STORE_PRIMARY);
    assert_int_equal(link_send(bench->peer, "lost?", 5), -EAGAIN);
    run_for(bench->service, 1500 * USEC_PER_MSEC);
    assert_int_equal(bench->n_writable, 0);
    close(held);

    bench->link = bound(bench, ENDPOINT_STORE_PRIMARY);
    run_until(bench->service, is_writable, bench);
}

static void a_publisher_takes_nothing_until_somebody_subscribes_to_it(void **state) {
    Bench *bench = *state;
    bench->link = bound(bench, ENDPOINT_BROKER);
    assert_false(link_has_subscriber(bench->link, "camara"));
    assert_int_equal(link_send(bench->link, "camara {}", 9), -EAGAIN);

    bench->peer = connected(bench, ENDPOINT_BROKER);
    run_until(bench->service, is_writable, bench);
    assert_int_equal(bench->n_subscribed, 1);
    assert_string_equal(bench->last_topic, "");
    assert_true(link_has_subscriber(bench->link, "camara"));
    assert_int_equal(link_send(bench->link, "camara {}", 9), 0);
    run_until(bench->service, peer_got_one, bench);
    assert_string_equal(bench->peer_inbox.last, "camara {}");
}

static void a_subscriber_to_one_topic_is_none_to_another(void **state) {
    static const char *const topics[] = {"gps", NULL};
    Bench *bench = *state;
    Problem problem = {""};
    bench->link = bound(bench, ENDPOINT_BROKER);
    assert_int_equal(link_connect_topics(bench->service, ENDPOINT_BROKER, topics, &handlers, bench,
                                         &bench->peer, &problem),
                     0);
    run_until(bench->service, is_subscribed, bench);

    assert_string_equal(bench->last_topic, "gps");
    assert_true(link_has_subscriber(bench->link, "gps"));
    assert_false(link_has_subscriber(bench->link, "gp"));
    assert_false(link_has_subscriber(bench->link, "camara"));
    assert_int_equal(link_send(bench->link, "camara {}", 9), -EAGAIN);
    assert_int_equal(link_send(bench->link, "gps {}", 6), 0);
    run_until(bench->service, peer_got_one, bench);
}

static void each_subscriber_is_announced_and_the_last_to_leave_too(void **state) {
    Bench *bench = *state;
    bench->link = bound(bench, ENDPOINT_SIGNAL_REPORTS);
    void *first = foreign_peer(bench->service, ZMQ_SUB, ENDPOINT_SIGNAL_REPORTS);
    run_until(bench->service, is_subscribed, bench);
    bench->n_subscribed = 0;
    void *second = foreign_peer(bench->service, ZMQ_SUB, ENDPOINT_SIGNAL_REPORTS);
    run_until(bench->service, is_subscribed, bench);

    foreign_close(first);
    run_for(bench->service, 200 * USEC_PER_MSEC);
    assert_int_equal(bench->n_unsubscribed, 0);
    assert_true(link_has_subscriber(bench->link, ""));
    foreign_close(second);
    run_until(bench->service, is_unsubscribed, bench);
    assert_false(link_has_subscriber(bench->link, ""));
}

/* --- back-pressure --- */

enum { STREAM_FRAMES = 200000, STREAM_FRAME_BYTES = 400, MIN_STOPS = 5 };

typedef struct Stream {
    Service *service;
    Link *writer, *reader;
    unsigned n_sent, n_read, n_stops;
    bool is_stopped;
} Stream;

/* Sends until the link says no; each no lets the reader go on. */
static int send_more(Link *link, void *userdata) {
    Stream *stream = userdata;
    char frame[STREAM_FRAME_BYTES] = "";
    stream->is_stopped = false;
    while (stream->n_sent < STREAM_FRAMES && !stream->is_stopped) {
        memcpy(frame, &stream->n_sent, sizeof stream->n_sent);
        int r = link_send(link, frame, sizeof frame);
        if (r == -EAGAIN) {
            stream->is_stopped = true;
            stream->n_stops++;
            link_pause(stream->reader, false);
        } else if (r < 0) {
            return r;
        } else {
            stream->n_sent++;
        }
    }
    return 0;
}

/* Reads one frame in the order it was sent; falls asleep now and then until the writer has been stopped. */
static int read_slowly(Link *link, const LinkFrame *frame, void *userdata) {
    Stream *stream = userdata;
    unsigned number;
    assert_int_equal(frame->size, STREAM_FRAME_BYTES);
    memcpy(&number, frame->data, sizeof number);
    assert_int_equal(number, stream->n_read);
    stream->n_read++;
    if (stream->n_read % (STREAM_FRAMES / (2 * MIN_STOPS)) == 0 && stream->n_sent < STREAM_FRAMES &&
        !stream->is_stopped)
        link_pause(link, true);
    return 0;
}

static bool stream_is_read(void *userdata) {
    return ((Stream *)userdata)->n_read == STREAM_FRAMES;
}

static void stream_through(Bench *bench, EndpointId id, bool binder_writes) {
    const LinkHandlers write_handlers = {.on_frame = on_frame, .on_writable = send_more};
    const LinkHandlers read_handlers = {.on_frame = read_slowly};
    Stream stream = {.service = bench->service};
    Problem problem = {""};

    assert_int_equal(link_bind(bench->service, id, binder_writes ? &write_handlers : &read_handlers, &stream,
                               &bench->link, &problem),
                     0);
    assert_int_equal(link_connect(bench->service, id, binder_writes ? &read_handlers : &write_handlers,
                                  &stream, &bench->peer, &problem),
                     0);
    stream.writer = binder_writes ? bench->link : bench->peer;
    stream.reader = binder_writes ? bench->peer : bench->link;
    link_pause(stream.reader, true);
    assert_int_equal(send_more(stream.writer, &stream), 0); /* nobody there yet: the first stop */
    link_pause(stream.reader, true);
    run_until(bench->service, stream_is_read, &stream);

    assert_int_equal(stream.n_sent, STREAM_FRAMES);
    assert_true(stream.n_stops >= MIN_STOPS);
}

static void a_publisher_stops_for_a_slow_reader_and_no_frame_is_lost(void **state) {
    stream_through(*state, ENDPOINT_SENSOR_CAMERA, true);
}

static void a_pusher_stops_for_a_slow_reader_and_no_frame_is_lost(void **state) {
    stream_through(*state, ENDPOINT_STORE_REPLICA, false);
}

static void a_paused_link_reads_nothing_until_it_goes_on(void **state) {
    Bench *bench = *state;
    bench->link = bound(bench, ENDPOINT_STORE_PRIMARY);
    bench->peer = connected(bench, ENDPOINT_STORE_PRIMARY);
    link_pause(bench->link, true);
    send_when_writable(bench, bench->peer, "patience");
    run_for(bench->service, 200 * USEC_PER_MSEC);
    assert_int_equal(bench->inbox.n, 0);
    link_pause(bench->link, false);
    run_until(bench->service, link_got_one, bench);
    assert_string_equal(bench->inbox.last, "patience");
}

static void a_paused_publisher_still_hears_who_subscribes(void **state) {
    Bench *bench = *state;
    bench->link = bound(bench, ENDPOINT_BROKER);
    link_pause(bench->link, true);
    bench->peer = connected(bench, ENDPOINT_BROKER);
    run_until(bench->service, is_subscribed, bench);
}

/* What the link tells the operator while a send waits for `usec`. */
static void told_after_waiting(Bench *bench, uint64_t usec, char *text, size_t size) {
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    bench->n_writable = 0;
    bench->peer = connected(bench, ENDPOINT_STORE_PRIMARY);
    link_send(bench->peer, "x", 1);
    run_for(bench->service, usec);
    bench->link = bound(bench, ENDPOINT_STORE_PRIMARY);
    run_until(bench->service, is_writable, bench);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    close(ends[0]);
}

static void a_wait_is_told_when_it_lasts_a_second_and_its_end_too(void **state) {
    Bench *bench = *state;
    char text[512];
    told_after_waiting(bench, 200 * USEC_PER_MSEC, text, sizeof text);
    assert_string_equal(text, "");
    bench->link = link_free(bench->link);
    bench->peer = link_free(bench->peer);
    service_free(bench->service);
    bench->service = make_service("traffic-test", NULL);

    told_after_waiting(bench, 1100 * USEC_PER_MSEC, text, sizeof text);
    assert_string_equal(
        text, "link store.primary has taken nothing for a second: its reader is slow or away, the sender "
              "waits\nlink store.primary takes messages again\n");
}

/* --- links that let drop --- */

static void a_full_subscriber_of_a_publisher_that_lets_drop_stops_nobody(void **state) {
    Bench *bench = *state;
    static char frame[1024] = "camara ";
    bench->link = bound(bench, ENDPOINT_BROKER);
    link_let_drop(bench->link);
    bench->peer = connected(bench, ENDPOINT_BROKER);
    assert_int_equal(link_send(bench->link, frame, sizeof frame), -EAGAIN); /* nobody is there yet */
    run_until(bench->service, is_subscribed, bench);
    link_pause(bench->peer, true);
    for (unsigned i = 0; i < 100000;
         i++) /* both high-water marks and every buffer of the kernel between them */
        assert_int_equal(link_send(bench->link, frame, sizeof frame), 0);
    link_pause(bench->peer, false);
    run_until(bench->service, peer_got_one, bench);
}

static void a_pusher_that_lets_drop_waits_for_nobody(void **state) {
    Bench *bench = *state;
    bench->peer = connected(bench, ENDPOINT_ACK_GPS);
    link_let_drop(bench->peer);
    assert_int_equal(link_send(bench->peer, "x", 1), -EAGAIN);
    bench->link = bound(bench, ENDPOINT_ACK_GPS);
    do
        run_for(bench->service, 10 * USEC_PER_MSEC);
    while (link_send(bench->peer, "x", 1) == -EAGAIN);
    run_until(bench->service, link_got_one, bench);
    assert_int_equal(bench->n_writable, 0);
    assert_true(counter(bench->service, "traffic_link_waits_total", "link=\"ack.gps\"") == 0);
}

/* --- connections --- */

static void count_connection(Link *link, void *userdata) {
    Bench *bench = userdata;
    assert_ptr_equal(link, bench->peer);
    bench->n_connected++;
}

static bool is_connected(void *userdata) {
    return ((Bench *)userdata)->n_connected > 0;
}

/* libzmq lets go of a port in the background. */
static Link *bound_when_free(Bench *bench, EndpointId id) {
    Link *link = NULL;
    Problem problem = {""};
    int r = -EADDRINUSE;
    for (unsigned attempts = 0; r == -EADDRINUSE && attempts < 2000; attempts++) {
        run_for(bench->service, 10 * USEC_PER_MSEC);
        r = link_bind(bench->service, id, &handlers, bench, &link, &problem);
    }
    if (r < 0)
        fail_msg("%s", problem.text);
    return link;
}

static void each_connection_of_a_link_is_told(void **state) {
    static const EndpointId ids[] = {ENDPOINT_STORE_REPLICA, ENDPOINT_SENSOR_GPS};
    Bench *bench = *state;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        bench->n_connected = 0;
        bench->peer = connected(bench, ids[i]);
        assert_int_equal(link_on_connected(bench->peer, count_connection, bench), 0);
        run_for(bench->service, 100 * USEC_PER_MSEC);
        assert_int_equal(bench->n_connected, 0);
        for (unsigned times = 0; times < 2; times++) {
            bench->n_connected = 0;
            bench->link = bound_when_free(bench, ids[i]);
            run_until(bench->service, is_connected, bench);
            assert_int_equal(bench->n_connected, 1);
            bench->link = link_free(bench->link);
        }
        bench->peer = link_free(bench->peer);
    }
}

/* --- which links are under custody --- */

static void the_settings_say_what_the_reader_of_each_link_speaks(void **state) {
    (void)state;
    const Settings custody = {.protocol_broker = PROTOCOL_CUSTODY}, v0 = {.protocol_broker = PROTOCOL_V0,
                                                                          .protocol_analytics = PROTOCOL_V0,
                                                                          .protocol_primary = PROTOCOL_V0,
                                                                          .protocol_replica = PROTOCOL_V0};
    static const EndpointId ids[] = {
        ENDPOINT_SENSOR_CAMERA, ENDPOINT_SENSOR_INDUCTIVE, ENDPOINT_SENSOR_GPS,    ENDPOINT_ACK_CAMERA,
        ENDPOINT_ACK_INDUCTIVE, ENDPOINT_ACK_GPS,          ENDPOINT_BROKER,        ENDPOINT_ACK_BROKER,
        ENDPOINT_STORE_PRIMARY, ENDPOINT_ACK_PRIMARY,      ENDPOINT_STORE_REPLICA, ENDPOINT_ACK_REPLICA};
    bool is_listed[ENDPOINT_COUNT] = {false};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        is_listed[ids[i]] = true;
    for (EndpointId id = 0; id < ENDPOINT_COUNT; id++) {
        assert_int_equal(link_protocol(&v0, id), PROTOCOL_V0);
        assert_int_equal(link_protocol(&custody, id), is_listed[id] ? PROTOCOL_CUSTODY : PROTOCOL_V0);
    }
    Settings one = v0;
    one.protocol_primary = PROTOCOL_CUSTODY;
    for (EndpointId id = 0; id < ENDPOINT_COUNT; id++)
        assert_int_equal(link_protocol(&one, id), id == ENDPOINT_STORE_PRIMARY || id == ENDPOINT_ACK_PRIMARY
                                                      ? PROTOCOL_CUSTODY
                                                      : PROTOCOL_V0);
}

/* --- questions and answers --- */

static void ask_and_answer(Bench *bench, void *asker, bool has_delimiter) {
    char answer[16] = "";
    assert_int_equal(zmq_send(asker, "PING", 4, 0), 4);
    bench->inbox.n = 0;
    run_until(bench->service, link_got_one, bench);
    assert_string_equal(bench->inbox.last, "PING");
    assert_int_equal(bench->inbox.last_route.has_delimiter, has_delimiter);
    assert_int_equal(link_send_to(bench->link, &bench->inbox.last_route, "PONG", 4), 0);
    assert_int_equal(zmq_recv(asker, answer, sizeof answer, 0), 4);
    assert_string_equal(answer, "PONG");
}

static void req_correlating_req_and_dealer_are_answered_each_in_its_way(void **state) {
    Bench *bench = *state;
    int on = 1;
    bench->link = bound(bench, ENDPOINT_HEALTH);
    void *req = foreign_peer(bench->service, ZMQ_REQ, ENDPOINT_HEALTH);
    void *dealer = foreign_peer(bench->service, ZMQ_DEALER, ENDPOINT_HEALTH);
    void *correlating = foreign_peer(bench->service, ZMQ_REQ, ENDPOINT_COUNT);
    zmq_setsockopt(correlating, ZMQ_REQ_CORRELATE, &on, sizeof on);
    zmq_setsockopt(correlating, ZMQ_REQ_RELAXED, &on, sizeof on);
    zmq_connect(correlating, "tcp://127.0.0.1:5565");

    ask_and_answer(bench, req, true);
    ask_and_answer(bench, dealer, false);
    ask_and_answer(bench, correlating, true);
    ask_and_answer(bench, req, true);
    foreign_close(req);
    foreign_close(dealer);
    foreign_close(correlating);
}

static void a_dealer_link_is_understood_by_a_foreign_rep(void **state) {
    Bench *bench = *state;
    char question[16] = "";
    void *rep = foreign_peer(bench->service, ZMQ_REP, ENDPOINT_COUNT);
    assert_int_equal(zmq_bind(rep, "tcp://127.0.0.1:5565"), 0);
    bench->peer = connected(bench, ENDPOINT_HEALTH);

    send_when_writable(bench, bench->peer, "PING");
    assert_int_equal(zmq_recv(rep, question, sizeof question, 0), 4);
    assert_int_equal(zmq_send(rep, "PONG", 4, 0), 4);
    run_until(bench->service, peer_got_one, bench);
    assert_string_equal(bench->peer_inbox.last, "PONG");
    foreign_close(rep);
}

/* Until the connection is known to have ended, a frame or two go into nothing. */
static bool peer_takes_nothing(void *userdata) {
    return link_send(((Bench *)userdata)->peer, "into nothing", 12) == -EAGAIN;
}

static void a_dealer_link_finds_its_binder_again(void **state) {
    Bench *bench = *state;
    bench->link = bound(bench, ENDPOINT_QUERIES);
    bench->peer = connected(bench, ENDPOINT_QUERIES);
    send_when_writable(bench, bench->peer, "first");
    run_until(bench->service, link_got_one, bench);

    bench->link = link_free(bench->link);
    run_until(bench->service, peer_takes_nothing, bench);
    bench->inbox.n = bench->n_writable = 0;
    bench->link = bound(bench, ENDPOINT_QUERIES);
    run_until(bench->service, is_writable, bench);
    assert_int_equal(link_send(bench->peer, "second", 6), 0);
    run_until(bench->service, link_got_one, bench);
    assert_string_equal(bench->inbox.last, "second");
    assert_int_equal(link_send_to(bench->link, &bench->inbox.last_route, "reply", 5), 0);
    run_until(bench->service, peer_got_one, bench);
}

static bool asker_has_gone(void *userdata) {
    Bench *bench = userdata;
    return link_send_to(bench->link, &bench->inbox.last_route, "!", 1) != 0;
}

static void an_answer_to_an_asker_that_has_gone_is_counted(void **state) {
    Bench *bench = *state;
    bench->link = bound(bench, ENDPOINT_QUERIES);
    void *req = foreign_peer(bench->service, ZMQ_REQ, ENDPOINT_QUERIES);
    zmq_send(req, "?", 1, 0);
    run_until(bench->service, link_got_one, bench);
    foreign_close(req);

    run_until(bench->service, asker_has_gone, bench);
    assert_int_equal(link_send_to(bench->link, &bench->inbox.last_route, "!", 1), -EHOSTUNREACH);
    assert_int_equal((int)counter(bench->service, "traffic_link_unanswered_total", "link=\"queries\""), 2);
}

/* --- refusals --- */

static void a_message_of_several_frames_is_refused_once_and_the_next_is_taken(void **state) {
    Bench *bench = *state;
    bench->link = bound(bench, ENDPOINT_STORE_PRIMARY);
    void *push = foreign_peer(bench->service, ZMQ_PUSH, ENDPOINT_STORE_PRIMARY);
    for (unsigned i = 0; i < 6; i++)
        zmq_send(push, "part", 4, ZMQ_SNDMORE);
    zmq_send(push, "end", 3, 0);
    zmq_send(push, "whole", 5, 0);

    run_until(bench->service, link_got_one, bench);
    assert_string_equal(bench->inbox.last, "whole");
    assert_int_equal(bench->inbox.n, 1);
    assert_int_equal((int)counter(bench->service, "traffic_refused_total",
                                  "link=\"store.primary\",reason=\"not_one_frame\""),
                     1);
    foreign_close(push);
}

static bool was_refused(void *userdata) {
    return ((Bench *)userdata)->n_refused > 0;
}

static void a_request_of_two_frames_is_answered_politely(void **state) {
    Bench *bench = *state;
    char answer[16] = "";
    bench->link = bound(bench, ENDPOINT_QUERIES);
    void *req = foreign_peer(bench->service, ZMQ_REQ, ENDPOINT_QUERIES);
    zmq_send(req, "one", 3, ZMQ_SNDMORE);
    zmq_send(req, "two", 3, 0);
    run_until(bench->service, was_refused, bench);
    assert_int_equal(zmq_recv(req, answer, sizeof answer, 0), 5);
    assert_string_equal(answer, "ERROR");
    assert_int_equal(bench->inbox.n, 0);
    foreign_close(req);
}

static double cut_peers(Bench *bench) {
    return counter(bench->service, "traffic_peer_disconnected_total", "link=\"store.primary\"");
}

static bool peer_was_cut(void *userdata) {
    return cut_peers(userdata) > 0;
}

static void the_largest_frame_is_taken_and_one_byte_more_cuts_its_sender(void **state) {
    Bench *bench = *state;
    char *frame = calloc(1, FRAME_MAX_BYTES + 1);
    bench->link = bound(bench, ENDPOINT_STORE_PRIMARY);
    void *good = foreign_peer(bench->service, ZMQ_PUSH, ENDPOINT_STORE_PRIMARY);
    zmq_send(good, frame, FRAME_MAX_BYTES, 0);
    run_until(bench->service, link_got_one, bench);
    assert_int_equal((int)cut_peers(bench), 0);

    void *bad = foreign_peer(bench->service, ZMQ_PUSH, ENDPOINT_STORE_PRIMARY);
    zmq_send(bad, frame, FRAME_MAX_BYTES + 1, 0);
    run_until(bench->service, peer_was_cut, bench);
    assert_int_equal(bench->inbox.n, 1);
    bench->inbox.n = 0;
    zmq_send(good, "still here", 10, 0);
    run_until(bench->service, link_got_one, bench);
    assert_string_equal(bench->inbox.last, "still here");
    foreign_close(good);
    foreign_close(bad);
    free(frame);
}

static void the_largest_answer_is_taken_by_a_dealer_link(void **state) {
    Bench *bench = *state;
    char *answer = calloc(1, REPLY_MAX_BYTES + 1);
    bench->link = bound(bench, ENDPOINT_QUERIES);
    bench->peer = connected(bench, ENDPOINT_QUERIES);
    send_when_writable(bench, bench->peer, "?");
    run_until(bench->service, link_got_one, bench);
    assert_int_equal(link_send_to(bench->link, &bench->inbox.last_route, answer, REPLY_MAX_BYTES + 1),
                     -EMSGSIZE);
    assert_int_equal(link_send_to(bench->link, &bench->inbox.last_route, answer, REPLY_MAX_BYTES), 0);
    run_until(bench->service, peer_got_one, bench);
    assert_int_equal(link_send(bench->peer, answer, FRAME_MAX_BYTES + 1), -EMSGSIZE);
    free(answer);
}

static void bytes_that_are_no_zeromq_at_all_cut_their_sender(void **state) {
    Bench *bench = *state;
    bench->link = bound(bench, ENDPOINT_STORE_PRIMARY);

    void *stream = foreign_peer(bench->service, ZMQ_STREAM, ENDPOINT_STORE_PRIMARY);
    char id[16];
    int id_size = zmq_recv(stream, id, sizeof id, 0);
    zmq_recv(stream, id + id_size, sizeof id - (size_t)id_size, 0); /* an empty frame: connected */
    zmq_send(stream, id, (size_t)id_size, ZMQ_SNDMORE);
    zmq_send(stream, "GET / HTTP/1.1\r\nHost: a-browser-of-the-operator\r\n\r\n", 50, 0);
    run_until(bench->service, peer_was_cut, bench);
    foreign_close(stream);
}

/* --- ports --- */

static void a_port_that_is_taken_is_named_with_what_to_do(void **state) {
    Bench *bench = *state;
    Problem problem = {""};
    int other = listen_on(5560);
    assert_int_equal(link_bind(bench->service, ENDPOINT_BROKER, &handlers, bench, &bench->link, &problem),
                     -EADDRINUSE);
    assert_null(bench->link);
    assert_non_null(strstr(problem.text, "broker: port 5560 is taken"));
    assert_non_null(strstr(problem.text, "ss -ltnp"));
    close(other);
}

static void a_link_can_be_bound_again_after_it_was_freed(void **state) {
    Bench *bench = *state;
    for (unsigned i = 0; i < 3; i++) {
        bench->link = bound(bench, ENDPOINT_BROKER);
        bench->link = link_free(bench->link);
        service_free(bench->service); /* libzmq lets go of the port in the background; this waits for it */
        bench->service = make_service("traffic-test", NULL);
    }
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        LINK_TEST(a_push_link_takes_nothing_until_its_reader_is_there),
        LINK_TEST(a_port_that_only_systemd_holds_is_nobody),
        LINK_TEST(a_publisher_takes_nothing_until_somebody_subscribes_to_it),
        LINK_TEST(a_subscriber_to_one_topic_is_none_to_another),
        LINK_TEST(each_subscriber_is_announced_and_the_last_to_leave_too),
        LINK_TEST(a_publisher_stops_for_a_slow_reader_and_no_frame_is_lost),
        LINK_TEST(a_pusher_stops_for_a_slow_reader_and_no_frame_is_lost),
        LINK_TEST(a_paused_link_reads_nothing_until_it_goes_on),
        LINK_TEST(a_paused_publisher_still_hears_who_subscribes),
        LINK_TEST(a_wait_is_told_when_it_lasts_a_second_and_its_end_too),
        LINK_TEST(a_full_subscriber_of_a_publisher_that_lets_drop_stops_nobody),
        LINK_TEST(a_pusher_that_lets_drop_waits_for_nobody),
        LINK_TEST(each_connection_of_a_link_is_told),
        LINK_TEST(the_settings_say_what_the_reader_of_each_link_speaks),
        LINK_TEST(req_correlating_req_and_dealer_are_answered_each_in_its_way),
        LINK_TEST(a_dealer_link_is_understood_by_a_foreign_rep),
        LINK_TEST(a_dealer_link_finds_its_binder_again),
        LINK_TEST(an_answer_to_an_asker_that_has_gone_is_counted),
        LINK_TEST(a_message_of_several_frames_is_refused_once_and_the_next_is_taken),
        LINK_TEST(a_request_of_two_frames_is_answered_politely),
        LINK_TEST(the_largest_frame_is_taken_and_one_byte_more_cuts_its_sender),
        LINK_TEST(the_largest_answer_is_taken_by_a_dealer_link),
        LINK_TEST(bytes_that_are_no_zeromq_at_all_cut_their_sender),
        LINK_TEST(a_port_that_is_taken_is_named_with_what_to_do),
        LINK_TEST(a_link_can_be_bound_again_after_it_was_freed),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
