/* Recordings of traffic: what sensors reported, in a file that can be replayed, converted, checked and
 * shared.
 *
 * JSON lines in UTF-8, plain or compressed with gzip. The first line is the header, every other line one
 * event:
 *
 *     {"format":"traffic-recording","version":1,"origin":"where it comes from","duration":3600,"seed":7,
 *      "recorded_from":"2012-10-02T09:00:00Z","counts":{"camara":11520,"espira":3840,"gps":5760,"vista":115200}}
 *     {"t":12.000,"topic":"camara","event":{"sensor_id":"CAM-A1-NS",
 *      "tipo_sensor":"camara","interseccion":"INT-A1","volumen":3}}    each on one line
 *
 * `t` is seconds from the start of the recording, never decreasing, at most `duration`. An event is one of
 * the wire without its times and without an identity: whoever replays it adds both. A loop's interval ends at
 * `t`, a vehicle passes at `t`. `duration` is how long one turn takes when the recording is looped. `seed` and
 * `recorded_from` may be left out, and so may a topic of which there is nothing in `counts`, which must be true.
 *
 * Refused lines do not end the reading: the reader says which and why, the caller counts them. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/time.h"
#include "wire/endpoints.h"
#include "wire/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDING_VERSION          1
#define RECORDING_LINE_MAX_BYTES   EVENT_MAX_BYTES
#define RECORDING_ORIGIN_MAX_BYTES 255
#define RECORDING_MAX_SEC          (100 * 366 * 86400.0)

typedef struct RecordingHeader {
    char origin[RECORDING_ORIGIN_MAX_BYTES + 1];
    uint64_t duration_usec;
    bool has_seed;
    int64_t seed;
    bool has_recorded_from;
    Wall recorded_from;
    uint64_t counts[EVENT_COUNT]; /* as in event_tags */
} RecordingHeader;

typedef struct RecordedEvent {
    uint64_t offset_usec; /* from the start of the recording */
    SensorKind kind;
    Message message; /* without times and identity; what it borrows lives until the reader's next one */
} RecordedEvent;

/* --- lines: pure, one parser per thread --- */

typedef struct RecordingParser RecordingParser;

int recording_parser_new(RecordingParser **ret);
RecordingParser *recording_parser_free(RecordingParser *parser);
DEFINE_FREEP(RecordingParser, recording_parser_free)

/* One line without its line feed. 0, or -EBADMSG with what was expected and what came in `problem`;
 * -ENOMEM. */
int recording_parse_header(RecordingParser *parser, const char *line, size_t size, RecordingHeader *ret,
                           Problem *problem);
int recording_parse_event(RecordingParser *parser, const char *line, size_t size, RecordedEvent *ret,
                          Refusal *ret_refusal, Problem *problem);

/* The line of a header or an event, with its line feed and a NUL. Returns its size without the NUL; -ENOBUFS,
 * or -EINVAL when the event is not one a reader would take (then `problem` names the member). */
int recording_format_header(const RecordingHeader *header, char *buffer, size_t buffer_size);
int recording_format_event(const RecordedEvent *event, char *buffer, size_t buffer_size, Problem *problem);

/* --- files --- */

typedef struct RecordingReader RecordingReader;

/* Opens the file and reads its header. -ENOENT, -EIO..., -EBADMSG when it is not a recording. */
int recording_reader_open(const char *path, RecordingReader **ret, Problem *problem);
RecordingReader *recording_reader_free(RecordingReader *reader);
DEFINE_FREEP(RecordingReader, recording_reader_free)

const RecordingHeader *recording_reader_header(const RecordingReader *reader);

/* The next event, streamed: memory does not grow with the file. 1: *ret is an event; 0: the end; -EBADMSG:
 * this line was refused, go on with the next call; any other negative errno (-EIO for damaged compression):
 * the rest cannot be read. */
int recording_reader_next(RecordingReader *reader, RecordedEvent *ret, Refusal *ret_refusal,
                          Problem *problem);

/* Number of the line last read; the header is line 1. */
uint64_t recording_reader_line(const RecordingReader *reader);

/* Starts again after the header. */
int recording_reader_rewind(RecordingReader *reader, Problem *problem);

typedef struct RecordingWriter RecordingWriter;

/* Writes below a temporary name next to `path`, compressed when `path` ends in .gz (without a time stamp: the
 * same events give the same bytes). "-" is standard output, plain. */
int recording_writer_open(const char *path, const RecordingHeader *header, RecordingWriter **ret,
                          Problem *problem);

int recording_writer_add(RecordingWriter *writer, const RecordedEvent *event, Problem *problem);

/* Finishes the file and gives it its name. Without it (a failure on the way) nothing is left behind. */
int recording_writer_finish(RecordingWriter *writer, Problem *problem);
RecordingWriter *recording_writer_free(RecordingWriter *writer);
DEFINE_FREEP(RecordingWriter, recording_writer_free)
