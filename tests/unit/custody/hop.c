/* One hop under custody: a sender whose frames lie in memory, and a receiver, over real sockets. */
#include "custody/receiver.h"
#include "custody/sender.h"
#include "harness.h"
#include "shell/link-protocol.h"
#include "wire/hop-text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum { FRAMES_MAX = 10000, STREAM = 0xBEEF };
#define YEAR_USEC (INT64_C(365) * 86400 * (int64_t)USEC_PER_SEC)

typedef struct Bench {
    char directory[64];
    Settings settings;
    Service *service;
    EndpointId id;
    Protocol protocol;

    /* The writer. Frame number N says N, and is as large as the wire allows if N is `n_large`. */
    Link *data;
    Sender *sender;
    uint64_t stream, last, acknowledged, oldest, n_large;
    unsigned n_unreadable; /* attempts to read that still fail */
    unsigned n_renewed;

    /* The reader. */
    Link *reader;
    Receiver *receiver;
    Intake intake;
    bool commits;       /* each frame at once */
    bool is_deaf;       /* what it commits is not acknowledged at once */
    uint64_t lost_once; /* this frame does not arrive the first time */
    unsigned got[FRAMES_MAX + 1];
    uint64_t n_got, n_wanted;
    bool is_in_order, has_hop;
    void *foreign; /* hears acknowledgements too */
    unsigned n_heard_of[2];
    uint64_t n_arrived; /* whatever became of it */
} Bench;

/* --- the writer --- */

static int read_frame(void *userdata, uint64_t position, const char **ret, size_t *ret_size) {
    static char frame[FRAME_MAX_BYTES + 1];
    Bench *bench = userdata;
    if (bench->n_unreadable > 0) {
        bench->n_unreadable--;
        return -EIO;
    }
    if (position < bench->oldest || position > bench->last)
        return 0;
    size_t size = (size_t)snprintf(frame, sizeof frame, "camara {\"n\":%llu}", (unsigned long long)position);
    if (position == bench->n_large) {
        memset(frame + size - 1, ' ', FRAME_MAX_BYTES - size);
        size = FRAME_MAX_BYTES;
        frame[size - 1] = '}';
    }
    *ret = frame;
    *ret_size = size;
    return 1;
}

static uint64_t oldest_frame(void *userdata) {
    return ((Bench *)userdata)->oldest;
}

static void on_acknowledged(void *userdata, uint64_t position) {
    Bench *bench = userdata;
    bench->acknowledged = position;
    bench->oldest = position + 1;
}

static uint64_t renew_stream(void *userdata) {
    Bench *bench = userdata;
    bench->n_renewed++;
    return ++bench->stream;
}

static uint64_t stream_now(void *userdata) {
    return ((Bench *)userdata)->stream;
}

static void on_subscription(Link *link, const char *topic, size_t size, bool is_subscribed, void *userdata) {
    (void)link, (void)topic, (void)size;
    Bench *bench = userdata;
    if (bench->sender)
        sender_reader_is_there(bench->sender, is_subscribed);
}

static int on_writable(Link *link, void *userdata) {
    (void)link;
    Bench *bench = userdata;
    return bench->sender ? sender_on_writable(bench->sender) : 0;
}

static void stop_writer(Bench *bench) {
    bench->sender = sender_free(bench->sender);
    bench->data = link_free(bench->data);
}

static int open_writer(Bench *bench, Problem *problem) {
    static const LinkHandlers handlers = {.on_subscription = on_subscription, .on_writable = on_writable};
    bool binds = endpoints[bench->id].bind_pattern == WIRE_XPUB;
    int r = (binds ? link_bind : link_connect)(bench->service, bench->id, &handlers, bench, &bench->data,
                                               problem);
    if (r < 0)
        return r;
    if (bench->protocol == PROTOCOL_CUSTODY)
        link_let_drop(bench->data);
    const SenderSpec spec = {.data = bench->data,
                             .id = bench->id,
                             .reader = "the reader",
                             .protocol = bench->protocol,
                             .stream = bench->stream,
                             .acknowledged = bench->acknowledged,
                             .last = bench->last,
                             .source = {.read = read_frame,
                                        .oldest = oldest_frame,
                                        .on_acknowledged = on_acknowledged,
                                        .renew_stream = renew_stream,
                                        .stream = stream_now},
                             .userdata = bench};
    r = sender_new(bench->service, &spec, &bench->sender, problem);
    if (r < 0)
        stop_writer(bench);
    return r;
}

/* libzmq lets go of the ports of an earlier one in the background. */
static void open_when_free(Bench *bench, int (*open)(Bench *bench, Problem *problem)) {
    Problem problem = {""};
    int r = open(bench, &problem);
    for (unsigned attempts = 0; r == -EADDRINUSE && attempts < 2000; attempts++) {
        run_for(bench->service, 10 * USEC_PER_MSEC);
        r = open(bench, &problem);
    }
    if (r < 0)
        fail_msg("%s", problem.text);
}

static void start_writer(Bench *bench) {
    open_when_free(bench, open_writer);
}

static void write_up_to(Bench *bench, uint64_t last) {
    bench->last = bench->n_wanted = last;
    if (bench->sender)
        sender_add(bench->sender, last);
}

/* --- the reader --- */

static void commit(Bench *bench) {
    intake_committed(&bench->intake);
    if (!bench->is_deaf && bench->receiver)
        receiver_acknowledge(bench->receiver);
}

static void take_frame(Bench *bench, const LinkFrame *frame) {
    unsigned long long n;
    char text[64];
    assert_true(frame->size < sizeof text || frame->size == FRAME_MAX_BYTES);
    (void)snprintf(text, sizeof text, "%.*s", (int)frame->size, frame->data);
    assert_int_equal(sscanf(text, "camara {\"n\":%llu", &n), 1);
    assert_in_range(n, 1, FRAMES_MAX);
    assert_int_equal(frame->data[frame->size - 1], '}');
    bench->is_in_order &= bench->n_got == 0 || bench->got[n - 1] > 0 || n - 1 == bench->n_large;
    bench->got[n]++;
    bench->n_got++;
}

static int on_frame(Link *link, const LinkFrame *frame, void *userdata) {
    (void)link;
    Bench *bench = userdata;
    Hop hop;
    size_t size;
    LinkFrame own;
    bench->n_arrived++;
    bench->has_hop = hop_find(frame->data, frame->size, &hop, &size);
    if (bench->has_hop && hop.position == bench->lost_once) {
        bench->lost_once = 0;
        return 0;
    }
    if (receiver_judge(bench->receiver, frame, &own) != RECEIVER_LEAVE)
        take_frame(bench, &own);
    if (bench->commits)
        commit(bench);
    return 0;
}

static int open_reader(Bench *bench, Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_frame};
    bool binds = endpoints[bench->id].bind_pattern == WIRE_PULL;
    int r = receiver_new(bench->service, bench->id, binds, &bench->intake, &bench->receiver, problem);
    if (r < 0)
        return r;
    r = (binds ? link_bind : link_connect)(bench->service, bench->id, &handlers, bench, &bench->reader,
                                           problem);
    if (r < 0)
        bench->receiver = receiver_free(bench->receiver);
    return r;
}

static void start_reader(Bench *bench) {
    open_when_free(bench, open_reader);
}

/* It knows afterwards what is on its disk. */
static void stop_reader(Bench *bench) {
    bench->reader = link_free(bench->reader);
    bench->receiver = receiver_free(bench->receiver);
    for (const IntakeCursor *cursor = NULL; (cursor = intake_next_dirty(&bench->intake, cursor));)
        for (uint64_t n = cursor->committed + 1; n <= cursor->accepted; n++) {
            bench->n_got -= bench->got[n];
            bench->got[n] = 0;
        }
    intake_rolled_back(&bench->intake);
}

/* --- the bench --- */

static void make_bench_service(Bench *bench) {
    const ServiceOptions options = {.name = "traffic-test",
                                    .settings = &bench->settings,
                                    .state_dir = bench->directory,
                                    .runtime_dir = "/nonexistent"};
    Problem problem = {""};
    if (service_new(&options, &bench->service, &problem) < 0)
        fail_msg("%s", problem.text);
}

static int set_up(void **state) {
    Bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    *bench = (Bench){.directory = "/tmp/custody-test-XXXXXX",
                     .settings = {.pc1 = "127.0.0.1",
                                  .pc2 = "127.0.0.1",
                                  .pc3 = "127.0.0.1",
                                  .bind_address = "127.0.0.1",
                                  .custody_window = 4096,
                                  .custody_resend_sec = 60},
                     .id = ENDPOINT_BROKER,
                     .stream = STREAM,
                     .oldest = 1,
                     .commits = true,
                     .is_in_order = true};
    assert_non_null(mkdtemp(bench->directory));
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    Bench *bench = *state;
    char command[96];
    stop_writer(bench);
    stop_reader(bench);
    foreign_close_left();
    service_free(bench->service);
    (void)snprintf(command, sizeof command, "rm -r %s", bench->directory);
    int r = system(command);
    free(bench);
    return r;
}

static void begin(Bench *bench) {
    make_bench_service(bench);
    intake_init(&bench->intake);
}

static double custody_counter(Bench *bench, const char *name, const char *more_labels) {
    char labels[96];
    (void)snprintf(labels, sizeof labels, "link=\"%s\"%s", endpoints[bench->id].name, more_labels);
    return counter(bench->service, name, labels);
}

static bool all_are_acknowledged(void *userdata) {
    const Bench *bench = userdata;
    return bench->acknowledged == bench->n_wanted;
}

static bool all_arrived(void *userdata) {
    const Bench *bench = userdata;
    return bench->n_got >= bench->n_wanted;
}

static void assert_each_came_once(const Bench *bench) {
    assert_true(bench->is_in_order);
    for (uint64_t n = 1; n <= bench->n_wanted; n++)
        assert_int_equal(bench->got[n], n != bench->n_large);
}

/* --- the way it usually is --- */

static void acknowledges(Bench *bench, EndpointId id) {
    bench->id = id;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    write_up_to(bench, 3);
    run_until(bench->service, all_are_acknowledged, bench);
    write_up_to(bench, 100);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
    assert_true(custody_counter(bench, "traffic_custody_sent_total", "") >= 100);
    assert_true(custody_counter(bench, "traffic_custody_acknowledged_total", "") == 100);
    assert_true(custody_counter(bench, "traffic_custody_backlog_frames", "") == 0);
    assert_true(custody_counter(bench, "traffic_custody_received_total", ",outcome=\"taken\"") == 100);
}

static void a_publisher_hears_what_its_reader_committed(void **state) {
    acknowledges(*state, ENDPOINT_BROKER);
}

static void a_pusher_hears_what_its_reader_committed(void **state) {
    acknowledges(*state, ENDPOINT_STORE_REPLICA);
}

static void what_is_not_committed_is_not_acknowledged(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->commits = false;
    write_up_to(bench, 10);
    run_until(bench->service, all_arrived, bench);
    run_for(bench->service, 1500 * USEC_PER_MSEC); /* longer than between two acknowledgements without news */
    assert_int_equal(bench->acknowledged, 0);
    commit(bench);
    run_until(bench->service, all_are_acknowledged, bench);
}

static void a_backlog_of_many_turns_arrives_in_order(void **state) {
    Bench *bench = *state;
    begin(bench);
    write_up_to(bench, FRAMES_MAX);
    start_writer(bench);
    start_reader(bench);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
}

static bool window_is_full(void *userdata) {
    const Bench *bench = userdata;
    return bench->n_got >= (uint64_t)bench->settings.custody_window;
}

static double acks_heard(const Bench *bench) {
    return counter(bench->service, "traffic_link_frames_total", "link=\"ack.broker\",direction=\"in\"");
}

/* Each frame is a commit of its own here; a commit that is told alone wakes the writer alone. */
static void commits_close_to_each_other_are_acknowledged_together_where_the_reader_is_paced(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    receiver_pace(bench->receiver);
    write_up_to(bench, FRAMES_MAX);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
    assert_true(acks_heard(bench) < FRAMES_MAX / 2.0);
}

static void no_more_than_the_window_is_under_way(void **state) {
    Bench *bench = *state;
    bench->settings.custody_window = 16;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->commits = false;
    write_up_to(bench, 40);
    run_until(bench->service, window_is_full, bench);
    run_for(bench->service, 200 * USEC_PER_MSEC);
    assert_int_equal(bench->n_got, 16);
    bench->commits = true;
    commit(bench);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
}

/* --- what goes wrong on the way --- */

static bool half_arrived(void *userdata) {
    const Bench *bench = userdata;
    return bench->n_got >= bench->n_wanted / 2;
}

static void restarts_reader(Bench *bench, EndpointId id) {
    bench->id = id;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->commits = false;
    write_up_to(bench, 50);
    run_until(bench->service, half_arrived, bench);
    commit(bench);
    write_up_to(bench, 1000);
    run_until(bench->service, half_arrived, bench);
    stop_reader(bench);
    bench->commits = true;
    start_reader(bench);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
}

static void a_subscriber_that_restarts_gets_what_it_had_not_committed(void **state) {
    restarts_reader(*state, ENDPOINT_SENSOR_GPS);
}

/* Nobody tells a pusher but the link itself: the patience of resend_sec is far from over. */
static void a_puller_that_restarts_gets_what_it_had_not_committed(void **state) {
    restarts_reader(*state, ENDPOINT_STORE_PRIMARY);
}

static void a_sender_that_restarts_goes_on_with_what_is_not_acknowledged(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->is_deaf = true;
    write_up_to(bench, 50);
    run_until(bench->service, all_arrived, bench);
    assert_int_equal(bench->acknowledged, 0);
    stop_writer(bench);
    bench->is_deaf = false;
    start_writer(bench);
    write_up_to(bench, 80);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
}

static void an_acknowledgement_that_was_lost_is_made_good_within_a_second_or_so(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->is_deaf = true;
    write_up_to(bench, 5);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
}

static void a_frame_that_was_lost_is_asked_for_once_and_comes_again(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->lost_once = 4;
    write_up_to(bench, 10);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
    assert_true(custody_counter(bench, "traffic_custody_received_total", ",outcome=\"gap\"") > 0);
    assert_true(custody_counter(bench, "traffic_custody_resent_total", "") > 0);
    assert_true(custody_counter(bench, "traffic_custody_given_up_total", "") == 0);
}

/* Nothing follows it, so nobody can miss it. */
static void the_last_frame_comes_again_when_nobody_acknowledges_it(void **state) {
    Bench *bench = *state;
    bench->settings.custody_resend_sec = 0.05;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    write_up_to(bench, 5);
    run_until(bench->service, all_are_acknowledged, bench);
    bench->lost_once = 6;
    write_up_to(bench, 6);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
}

/* The repeats alone cause no commit: the receiver acknowledges them by itself. */
static void what_is_sent_again_is_taken_once_and_acknowledged_again(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    write_up_to(bench, 20);
    run_until(bench->service, all_are_acknowledged, bench);
    stop_writer(bench);
    bench->commits = false;
    bench->acknowledged = 5; /* an older state */
    bench->oldest = 6;
    start_writer(bench);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
    assert_true(custody_counter(bench, "traffic_custody_given_up_total", "") == 0);
}

static void a_reader_that_lost_its_disk_gets_what_is_still_there(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    write_up_to(bench, 20);
    run_until(bench->service, all_are_acknowledged, bench);
    stop_reader(bench);
    bench->oldest = 11; /* another reader still needs them */
    intake_init(&bench->intake);
    memset(bench->got, 0, sizeof bench->got);
    bench->n_got = 0;
    start_reader(bench);
    bench->got[10] = 1;
    write_up_to(bench, 30);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_true(bench->is_in_order);
    for (unsigned n = 11; n <= 30; n++)
        assert_int_equal(bench->got[n], 1);
}

/* --- what cannot be sent --- */

static void a_frame_that_its_hop_makes_too_large_is_counted_and_the_next_ones_arrive(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->n_large = 4;
    write_up_to(bench, 10);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
    /* Once where it could not be sent, once where it never came. */
    assert_true(custody_counter(bench, "traffic_custody_given_up_total", "") == 2);
}

/* From the hops behind it a reader learns that nobody need wait for it, and would believe the same of what
 * came before. */
static void what_comes_before_a_frame_that_cannot_be_sent_is_not_given_up_with_it(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->n_large = 4;
    bench->lost_once = 3;
    write_up_to(bench, 10);
    run_for(bench->service, 300 * USEC_PER_MSEC);
    assert_int_equal(bench->acknowledged, 2); /* nothing follows the lost one, so nobody asked for it yet */
    sender_reader_is_there(bench->sender, true);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
}

static void reading_that_fails_is_tried_again(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->n_unreadable = 2;
    write_up_to(bench, 10);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
}

/* --- streams and epochs --- */

static void a_reader_that_knows_more_than_there_is_gets_a_new_stream(void **state) {
    Bench *bench = *state;
    begin(bench);
    intake_restore(&bench->intake, STREAM, 1, 500);
    start_reader(bench);
    write_up_to(bench, 10);
    start_writer(bench);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
    assert_int_equal(bench->n_renewed, 1);
}

static bool has_heard_both(void *userdata) {
    char ack[128] = "";
    Bench *bench = userdata;
    while (zmq_recv(bench->foreign, ack, sizeof ack - 1, ZMQ_DONTWAIT) > 0) {
        bench->n_heard_of[0] += strstr(ack, "\"stream\":\"000000000000000a\",\"position\":500") != NULL;
        bench->n_heard_of[1] += strstr(ack, "\"stream\":\"000000000000000b\",\"position\":7") != NULL;
        memset(ack, 0, sizeof ack);
    }
    return bench->n_heard_of[0] > 0 && bench->n_heard_of[1] > 0;
}

/* Not only of the newest one: it may be a copy from before its stream was renewed. */
static void a_writer_that_connects_hears_of_all_streams(void **state) {
    Bench *bench = *state;
    bench->id = ENDPOINT_STORE_PRIMARY;
    begin(bench);
    intake_restore(&bench->intake, 0xA, 1, 500);
    intake_restore(&bench->intake, 0xB, 2, 7);
    start_reader(bench);
    bench->foreign = foreign_peer(bench->service, ZMQ_SUB, link_acks(bench->id));
    run_until(bench->service, has_heard_both, bench);
    foreign_close(bench->foreign);
}

static void a_stream_that_another_reader_made_new_is_followed(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    write_up_to(bench, 10);
    run_until(bench->service, all_are_acknowledged, bench);
    bench->stream = STREAM + 7;
    write_up_to(bench, 20);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
    assert_int_equal(intake_newest(&bench->intake)->stream, STREAM + 7);
}

static void acknowledgements_of_another_stream_say_nothing(void **state) {
    Bench *bench = *state;
    static const char ack[] = "{\"stream\":\"00000000000000aa\",\"position\":5,\"epoch\":0}";
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->commits = false;
    write_up_to(bench, 10);
    void *peer = foreign_peer(bench->service, ZMQ_PUSH, link_acks(bench->id));
    assert_int_equal(zmq_send(peer, ack, sizeof ack - 1, 0), sizeof ack - 1);
    run_for(bench->service, 300 * USEC_PER_MSEC);
    assert_int_equal(bench->acknowledged, 0);
    foreign_close(peer);
}

static bool has_refused(void *userdata) {
    return counter(((Bench *)userdata)->service, "traffic_refused_total",
                   "link=\"ack.broker\",reason=\"out_of_range\"") > 0;
}

static void an_acknowledgement_of_no_stream_is_refused(void **state) {
    Bench *bench = *state;
    static const char ack[] = "{\"stream\":\"0\",\"position\":5,\"epoch\":0}";
    begin(bench);
    start_writer(bench);
    void *peer = foreign_peer(bench->service, ZMQ_PUSH, link_acks(bench->id));
    assert_int_equal(zmq_send(peer, ack, sizeof ack - 1, 0), sizeof ack - 1);
    run_until(bench->service, has_refused, bench);
    foreign_close(peer);
}

/* The service ends, so that what starts it again starts it with a higher epoch, whatever the clock says. */
static bool has_ended(void *userdata) {
    return sd_event_get_state(service_event(((Bench *)userdata)->service)) == SD_EVENT_FINISHED;
}

static void a_writer_that_was_replaced_ends_and_comes_back_above_its_successor(void **state) {
    Bench *bench = *state;
    int status = 0;
    begin(bench);
    const int64_t far_ahead = service_epoch(bench->service) + 50 * YEAR_USEC;
    intake_restore(&bench->intake, 1, far_ahead, 1);
    start_writer(bench);
    start_reader(bench);
    write_up_to(bench, 10);
    run_until(bench->service, has_ended, bench);
    assert_true(sd_event_get_exit_code(service_event(bench->service), &status) >= 0);
    assert_int_equal(status, EXIT_FAILURE);
    assert_int_equal(bench->n_got, 0);

    stop_writer(bench);
    stop_reader(bench);
    service_free(bench->service);
    make_bench_service(bench);
    assert_int_equal(service_epoch(bench->service), far_ahead + 1);
    start_writer(bench);
    start_reader(bench);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_each_came_once(bench);
}

static bool acks_came_in(void *userdata) {
    return acks_heard(userdata) >= 3;
}

/* Who connects to its reader hears of its successor as soon as the reader does. */
static void a_pusher_that_was_replaced_ends_before_it_sends(void **state) {
    Bench *bench = *state;
    bench->id = ENDPOINT_STORE_PRIMARY;
    begin(bench);
    intake_restore(&bench->intake, 1, service_epoch(bench->service) + YEAR_USEC, 1);
    start_writer(bench);
    start_reader(bench);
    run_until(bench->service, has_ended, bench);
    assert_int_equal(bench->n_arrived, 0);
}

/* Anybody can say a number on the port of the acknowledgements. */
static void strangers_do_not_end_a_writer(void **state) {
    Bench *bench = *state;
    char ack[128];
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    void *peer = foreign_peer(bench->service, ZMQ_PUSH, link_acks(bench->id));
    const struct {
        unsigned stream;
        int64_t epoch;
    } said[] = {{STREAM + 1, service_epoch(bench->service) + YEAR_USEC},
                {STREAM, service_epoch(bench->service) + 101 * YEAR_USEC},
                {STREAM, INT64_MAX}};
    for (size_t i = 0; i < 3; i++) {
        int size = snprintf(ack, sizeof ack, "{\"stream\":\"%016x\",\"position\":0,\"epoch\":%lld}",
                            said[i].stream, (long long)said[i].epoch);
        assert_int_equal(zmq_send(peer, ack, (size_t)size, 0), size);
    }
    run_until(bench->service, acks_came_in, bench);
    write_up_to(bench, 10);
    run_until(bench->service, all_are_acknowledged, bench);
    assert_false(has_ended(bench));
    foreign_close(peer);
}

/* One such number, kept for ever, would fence every honest writer for ever. */
static void a_frame_of_the_distant_future_does_not_fence_its_writer(void **state) {
    Bench *bench = *state;
    bench->id = ENDPOINT_STORE_PRIMARY;
    begin(bench);
    start_reader(bench);
    const int64_t now = service_epoch(bench->service);
    const Hop of_a_stranger[] = {
        {.stream = 1, .epoch = INT64_MAX - 1, .position = 1, .oldest = 1},
        {.stream = 2, .epoch = now + 101 * YEAR_USEC, .position = 1, .oldest = 1},
    };
    const Hop honest = {.stream = 3, .epoch = now, .position = 1, .oldest = 1};
    assert_int_equal(receiver_judge_hop(bench->receiver, &of_a_stranger[0]), RECEIVER_LEAVE);
    assert_int_equal(receiver_judge_hop(bench->receiver, &of_a_stranger[1]), RECEIVER_LEAVE);
    assert_int_equal(receiver_judge_hop(bench->receiver, &honest), RECEIVER_TAKE);
    assert_true(custody_counter(bench, "traffic_custody_received_total", ",outcome=\"unlikely\"") == 2);
}

static bool hears_the_successor(void *userdata) {
    char ack[128] = "";
    return zmq_recv(userdata, ack, sizeof ack - 1, ZMQ_DONTWAIT) > 0 &&
           strstr(ack, "\"stream\":\"0000000000000002\"") && strstr(ack, "\"epoch\":9");
}

/* It is told at once: there may be no commit to wait for. */
static void frames_of_a_writer_that_was_replaced_are_left_and_it_is_told(void **state) {
    Bench *bench = *state;
    bench->id = ENDPOINT_STORE_PRIMARY;
    begin(bench);
    start_reader(bench);
    void *writer = foreign_peer(bench->service, ZMQ_SUB, link_acks(bench->id));
    const Hop newer = {.stream = 1, .epoch = 9, .position = 1, .oldest = 1};
    const Hop older = {.stream = 2, .epoch = 8, .position = 1, .oldest = 1};
    assert_int_equal(receiver_judge_hop(bench->receiver, &newer), RECEIVER_TAKE);
    bool is_told = false;
    for (unsigned attempts = 0; !is_told && attempts < 1000; attempts++) {
        assert_int_equal(receiver_judge_hop(bench->receiver, &older), RECEIVER_LEAVE);
        run_for(bench->service, 20 * USEC_PER_MSEC);
        is_told = hears_the_successor(writer);
    }
    foreign_close(writer);
    assert_true(is_told);
    assert_true(custody_counter(bench, "traffic_custody_received_total", ",outcome=\"fenced\"") > 0);
}

/* --- peers of the first implementation --- */

static void a_reader_of_the_first_implementation_has_what_was_sent(void **state) {
    Bench *bench = *state;
    bench->protocol = PROTOCOL_V0;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    write_up_to(bench, 10);
    run_until(bench->service, all_arrived, bench);
    assert_each_came_once(bench);
    assert_int_equal(bench->acknowledged, 10);
    assert_false(bench->has_hop);
    assert_true(custody_counter(bench, "traffic_custody_received_total", ",outcome=\"plain\"") == 10);
    /* The port of the acknowledgements is nobody's. */
    int fd = listen_on(endpoints[link_acks(bench->id)].port);
    close(fd);
}

static void nothing_counts_as_delivered_to_one_that_is_not_there(void **state) {
    Bench *bench = *state;
    bench->protocol = PROTOCOL_V0;
    begin(bench);
    start_writer(bench);
    write_up_to(bench, 10);
    run_for(bench->service, 100 * USEC_PER_MSEC);
    assert_int_equal(bench->acknowledged, 0);
    start_reader(bench);
    run_until(bench->service, all_arrived, bench);
    assert_each_came_once(bench);
}

static bool all_acknowledged(void *userdata) {
    const Bench *bench = userdata;
    return bench->acknowledged == bench->last;
}

static void topics_that_a_reader_of_the_first_implementation_does_not_know_are_passed_over(void **state) {
    Bench *bench = *state;
    char frame[64], address[64];
    bench->protocol = PROTOCOL_V0;
    begin(bench);
    start_writer(bench);
    void *peer = foreign_peer(bench->service, ZMQ_SUB, ENDPOINT_COUNT);
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%u", endpoints[bench->id].port);
    assert_int_equal(zmq_setsockopt(peer, ZMQ_UNSUBSCRIBE, "", 0), 0);
    assert_int_equal(zmq_setsockopt(peer, ZMQ_SUBSCRIBE, "gps", 3), 0);
    assert_int_equal(zmq_connect(peer, address), 0);
    write_up_to(bench, 10);
    run_until(bench->service, all_acknowledged, bench);
    assert_int_equal(zmq_recv(peer, frame, sizeof frame, ZMQ_DONTWAIT), -1);
    foreign_close(peer);
}

/* --- what the operator hears --- */

static bool is_told_away(void *userdata) {
    return sender_is_waiting(((Bench *)userdata)->sender);
}

static bool is_told_back(void *userdata) {
    return !is_told_away(userdata);
}

static void a_reader_that_acknowledges_nothing_is_told_and_its_return_too(void **state) {
    Bench *bench = *state;
    begin(bench);
    start_writer(bench);
    start_reader(bench);
    bench->commits = false;
    write_up_to(bench, 10);
    run_until(bench->service, all_arrived, bench);
    assert_false(is_told_away(bench));
    run_until(bench->service, is_told_away, bench);
    commit(bench);
    run_until(bench->service, is_told_back, bench);
    run_for(bench->service, 6 * USEC_PER_SEC); /* nothing waits any more, so silence means nothing */
    assert_false(is_told_away(bench));
}

#define HOP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        HOP_TEST(a_publisher_hears_what_its_reader_committed),
        HOP_TEST(a_pusher_hears_what_its_reader_committed),
        HOP_TEST(what_is_not_committed_is_not_acknowledged),
        HOP_TEST(a_backlog_of_many_turns_arrives_in_order),
        HOP_TEST(commits_close_to_each_other_are_acknowledged_together_where_the_reader_is_paced),
        HOP_TEST(no_more_than_the_window_is_under_way),
        HOP_TEST(a_subscriber_that_restarts_gets_what_it_had_not_committed),
        HOP_TEST(a_puller_that_restarts_gets_what_it_had_not_committed),
        HOP_TEST(a_sender_that_restarts_goes_on_with_what_is_not_acknowledged),
        HOP_TEST(an_acknowledgement_that_was_lost_is_made_good_within_a_second_or_so),
        HOP_TEST(a_frame_that_was_lost_is_asked_for_once_and_comes_again),
        HOP_TEST(the_last_frame_comes_again_when_nobody_acknowledges_it),
        HOP_TEST(what_is_sent_again_is_taken_once_and_acknowledged_again),
        HOP_TEST(a_reader_that_lost_its_disk_gets_what_is_still_there),
        HOP_TEST(a_frame_that_its_hop_makes_too_large_is_counted_and_the_next_ones_arrive),
        HOP_TEST(what_comes_before_a_frame_that_cannot_be_sent_is_not_given_up_with_it),
        HOP_TEST(reading_that_fails_is_tried_again),
        HOP_TEST(a_reader_that_knows_more_than_there_is_gets_a_new_stream),
        HOP_TEST(a_writer_that_connects_hears_of_all_streams),
        HOP_TEST(a_stream_that_another_reader_made_new_is_followed),
        HOP_TEST(acknowledgements_of_another_stream_say_nothing),
        HOP_TEST(an_acknowledgement_of_no_stream_is_refused),
        HOP_TEST(a_writer_that_was_replaced_ends_and_comes_back_above_its_successor),
        HOP_TEST(a_pusher_that_was_replaced_ends_before_it_sends),
        HOP_TEST(strangers_do_not_end_a_writer),
        HOP_TEST(a_frame_of_the_distant_future_does_not_fence_its_writer),
        HOP_TEST(frames_of_a_writer_that_was_replaced_are_left_and_it_is_told),
        HOP_TEST(a_reader_of_the_first_implementation_has_what_was_sent),
        HOP_TEST(nothing_counts_as_delivered_to_one_that_is_not_there),
        HOP_TEST(topics_that_a_reader_of_the_first_implementation_does_not_know_are_passed_over),
        HOP_TEST(a_reader_that_acknowledges_nothing_is_told_and_its_return_too),
    };
    return cmocka_run_group_tests_name("hop", tests, NULL, NULL);
}
