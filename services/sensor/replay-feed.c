/* Each process replays its own kind and passes over the lines of the others. When the recording is looped,
 * the next turn begins where the last one ended: the timeline goes on, so timestamps never go back.
 *
 * A refused line costs that line: it is counted and named, and the replay goes on. A file that is damaged
 * ends the replay there. */
#include "replay-feed.h"

#include "recording.h"
#include "shell/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ReplayFeed {
    Feed feed;
    Sensor *sensor;
    const char *path; /* of the settings */
    bool is_looped;
    RecordingReader *reader;
    uint64_t turn_start_usec; /* where this turn of the recording began on the timeline */
    uint64_t turns;
    uint64_t readings_in_turn;
    uint64_t position_usec; /* of the last reading, in the recording */
    bool has_ended, is_damaged;
} ReplayFeed;

static FeedResult end_of_recording(ReplayFeed *feed, const char *how) {
    feed->has_ended = true;
    journal_note(LOG_NOTICE, "%s: %s", feed->path, how);
    return FEED_ENDED;
}

/* The file has been read to its end. A turn without a reading of this kind is not repeated: it would turn for
 * ever for nothing. */
static FeedResult end_of_turn(ReplayFeed *feed) {
    feed->turns++;
    if (!feed->is_looped)
        return end_of_recording(feed, "the recording has ended; [sensor] loop would start it again");
    if (feed->readings_in_turn == 0)
        return end_of_recording(feed, "the recording holds nothing for this sensor");
    Problem problem;
    if (recording_reader_rewind(feed->reader, &problem) < 0) {
        feed->is_damaged = true;
        return end_of_recording(feed, problem.text);
    }
    feed->turn_start_usec += recording_reader_header(feed->reader)->duration_usec;
    feed->readings_in_turn = 0;
    return FEED_PASSED;
}

static FeedResult refused_line(ReplayFeed *feed, Refusal refusal, const Problem *problem) {
    char origin[320];
    (void)snprintf(origin, sizeof origin, "%s:%" PRIu64, feed->path, recording_reader_line(feed->reader));
    sensor_refuse(feed->sensor, "recording", origin, refusal, problem);
    return FEED_PASSED;
}

static FeedResult replay_next(Feed *base, Reading *ret) {
    ReplayFeed *feed = (ReplayFeed *)base;
    RecordedEvent event;
    Refusal refusal;
    Problem problem;
    if (feed->has_ended)
        return FEED_ENDED;
    int r = recording_reader_next(feed->reader, &event, &refusal, &problem);
    if (r == 0)
        return end_of_turn(feed);
    if (r == -EBADMSG)
        return refused_line(feed, refusal, &problem);
    if (r < 0) {
        feed->is_damaged = true;
        return end_of_recording(feed, problem.text);
    }
    if (event.kind != sensor_kind(feed->sensor))
        return FEED_PASSED;
    switch (sensor_match(feed->sensor, &event.message, &refusal, &problem)) {
    case MATCH_UNKNOWN:
        return refused_line(feed, refusal, &problem);
    case MATCH_LEFT_OUT:
        sensor_count_left_out(feed->sensor);
        return FEED_PASSED;
    case MATCH_TAKES_PART:
        break;
    }
    feed->readings_in_turn++;
    feed->position_usec = event.offset_usec;
    ret->event = event.message;
    ret->position_usec = feed->turn_start_usec + event.offset_usec;
    return FEED_READING;
}

static void replay_describe(const Feed *base, char *buffer, size_t size) {
    const ReplayFeed *feed = (const ReplayFeed *)base;
    double duration_sec = (double)recording_reader_header(feed->reader)->duration_usec / USEC_PER_SEC;
    if (feed->has_ended)
        (void)snprintf(buffer, size, "replay of %s has %s, after line %" PRIu64, feed->path,
                       feed->is_damaged ? "ended early, the file is damaged" : "ended",
                       recording_reader_line(feed->reader));
    else
        (void)snprintf(buffer, size, "replay of %s, turn %" PRIu64 ", at %.0f of %.0f s", feed->path,
                       feed->turns + 1, (double)feed->position_usec / USEC_PER_SEC, duration_sec);
}

static Feed *replay_free(Feed *base) {
    ReplayFeed *feed = (ReplayFeed *)base;
    if (feed) {
        recording_reader_free(feed->reader);
        free(feed);
    }
    return NULL;
}

static const FeedType replay_feed = {.next = replay_next, .describe = replay_describe, .free = replay_free};

/* What the settings ask of the recording. */
static int check_use(const Settings *settings, const RecordingHeader *header, Problem *problem) {
    if (settings->sensor_loop && header->duration_usec == 0)
        return problem_set(problem, -EINVAL, "%s: a recording of duration 0 cannot be looped",
                           settings->sensor_recording);
    if (settings->sensor_time_base == TIME_BASE_RECORDED && !header->has_recorded_from)
        return problem_set(
            problem, -EINVAL,
            "%s: [sensor] time_base = recorded needs a recording that says when it was recorded "
            "(\"recorded_from\" in its header); use time_base = now",
            settings->sensor_recording);
    return 0;
}

int replay_feed_new(Sensor *sensor, Feed **ret, Problem *problem) {
    const Settings *settings = service_settings(sensor_service_of(sensor));
    scoped(recording_reader_freep) RecordingReader *reader = NULL;
    int r = recording_reader_open(settings->sensor_recording, &reader, problem);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return -EINVAL; /* a setting names what cannot be replayed */
    const RecordingHeader *header = recording_reader_header(reader);
    r = check_use(settings, header, problem);
    if (r < 0)
        return r;
    ReplayFeed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return -ENOMEM;
    *feed = (ReplayFeed){
        .feed = {.type = &replay_feed},
        .sensor = sensor,
        .path = settings->sensor_recording,
        .is_looped = settings->sensor_loop,
        .reader = take(reader),
    };
    if (settings->sensor_time_base == TIME_BASE_RECORDED)
        feed->feed.base = header->recorded_from;
    *ret = &feed->feed;
    return 0;
}
