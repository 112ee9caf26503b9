/* The conversion runs twice over the same samples: once to count, for the header stands before the events,
 * and once to write. It comes out the same both times because nothing in it depends on anything but the
 * samples, the city and the seed. */
#include "commands.h"
#include "convert.h"

#include "wire/timestamp.h"

#include <argp.h>
#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY_USEC          (86400 * USEC_PER_SEC)
#define DEFAULT_CITY_FILE "/usr/lib/traffic/city.json"

enum { INTERVAL_DEFAULT_SEC = 30, DAYS_MAX = 36600 };

typedef struct ConvertOptions {
    const ConvertFormat *format;
    const char *city_file, *output;
    uint64_t seed;
    double interval_sec;
    bool has_from;
    Wall from;
    uint64_t days; /* 0: to the end */
    char **paths;
    size_t n_paths;
} ConvertOptions;

static const struct argp_option options[] = {
    {"from", 'f', "FORMAT", 0, "What the files are (see below)", 1},
    {"output", 'o', "FILE", 0, "The recording; compressed when it ends in .gz, - is standard output", 1},
    {"city", 'c', "FILE", 0, "The city whose sensors report (" DEFAULT_CITY_FILE ")", 1},
    {"seed", 's', "NUMBER", 0, "Of what is left to chance (1)", 1},
    {"interval", 'i', "SECONDS", 0, "Between two readings of one sensor (30)", 1},
    {"from-date", 'd', "YYYY-MM-DD", 0, "Leave out what was before this day", 1},
    {"days", 'n', "NUMBER", 0, "Take only this many days", 1},
    {0},
};

static double parse_number(struct argp_state *state, const char *what, const char *text, double min,
                           double max) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= min && value <= max))
        argp_error(state, "%s: expected %g to %g, got \"%s\"", what, min, max, text);
    return value;
}

static void parse_date(struct argp_state *state, const char *text, ConvertOptions *into) {
    char stamp[32];
    int size = snprintf(stamp, sizeof stamp, "%sT00:00:00Z", text);
    if (size < 0 || (size_t)size >= sizeof stamp || timestamp_parse(stamp, (size_t)size, &into->from) < 0)
        argp_error(state, "--from-date: expected YYYY-MM-DD, got \"%s\"", text);
    into->has_from = true;
}

static error_t parse_option(int key, char *value, struct argp_state *state) {
    ConvertOptions *into = state->input;
    Problem problem;
    switch (key) {
    case 'f':
        into->format = convert_format_find(value, &problem);
        if (!into->format)
            argp_error(state, "--from: %s", problem.text);
        return 0;
    case 'o':
        into->output = value;
        return 0;
    case 'c':
        into->city_file = value;
        return 0;
    case 's':
        into->seed = (uint64_t)parse_number(state, "--seed", value, 0, 0x1p53);
        return 0;
    case 'i':
        into->interval_sec = parse_number(state, "--interval", value, 0.1, 86400);
        return 0;
    case 'd':
        parse_date(state, value, into);
        return 0;
    case 'n':
        into->days = (uint64_t)parse_number(state, "--days", value, 1, DAYS_MAX);
        return 0;
    case ARGP_KEY_ARGS:
        into->paths = state->argv + state->next;
        into->n_paths = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (!into->format || !into->output || into->n_paths == 0)
            argp_error(state, "--from, --output and at least one file are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The list of formats behind the options, from their table. */
static char *print_formats(int key, const char *text, void *input) {
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    size_t size;
    char *list = NULL;
    FILE *out = open_memstream(&list, &size);
    if (!out)
        return NULL;
    fprintf(out, "Formats:\n");
    for (size_t i = 0; i < n_convert_formats; i++)
        fprintf(out, "  %-20s %s\n", convert_formats[i].name, convert_formats[i].summary);
    fclose(out);
    return list;
}

static int count_sink(const RecordedEvent *event, void *userdata, Problem *problem) {
    (void)problem;
    RecordingHeader *header = userdata;
    header->counts[event_index(event->message.tag)]++;
    return 0;
}

static int write_sink(const RecordedEvent *event, void *userdata, Problem *problem) {
    return recording_writer_add(userdata, event, problem);
}

/* From which moment to which: as asked, else what there is. A day begins at midnight. */
static void choose_span(const ConvertOptions *asked, const Samples *samples, Conversion *into) {
    Wall first = samples->items[0].at;
    Wall last = {samples->items[samples->n - 1].at.usec + samples->step_usec};
    if (asked->days && !asked->has_from)
        first.usec -= first.usec % DAY_USEC;
    into->start = asked->has_from ? asked->from : first;
    into->end = asked->days ? (Wall){into->start.usec + asked->days * DAY_USEC} : last;
}

static int name_origin(const ConvertOptions *asked, RecordingHeader *header) {
    size_t used = (size_t)snprintf(header->origin, sizeof header->origin, "%s:", asked->format->name);
    for (size_t i = 0; i < asked->n_paths && used < sizeof header->origin; i++) {
        char *copy = strdup(asked->paths[i]);
        if (!copy)
            return -ENOMEM;
        used += (size_t)snprintf(header->origin + used, sizeof header->origin - used, " %s", basename(copy));
        free(copy);
    }
    return 0;
}

static int write_recording(const ConvertOptions *asked, const Conversion *conversion, Problem *problem) {
    RecordingHeader header = {
        .duration_usec = conversion->end.usec - conversion->start.usec,
        .has_seed = true,
        .seed = (int64_t)conversion->seed,
        .has_recorded_from = true,
        .recorded_from = conversion->start,
    };
    scoped(recording_writer_freep) RecordingWriter *writer = NULL;
    int r = name_origin(asked, &header);
    if (r < 0 || (r = asked->format->emit(conversion, count_sink, &header, problem)) < 0 ||
        (r = recording_writer_open(asked->output, &header, &writer, problem)) < 0 ||
        (r = asked->format->emit(conversion, write_sink, writer, problem)) < 0)
        return r;
    return recording_writer_finish(writer, problem);
}

static int convert(const ConvertOptions *asked, Problem *problem) {
    scoped(city_freep) City *city = NULL;
    scoped(samples_clear) Samples samples = {0};
    Conversion conversion = {.interval_usec = usec_from_sec(asked->interval_sec), .seed = asked->seed};
    int r = city_load(asked->city_file, NULL, &city, problem);
    if (r < 0 || (r = samples_read(&asked->format->source, asked->paths, asked->n_paths, stderr, &samples,
                                   problem)) < 0)
        return r;
    choose_span(asked, &samples, &conversion);
    if (conversion.end.usec <= conversion.start.usec)
        return problem_set(problem, -EINVAL, "nothing is left: the files end before %s",
                           timestamp_format(conversion.start).text);
    samples_select(&samples, conversion.start, conversion.end, stderr);
    samples_report(&samples, stderr);
    if (samples.n == 0)
        return problem_set(problem, -EINVAL, "nothing is left between %s and %s",
                           timestamp_format(conversion.start).text, timestamp_format(conversion.end).text);
    conversion.city = city;
    conversion.samples = &samples;
    return write_recording(asked, &conversion, problem);
}

int convert_command(int argc, char **argv) {
    static const struct argp parser = {
        .options = options,
        .parser = parse_option,
        .args_doc = "FILE...",
        .doc = "Makes a recording from published detector data. Rows that cannot be used are named on "
               "standard error and "
               "counted.\v",
        .help_filter = print_formats,
    };
    ConvertOptions asked = {.city_file = DEFAULT_CITY_FILE, .seed = 1, .interval_sec = INTERVAL_DEFAULT_SEC};
    Problem problem = {.text = "out of memory"};
    argp_parse(&parser, argc, argv, 0, NULL, &asked);
    if (convert(&asked, &problem) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], problem.text);
        return EXIT_FAILED;
    }
    return 0;
}
