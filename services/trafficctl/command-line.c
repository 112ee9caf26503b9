/* argp takes the words apart; here is what it has no notion of: a word such as -2h is an instant (so long
 * ago), not options, and words keep their order. */
#include "command-line.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "trafficctl " PROJECT_VERSION;

enum {
    KEY_HOST = 'H',
    KEY_WATCH = 'w',
    KEY_CONFIG = 'c',
    KEY_SET = 's',
    KEY_JSON = 0x100,
    KEY_CSV,
    KEY_TIMEOUT,
    KEY_REASON,
    KEY_DURATION,
    KEY_FROM,
    KEY_TO,
    KEY_LIMIT,
    KEY_KIND,
    KEY_INTERVAL,
    KEY_STORE,
    KEY_INTERSECTION,
    KEY_PROGRESSIVE,
    KEY_PRIORITY,
    KEY_SPEED,
    KEY_ETA,
};

/* To argp -2h is option 2 with the argument "h": parse() puts the word together again. */
#define DIGIT(digit)                                                                                         \
    { NULL, digit, "", OPTION_ARG_OPTIONAL | OPTION_HIDDEN, NULL, 3 }

static const struct argp_option options[] = {
    {"host", KEY_HOST, "HOST", 0, "Ask this machine instead of those of traffic.conf", 1},
    {"json", KEY_JSON, NULL, 0, "Print the reply as JSON", 1},
    {"csv", KEY_CSV, NULL, 0, "Print comma-separated values", 1},
    {"watch", KEY_WATCH, "SECONDS", OPTION_ARG_OPTIONAL, "Ask again every so often (2 s)", 1},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "Wait this long for each answer (10 s)", 1},
    {"config", KEY_CONFIG, "FILE", 0, "Read this file instead of /usr/lib/traffic and /etc/traffic", 1},
    {"set", KEY_SET, "SECTION.KEY=VALUE", 0, "Override one setting", 1},
    {"reason", KEY_REASON, "TEXT", 0, "wave, signal, release, policy: why, for the records", 2},
    {"duration", KEY_DURATION, "SECONDS", 0, "wave, signal: how long to hold the green", 2},
    {"progressive", KEY_PROGRESSIVE, NULL, 0, "wave: each light when it is needed, in the order of travel",
     2},
    {"priority", KEY_PRIORITY, "0..9", 0, "wave: where two cross the higher one goes first (5)", 2},
    {"speed", KEY_SPEED, "KMH", 0, "wave: of travel, in km/h (what each lane allows)", 2},
    {"eta", KEY_ETA, "SECONDS", 0, "wave: until it is at the first intersection", 2},
    {"from", KEY_FROM, "TIME", 0, "history, events, counts: from then on (2026-02-09T15:10:00Z, -2h, now)",
     2},
    {"to", KEY_TO, "TIME", 0, "history, events, counts: until then", 2},
    {"limit", KEY_LIMIT, "ROWS", 0, "history, events: at most this many rows (100)", 2},
    {"intersection", KEY_INTERSECTION, "ID", 0, "history: of this intersection only", 2},
    {"kind", KEY_KIND, "KIND", 0, "events, counts: camera, view, inductive, passage or gps", 2},
    {"interval", KEY_INTERVAL, "SECONDS", 0, "counts: length of an interval (3600)", 2},
    {"store", KEY_STORE, "ROLE", 0, "backup: primary or replica (primary)", 2},
    DIGIT('0'),
    DIGIT('1'),
    DIGIT('2'),
    DIGIT('3'),
    DIGIT('4'),
    DIGIT('5'),
    DIGIT('6'),
    DIGIT('7'),
    DIGIT('8'),
    DIGIT('9'),
    {0},
};

/* At the prompt argp_error() returns, so the line is marked. */
static void refuse_number(struct argp_state *state, const char *option, const char *expected,
                          const char *text) {
    CommandLine *line = state->input;
    argp_error(state, "%s: expected %s, got \"%s\"", option, expected, text);
    line->is_wrong = true;
}

static double positive_number(struct argp_state *state, const char *option, const char *text) {
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (!errno && end != text && *end == '\0' && value > 0 && value <= 1e9)
        return value;
    refuse_number(state, option, "a number above 0", text);
    return 1;
}

static long positive_integer(struct argp_state *state, const char *option, const char *text) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (!errno && end != text && *end == '\0' && value > 0)
        return value;
    refuse_number(state, option, "a whole number above 0", text);
    return 1;
}

static long digit(struct argp_state *state, const char *option, const char *text) {
    if (*text >= '0' && *text <= '9' && text[1] == '\0')
        return *text - '0';
    refuse_number(state, option, "0 to 9", text);
    return 0;
}

static void give_text(Request *request, VerbOption option, const char **member, const char *text) {
    request->given |= option;
    *member = text;
}

static error_t parse_verb_option(int key, char *text, struct argp_state *state, Request *request) {
    switch (key) {
    case KEY_REASON:
        give_text(request, OPTION_REASON, &request->reason, text);
        return 0;
    case KEY_FROM:
        give_text(request, OPTION_FROM, &request->from, text);
        return 0;
    case KEY_TO:
        give_text(request, OPTION_TO, &request->to, text);
        return 0;
    case KEY_KIND:
        give_text(request, OPTION_KIND, &request->kind, text);
        return 0;
    case KEY_STORE:
        give_text(request, OPTION_STORE, &request->store, text);
        return 0;
    case KEY_INTERSECTION:
        give_text(request, OPTION_INTERSECTION, &request->intersection, text);
        return 0;
    case KEY_DURATION:
        request->given |= OPTION_DURATION;
        request->duration_sec = positive_number(state, "--duration", text);
        return 0;
    case KEY_INTERVAL:
        request->given |= OPTION_INTERVAL;
        request->interval_sec = positive_number(state, "--interval", text);
        return 0;
    case KEY_PROGRESSIVE:
        request->given |= OPTION_PROGRESSIVE;
        return 0;
    case KEY_PRIORITY:
        request->given |= OPTION_PRIORITY;
        request->priority = digit(state, "--priority", text);
        return 0;
    case KEY_SPEED:
        request->given |= OPTION_SPEED;
        request->speed_kmh = positive_number(state, "--speed", text);
        return 0;
    case KEY_ETA:
        request->given |= OPTION_ETA;
        request->eta_sec = positive_number(state, "--eta", text);
        return 0;
    case KEY_LIMIT:
        request->given |= OPTION_LIMIT;
        request->limit = positive_integer(state, "--limit", text);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static error_t take_word(CommandLine *line, struct argp_state *state, char *text) {
    Request *request = &line->request;
    if (!request->verb) {
        request->verb = text;
    } else if (request->n_arguments == ARRAY_LEN(request->arguments)) {
        argp_error(state, "too many words after \"%s\"", request->verb);
        return EINVAL;
    } else {
        request->arguments[request->n_arguments++] = text;
    }
    return 0;
}

/* What the process was started with holds for the whole prompt. */
static bool is_for_start(int key) {
    return key == KEY_HOST || key == KEY_TIMEOUT || key == KEY_CONFIG || key == KEY_SET;
}

static error_t parse(int key, char *text, struct argp_state *state) {
    CommandLine *line = state->input;
    Request *request = &line->request;
    if (line->is_prompt && is_for_start(key)) {
        argp_error(state, "--host, --timeout, --config and --set are given when the prompt is started");
        return EINVAL;
    }
    switch (key) {
    case KEY_HOST:
        request->host = text;
        return 0;
    case KEY_JSON:
        request->format = OUTPUT_JSON;
        return 0;
    case KEY_CSV:
        request->format = OUTPUT_CSV;
        return 0;
    case KEY_WATCH:
        request->watch_sec = text ? positive_number(state, "--watch", text) : 2;
        return 0;
    case KEY_TIMEOUT:
        request->timeout_sec = positive_number(state, "--timeout", text);
        return 0;
    case KEY_CONFIG:
        line->config_file = text;
        return 0;
    case KEY_SET:
        if (line->n_overrides == ARRAY_LEN(line->overrides)) {
            argp_error(state, "--set: at most %zu times", ARRAY_LEN(line->overrides));
            return EINVAL;
        }
        line->overrides[line->n_overrides++] = text;
        return 0;
    case '0' ... '9':
        return take_word(line, state, state->argv[state->next - 1]);
    case ARGP_KEY_ARG:
        return take_word(line, state, text);
    }
    return parse_verb_option(key, text, state, request);
}

/* The verbs after the options, from their table. */
static char *help_filter(int key, const char *text, void *input) {
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    char *help = NULL;
    size_t size;
    FILE *out = open_memstream(&help, &size);
    if (!out)
        return NULL;
    fputs("Verbs:\n", out);
    for (size_t i = 0; i < n_verbs; i++)
        fprintf(out, "  %-12s %-16s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
    fputs("\nWithout a verb: an interactive prompt with the same verbs.\n"
          "Exit status: 0 ok, 1 failed, 2 usage, 3 not found, 4 nobody answered, 5 refused, 6 the replica "
          "answered.\n",
          out);
    fclose(out);
    return help;
}

int command_line_parse(int n_words, char **words, bool is_prompt, CommandLine *ret) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[VERB [OBJECT...]]",
        .doc = "Asks and steers the city's traffic control.\v",
        .help_filter = help_filter,
    };
    CommandLine line = {.request = {.timeout_sec = 10}, .is_prompt = is_prompt};
    argp_err_exit_status = EXIT_USAGE_ERROR;
    if (argp_parse(&argp, n_words, words, ARGP_IN_ORDER | (is_prompt ? ARGP_NO_EXIT : 0), NULL, &line) != 0 ||
        line.is_wrong)
        return -EINVAL;
    *ret = line;
    return 0;
}
