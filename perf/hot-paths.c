/* What an event costs at each step of its way, without sockets and without waiting: for counting instructions.
 *
 *     build/perf/hot-paths STEP EVENTS DIRECTORY
 *     build/perf/hot-paths --steps
 *
 * Sends EVENTS through one step. Files go into DIRECTORY. perf/instructions counts for all of them; what has to be set up
 * first cancels out between two runs of different length. */
#include "base/macro.h"
#include "relay-packet.h"
#include "store/db.h"
#include "store/records.h"
#include "store/spool.h"
#include "wire/hop-text.h"
#include "wire/messages.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMIT_EVERY = 64 }; /* as many as a commit finds under a few thousand events a second */

#define PACKET                                                                                               \
    "\"sensor_id\":\"CAM-B2-NS\",\"tipo_sensor\":\"camara\",\"interseccion\":\"INT-B2\",\"volumen\":7,"      \
    "\"velocidad_promedio\":31.5,\"timestamp\":\"2026-11-27T12:00:00Z\",\"producer_id\":\"generator-camera-" \
    "1\","                                                                                                   \
    "\"epoch\":1795780800000000,\"seq\":1234567,\"captured_us\":1795780800123456}"

static const char packet[] = "{\"id\":1234567," PACKET;
static const char event_frame[] = "camara {" PACKET;
static const char record_frame[] =
    "{\"type\":\"sensor_event\",\"data\":{\"sensor_id\":\"CAM-B2-NS\",\"tipo_sensor\":\"camara\","
    "\"interseccion\":\"INT-B2\","
    "\"timestamp\":\"2026-11-27T12:00:00Z\",\"event_data\":{" PACKET ",\"captured_us\":1795780800123456,"
    "\"producer_id\":\"generator-camera-1\",\"epoch\":1795780800000000,\"seq\":1234567}}";
static const Wall noon = {UINT64_C(1795780800000000)};

static void must(int r, const Problem *problem) {
    if (r >= 0)
        return;
    fprintf(stderr, "hot-paths: %s\n", problem->text);
    exit(1);
}

static Decoder *make_decoder(void) {
    Decoder *decoder = NULL;
    const Problem problem = {"out of memory"};
    must(decoder_new(&decoder), &problem);
    return decoder;
}

static void decode_one(Decoder *decoder, MessageFamily family, const char *frame, Message *ret) {
    Refusal refusal;
    Problem problem;
    must(message_decode(decoder, family, frame, strlen(frame), ret, &refusal, &problem), &problem);
}

static void file_name(const char *directory, const char *name, char ret[static PATH_MAX]) {
    (void)snprintf(ret, PATH_MAX, "%s/%s", directory, name);
}

/* --- the steps --- */

/* `frame` is what the step is about, of the grammar `family`; files go into `directory`. */
typedef struct HotPath {
    const char *name;
    void (*run)(const struct HotPath *path, unsigned n, const char *directory);
    MessageFamily family;
    const char *frame;
} HotPath;

static void take_packets(const HotPath *path, unsigned n, const char *directory) {
    (void)directory;
    scoped(relay_parser_freep) RelayParser *parser = NULL;
    Refusal refusal;
    Problem problem = {"out of memory"};
    RelayPacket parsed;
    must(relay_parser_new(&parser), &problem);
    for (unsigned i = 0; i < n; i++)
        must(relay_parse(parser, SENSOR_CAMERA, path->frame, strlen(path->frame), noon, &parsed, &refusal,
                         &problem),
             &problem);
}

static void encode(const HotPath *path, unsigned n, const char *directory) {
    (void)directory;
    scoped(decoder_freep) Decoder *decoder = make_decoder();
    Message message;
    Problem problem;
    char buffer[FRAME_MAX_BYTES];
    decode_one(decoder, path->family, path->frame, &message);
    for (unsigned i = 0; i < n; i++)
        must(message_encode(&message, buffer, sizeof buffer, &problem), &problem);
}

static void decode(const HotPath *path, unsigned n, const char *directory) {
    (void)directory;
    scoped(decoder_freep) Decoder *decoder = make_decoder();
    Message message;
    for (unsigned i = 0; i < n; i++)
        decode_one(decoder, path->family, path->frame, &message);
}

static void carry(const HotPath *path, unsigned n, const char *directory) {
    (void)directory;
    const Problem problem = {"a hop does not come back as it was put"};
    char with_hop[FRAME_MAX_BYTES], without[FRAME_MAX_BYTES];
    for (unsigned i = 0; i < n; i++) {
        const Hop hop = {
            .stream = 0x1234567890ABCDEF, .epoch = (int64_t)noon.usec, .position = i + 1, .oldest = 1};
        Hop came;
        size_t size;
        int r = hop_put(path->frame, strlen(path->frame), &hop, with_hop, sizeof with_hop);
        must(r, &problem);
        must(hop_take(with_hop, (size_t)r, &came, without, &size) ? 0 : -1, &problem);
    }
}

/* Kept, committed, read back by nobody, let go. */
static void keep(const HotPath *path, unsigned n, const char *directory) {
    static const char *const readers[] = {"analytics", NULL};
    const SpoolLimits limits = {.max_bytes = UINT64_C(1) << 30, .memory_bytes = 16 << 20};
    scoped(spool_freep) Spool *spool = NULL;
    Problem problem = {"there is no room"};
    char file[PATH_MAX];
    file_name(directory, "spool.db", file);
    must(spool_open(file, readers, &limits, &spool, &problem), &problem);
    for (unsigned i = 1; i <= n; i++) {
        must(spool_append(spool, path->frame, strlen(path->frame)), &problem);
        if (i % COMMIT_EVERY > 0)
            continue;
        must(spool_commit(spool, &problem), &problem);
        spool_acknowledge(spool, 0, spool_committed(spool));
    }
}

static void store(const HotPath *path, unsigned n, const char *directory) {
    scoped(db_closep) sqlite3 *db = NULL;
    scoped(record_writer_freep) RecordWriter *writer = NULL;
    scoped(decoder_freep) Decoder *decoder = make_decoder();
    Message record;
    Problem problem;
    char file[PATH_MAX];
    decode_one(decoder, path->family, path->frame, &record);
    file_name(directory, "store.db", file);
    must(db_open(file, &db, &problem), &problem);
    must(record_writer_new(db, &writer, &problem), &problem);
    for (unsigned i = 1; i <= n; i++) {
        record.SENSOR_EVENT_RECORD.sequence = i;
        must(record_writer_add(writer, &record, noon, &problem), &problem);
        if (i % COMMIT_EVERY == 0)
            must(record_writer_commit(writer, noon, &problem), &problem);
    }
}

static const HotPath paths[] = {
    {"packet-read", take_packets, MESSAGE_FAMILY_EVENT, packet},
    {"event-write", encode, MESSAGE_FAMILY_EVENT, event_frame},
    {"hop", carry, MESSAGE_FAMILY_EVENT, event_frame},
    {"event-read", decode, MESSAGE_FAMILY_EVENT, event_frame},
    {"record-write", encode, MESSAGE_FAMILY_RECORD, record_frame},
    {"record-read", decode, MESSAGE_FAMILY_RECORD, record_frame},
    {"spool", keep, MESSAGE_FAMILY_EVENT, event_frame},
    {"store-row", store, MESSAGE_FAMILY_RECORD, record_frame},
};

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--steps") == 0) {
        for (size_t i = 0; i < ARRAY_LEN(paths); i++)
            puts(paths[i].name);
        return 0;
    }
    for (size_t i = 0; argc == 4 && i < ARRAY_LEN(paths); i++)
        if (strcmp(paths[i].name, argv[1]) == 0) {
            paths[i].run(&paths[i], (unsigned)strtoul(argv[2], NULL, 10), argv[3]);
            return 0;
        }
    fprintf(stderr, "hot-paths: expected STEP EVENTS DIRECTORY, with a STEP of hot-paths --steps\n");
    return 2;
}
