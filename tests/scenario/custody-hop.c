/* The writer's end as custody/sender.c does it, the reader's as custody/receiver.c: here are no rules, only
 * who asks which core what. */
#include "custody-world.h"

enum { FRAMES_PER_STEP = 32 };

static const OutflowLimits limits = {.window = WINDOW,
                                     .resend_usec = RESEND_MS * USEC_PER_MSEC,
                                     .resend_max_usec = RESEND_MAX_MS * USEC_PER_MSEC};

static Spool *spool_of(const CustodyHop *hop) {
    return &world.spools[hop->writer];
}

/* --- the writer --- */

void hop_writer_begins(CustodyHop *hop) {
    const SpoolState *disk = &spool_of(hop)->disk;
    outflow_init(&hop->flow, &limits, disk->acknowledged[hop->reader_number], disk->last);
}

/* What the outflow counts as acknowledged goes to the disk with the next commit, or to a sensor's client. */
static void keep_acknowledged(CustodyHop *hop) {
    Spool *spool = spool_of(hop);
    uint64_t *kept = &spool->memory.acknowledged[hop->reader_number];
    if (*kept == hop->flow.acknowledged)
        return;
    if (hop->writer == SENSOR)
        for (uint64_t position = *kept + 1; position <= hop->flow.acknowledged; position++) {
            world.verdict.n_acknowledged++;
            world.is_acknowledged[spool->rows[position % SPOOL_ROWS]] = true;
        }
    *kept = hop->flow.acknowledged;
    spool->is_dirty = true;
}

void hop_cursor_back(CustodyHop *hop) {
    (void)outflow_acknowledge(&hop->flow, 0, true, spool_oldest(spool_of(hop)), model_now());
    keep_acknowledged(hop);
    spool_of(hop)->is_dirty = true;
}

static void renew_stream(CustodyHop *hop) {
    Spool *spool = spool_of(hop);
    if (world.scenario.broken == BREAK_KEEP_STREAM || spool->memory.stream != spool->disk.stream)
        return;
    spool->memory.stream = model_new_stream();
    spool->is_dirty = true;
    world.verdict.n_new_streams++;
}

static void hear(CustodyHop *hop) {
    Packet ack;
    while (line_receive(&hop->acks, &world.random, world.now_ms, &ack)) {
        if (ack.hop.stream != spool_of(hop)->disk.stream)
            continue;
        OutflowVerdict verdict = outflow_acknowledge(&hop->flow, ack.hop.position, ack.asks,
                                                     spool_oldest(spool_of(hop)), model_now());
        if (verdict == OUTFLOW_FOREIGN)
            renew_stream(hop);
        keep_acknowledged(hop);
    }
}

/* The truth: a position that was sent once says the same for ever. */
static void note_sent(CustodyHop *hop, uint64_t position, uint32_t event) {
    SentAs *noted = &hop->sent_as[position % SPOOL_ROWS];
    uint64_t stream = spool_of(hop)->disk.stream;
    if (noted->stream == stream && noted->position == position && noted->event != event)
        world.verdict.n_reused++;
    *noted = (SentAs){stream, position, event};
}

/* False: the link takes no more. */
static bool send_one(CustodyHop *hop, uint64_t position) {
    const Spool *spool = spool_of(hop);
    Packet frame = {.hop = {.stream = spool->disk.stream,
                            .epoch = world.nodes[hop->writer].epoch,
                            .position = position,
                            .oldest = spool_oldest(spool)},
                    .event = spool->rows[position % SPOOL_ROWS]};
    if (!line_send(&hop->data, &world.random, world.now_ms, &frame) && !hop->lets_drop)
        return false;
    note_sent(hop, position, frame.event);
    outflow_sent(&hop->flow, model_now());
    return true;
}

/* What every other reader had and this one is said to have: sending goes on with what there is. */
static void pass_over(CustodyHop *hop) {
    (void)outflow_acknowledge(&hop->flow, hop->flow.acknowledged, true, spool_oldest(spool_of(hop)),
                              model_now());
    keep_acknowledged(hop);
}

void hop_write(CustodyHop *hop) {
    const Spool *spool = spool_of(hop);
    uint64_t position;
    hear(hop);
    if (spool->memory.stream != spool->disk.stream)
        return; /* the new number is not on disk yet */
    outflow_add(&hop->flow,
                world.scenario.broken == BREAK_SEND_BEFORE_COMMIT ? spool->memory.last : spool->disk.last);
    (void)outflow_tick(&hop->flow, model_now());
    for (unsigned i = 0; i < FRAMES_PER_STEP && outflow_next(&hop->flow, &position); i++)
        if (position <= spool->deleted)
            pass_over(hop);
        else if (!send_one(hop, position))
            break;
    world.verdict.n_resent += hop->flow.n_resent;
    hop->flow.n_resent = 0;
}

/* --- the reader --- */

static void send_ack(CustodyHop *hop, const IntakeCursor *cursor, bool asks) {
    bool is_early = world.scenario.broken == BREAK_ACKNOWLEDGE_BEFORE_COMMIT;
    Packet ack = {.hop = {.stream = cursor->stream,
                          .epoch = hop->intake.writer_epoch,
                          .position = is_early ? cursor->accepted : cursor->committed},
                  .asks = asks};
    (void)line_send(&hop->acks, &world.random, world.now_ms, &ack);
}

static void say_hello(CustodyHop *hop) {
    const IntakeCursor *newest = intake_newest(&hop->intake);
    hop->hello_ms = world.now_ms + HELLO_MS;
    if (newest)
        send_ack(hop, newest, false);
}

void hop_reader_begins(CustodyHop *hop, const SavedCursors *cursors) {
    intake_init(&hop->intake);
    for (size_t i = 0; i < INTAKE_STREAMS; i++)
        intake_restore(&hop->intake, cursors->of[i].stream, cursors->of[i].epoch, cursors->of[i].accepted);
}

static void answer_gap(CustodyHop *hop, uint64_t stream) {
    for (size_t i = 0; i < INTAKE_STREAMS; i++)
        if (hop->intake.cursors[i].stream == stream)
            send_ack(hop, &hop->intake.cursors[i], true);
}

bool hop_read(CustodyHop *hop, uint32_t *ret_event) {
    Packet frame;
    while (line_receive(&hop->data, &world.random, world.now_ms, &frame)) {
        const IntakeAnswer answer = intake_judge(&hop->intake, &frame.hop);
        world.verdict.n_repeats += answer.verdict == INTAKE_REPEAT;
        world.verdict.n_gaps += answer.verdict == INTAKE_GAP;
        world.verdict.n_fenced += answer.verdict == INTAKE_FENCED;
        world.verdict.n_given_up += answer.n_given_up;
        if (answer.must_ask)
            answer_gap(hop, frame.hop.stream);
        if (answer.verdict != INTAKE_ACCEPT)
            continue;
        *ret_event = frame.event;
        if (world.scenario.broken == BREAK_ACKNOWLEDGE_BEFORE_COMMIT)
            say_hello(hop);
        return true;
    }
    return false;
}

void hop_tell(CustodyHop *hop) {
    const IntakeCursor *cursor;
    while ((cursor = intake_take_owed(&hop->intake)))
        send_ack(hop, cursor, false);
    if (world.now_ms >= hop->hello_ms)
        say_hello(hop);
}

/* --- both --- */

void hop_connect(CustodyHop *hop) {
    line_replace(&hop->data, &world.random);
    line_replace(&hop->acks, &world.random);
    if (world.nodes[hop->writer].is_up)
        outflow_reader_is_there(&hop->flow, true);
    if (world.nodes[hop->reader].is_up) {
        intake_owe_all(&hop->intake);
        hop_tell(hop);
    }
}
