/* A line of a recording: what is taken as an event can be written and reads back the same; what is taken as a
 * header too. */
#include "fuzz.h"

#include "recording.h"

#include <string.h>

/* The largest line that a reader hands over, written again, may be a little longer: numbers get their usual
 * form. */
static char first[4 * RECORDING_LINE_MAX_BYTES], second[4 * RECORDING_LINE_MAX_BYTES];

static void event_reads_back(RecordingParser *parser, const RecordedEvent *event) {
    RecordedEvent again;
    Refusal refusal;
    Problem problem;
    int size = recording_format_event(event, first, sizeof first, &problem);
    promise(size > 0 && first[size - 1] == '\n');
    promise(recording_parse_event(parser, first, (size_t)size - 1, &again, &refusal, &problem) == 0);
    promise(again.offset_usec == event->offset_usec);
    promise(again.kind == event->kind);
    promise(recording_format_event(&again, second, sizeof second, &problem) == size);
    promise(memcmp(first, second, (size_t)size) == 0);
}

static void header_reads_back(RecordingParser *parser, const RecordingHeader *header) {
    RecordingHeader again;
    Problem problem;
    int size = recording_format_header(header, first, sizeof first);
    promise(size > 0);
    promise(recording_parse_header(parser, first, (size_t)size - 1, &again, &problem) == 0);
    promise(again.duration_usec == header->duration_usec);
    promise(again.recorded_from.usec == header->recorded_from.usec);
    promise(memcmp(again.counts, header->counts, sizeof again.counts) == 0);
    promise(strcmp(again.origin, header->origin) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static RecordingParser *parser;
    RecordedEvent event;
    RecordingHeader header;
    Refusal refusal;
    Problem problem;
    if (!parser)
        promise(recording_parser_new(&parser) == 0);
    if (recording_parse_event(parser, (const char *)data, size, &event, &refusal, &problem) == 0)
        event_reads_back(parser, &event);
    if (recording_parse_header(parser, (const char *)data, size, &header, &problem) == 0)
        header_reads_back(parser, &header);
    return 0;
}
