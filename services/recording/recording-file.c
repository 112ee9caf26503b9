/* Recordings as files, read and written as streams through zlib, which reads plain files as well. Knows
 * lines, not what is in them.
 *
 * The subtle thing: a compressed file that was cut off ends without an error from gzgets(); only gzerror()
 * tells, so the end of file is asked for its reason. */
#include "recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { GZIP_BUFFER_BYTES = 128 * 1024 };

struct RecordingReader {
    char *path;
    gzFile file;
    RecordingParser *parser;
    RecordingHeader header;
    uint64_t line;
    uint64_t last_offset_usec;
    char text[RECORDING_LINE_MAX_BYTES];
};

/* Why there are no more bytes: 0 at the end of a whole file, else -EIO. */
static int end_of_file(RecordingReader *reader, Problem *problem) {
    int error;
    const char *reason = gzerror(reader->file, &error);
    if (error == Z_OK || error == Z_STREAM_END)
        return 0;
    return problem_set(problem, -EIO, "%s: cannot be read beyond line %" PRIu64 ": %s", reader->path,
                       reader->line, error == Z_ERRNO ? strerror(errno) : reason);
}

/* Reads one line into reader->text, without its line feed. 1: there is one of *ret_size bytes; 0: the end;
 * -EBADMSG: a line too long, passed over; -EIO. Byte by byte (gzgetc is a macro over zlib's buffer): gzgets()
 * cannot tell a NUL from the end. */
static int read_line(RecordingReader *reader, size_t *ret_size, Problem *problem) {
    size_t size = 0;
    int byte = gzgetc(reader->file);
    if (byte < 0)
        return end_of_file(reader, problem);
    for (; byte >= 0 && byte != '\n'; byte = gzgetc(reader->file)) {
        if (size < RECORDING_LINE_MAX_BYTES)
            reader->text[size] = (char)byte;
        size++;
    }
    int r = byte < 0 ? end_of_file(reader, problem) : 0;
    if (r < 0)
        return r;
    reader->line++;
    if (size > RECORDING_LINE_MAX_BYTES)
        return problem_set(problem, -EBADMSG, "expected a line of at most %d bytes, got %zu",
                           RECORDING_LINE_MAX_BYTES, size);
    *ret_size = size;
    return 1;
}

static int read_header(RecordingReader *reader, Problem *problem) {
    Problem why = {.text = "the file is empty"};
    size_t size;
    int r = read_line(reader, &size, &why);
    if (r == -EIO)
        return problem_set(problem, r, "%s", why.text);
    if (r > 0)
        r = recording_parse_header(reader->parser, reader->text, size, &reader->header, &why);
    else if (r == 0)
        r = -EBADMSG;
    if (r < 0)
        return problem_set(problem, r, "%s:1: expected the header of a recording: %s", reader->path,
                           why.text);
    return 0;
}

int recording_reader_open(const char *path, RecordingReader **ret, Problem *problem) {
    scoped(recording_reader_freep) RecordingReader *reader = calloc(1, sizeof *reader);
    if (!reader || !(reader->path = strdup(path)))
        return -ENOMEM;
    reader->file = gzopen(path, "rbe");
    if (!reader->file) {
        int error = errno ? errno : ENOMEM;
        return problem_set(problem, -error, "%s: %s", path, strerror(error));
    }
    (void)gzbuffer(reader->file, GZIP_BUFFER_BYTES);
    int r = recording_parser_new(&reader->parser);
    if (r < 0 || (r = read_header(reader, problem)) < 0)
        return r;
    *ret = take(reader);
    return 0;
}

RecordingReader *recording_reader_free(RecordingReader *reader) {
    if (reader) {
        if (reader->file)
            (void)gzclose(reader->file);
        recording_parser_free(reader->parser);
        free(reader->path);
        free(reader);
    }
    return NULL;
}

const RecordingHeader *recording_reader_header(const RecordingReader *reader) {
    return &reader->header;
}

/* What one event must be in relation to the others. */
static int check_order(const RecordingReader *reader, const RecordedEvent *event, Refusal *ret_refusal,
                       Problem *problem) {
    *ret_refusal = REFUSAL_OUT_OF_RANGE;
    if (event->offset_usec < reader->last_offset_usec)
        return problem_set(
            problem, -EBADMSG, "\"t\": expected at least %.3f, the time of the line before, got %.3f",
            (double)reader->last_offset_usec / USEC_PER_SEC, (double)event->offset_usec / USEC_PER_SEC);
    if (event->offset_usec > reader->header.duration_usec)
        return problem_set(problem, -EBADMSG, "\"t\": expected at most %.3f, the duration, got %.3f",
                           (double)reader->header.duration_usec / USEC_PER_SEC,
                           (double)event->offset_usec / USEC_PER_SEC);
    return 0;
}

int recording_reader_next(RecordingReader *reader, RecordedEvent *ret, Refusal *ret_refusal,
                          Problem *problem) {
    size_t size;
    *ret_refusal = REFUSAL_TOO_LARGE;
    int r = read_line(reader, &size, problem);
    if (r <= 0)
        return r;
    r = recording_parse_event(reader->parser, reader->text, size, ret, ret_refusal, problem);
    if (r < 0 || (r = check_order(reader, ret, ret_refusal, problem)) < 0)
        return r;
    reader->last_offset_usec = ret->offset_usec;
    return 1;
}

uint64_t recording_reader_line(const RecordingReader *reader) {
    return reader->line;
}

int recording_reader_rewind(RecordingReader *reader, Problem *problem) {
    if (gzrewind(reader->file) < 0)
        return problem_set(problem, -EIO, "%s: cannot be read from its start again", reader->path);
    reader->line = 0;
    reader->last_offset_usec = 0;
    return read_header(reader, problem);
}

struct RecordingWriter {
    char *path;      /* NULL: standard output */
    char *temporary; /* until it has its name */
    gzFile file;
};

static int open_output(RecordingWriter *writer, const char *path, Problem *problem) {
    if (strcmp(path, "-") == 0) {
        int copy = dup(STDOUT_FILENO);
        writer->file = copy < 0 ? NULL : gzdopen(copy, "wbT");
        return writer->file ? 0 : problem_set(problem, -EIO, "standard output: %s", strerror(errno));
    }
    size_t length = strlen(path);
    bool is_compressed = length > 3 && strcmp(path + length - 3, ".gz") == 0;
    if (!(writer->path = strdup(path)) || asprintf(&writer->temporary, "%s.partial", path) < 0)
        return -ENOMEM;
    writer->file = gzopen(writer->temporary, is_compressed ? "wb9e" : "wbTe");
    if (!writer->file)
        return problem_set(problem, -errno, "%s: %s", writer->temporary, strerror(errno));
    (void)gzbuffer(writer->file, GZIP_BUFFER_BYTES);
    return 0;
}

static int write_text(RecordingWriter *writer, const char *text, int size, Problem *problem) {
    if (gzwrite(writer->file, text, (unsigned)size) != size) {
        int error;
        const char *reason = gzerror(writer->file, &error);
        return problem_set(problem, -EIO, "%s: %s", writer->path ? writer->path : "standard output",
                           error == Z_ERRNO ? strerror(errno) : reason);
    }
    return 0;
}

int recording_writer_open(const char *path, const RecordingHeader *header, RecordingWriter **ret,
                          Problem *problem) {
    scoped(recording_writer_freep) RecordingWriter *writer = calloc(1, sizeof *writer);
    char line[2048];
    if (!writer)
        return -ENOMEM;
    int r = open_output(writer, path, problem);
    if (r < 0)
        return r;
    int size = recording_format_header(header, line, sizeof line);
    if (size < 0 || (r = write_text(writer, line, size, problem)) < 0)
        return size < 0 ? size : r;
    *ret = take(writer);
    return 0;
}

int recording_writer_add(RecordingWriter *writer, const RecordedEvent *event, Problem *problem) {
    char line[RECORDING_LINE_MAX_BYTES + 2]; /* a line feed and a NUL */
    int size = recording_format_event(event, line, sizeof line, problem);
    return size < 0 ? size : write_text(writer, line, size, problem);
}

int recording_writer_finish(RecordingWriter *writer, Problem *problem) {
    const char *name = writer->path ? writer->path : "standard output";
    int r = gzclose(writer->file);
    writer->file = NULL;
    if (r != Z_OK)
        return problem_set(problem, -EIO, "%s: %s", name,
                           r == Z_ERRNO ? strerror(errno) : "cannot be finished");
    if (writer->temporary && rename(writer->temporary, writer->path) < 0)
        return problem_set(problem, -errno, "%s: %s", name, strerror(errno));
    free(writer->temporary);
    writer->temporary = NULL;
    return 0;
}

RecordingWriter *recording_writer_free(RecordingWriter *writer) {
    if (writer) {
        if (writer->file)
            (void)gzclose(writer->file);
        if (writer->temporary)
            (void)unlink(writer->temporary);
        free(writer->temporary);
        free(writer->path);
        free(writer);
    }
    return NULL;
}
