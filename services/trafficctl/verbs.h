/* The verbs of trafficctl: one table row each, the same on the command line and at the prompt. */
#pragma once

#include "client.h"
#include "output.h"
#include "settings/city.h"

/* Exit statuses, the same for every verb. */
typedef enum ExitStatus {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE_ERROR = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_UNREACHABLE = 4,
    EXIT_REFUSED = 5,
    EXIT_DEGRADED = 6, /* answered, but by the replica */
} ExitStatus;

/* Options that belong to verbs. A verb lists those it takes; others are refused, not ignored. */
typedef enum VerbOption {
    OPTION_REASON = 1 << 0,
    OPTION_DURATION = 1 << 1,
    OPTION_FROM = 1 << 2,
    OPTION_TO = 1 << 3,
    OPTION_LIMIT = 1 << 4,
    OPTION_KIND = 1 << 5,
    OPTION_INTERVAL = 1 << 6,
    OPTION_STORE = 1 << 7,
    OPTION_INTERSECTION = 1 << 8,
    OPTION_PROGRESSIVE = 1 << 9,
    OPTION_PRIORITY = 1 << 10,
    OPTION_SPEED = 1 << 11,
    OPTION_ETA = 1 << 12,
} VerbOption;

enum { ARGUMENTS_MAX = 64 }; /* a route names every intersection */

/* A command line taken apart; strings are borrowed from it. */
typedef struct Request {
    OutputFormat format;
    double watch_sec; /* 0: once */
    const char *host;
    double timeout_sec;
    unsigned given; /* VerbOption bits */
    const char *reason, *from, *to, *kind, *store, *intersection;
    double duration_sec, interval_sec, speed_kmh, eta_sec;
    long limit, priority;
    const char *verb;
    const char *arguments[ARGUMENTS_MAX];
    size_t n_arguments;
} Request;

/* What every verb works with. */
typedef struct Context {
    const Settings *settings;
    const SettingOrigin *origins;
    const Request *request;
    Client *client;
    Problem problem; /* what to tell the operator when a verb returns a failure */
} Context;

typedef struct Verb {
    const char *name;
    const char *arguments; /* for --help */
    const char *summary;
    size_t min_arguments, max_arguments;
    unsigned options; /* VerbOption bits it takes */
    ExitStatus (*run)(Context *context);
} Verb;

extern const Verb verbs[];
extern const size_t n_verbs;

const char *verb_option_name(VerbOption option);

/* Checks the request against its verb's row, then runs it. Messages go to standard error. */
ExitStatus verb_run(Context *context);

/* One function a verb. */
ExitStatus verb_status(Context *context); /* reading-verbs.c */
ExitStatus verb_intersection(Context *context);
ExitStatus verb_health(Context *context);
ExitStatus verb_history(Context *context); /* list-verbs.c */
ExitStatus verb_events(Context *context);
ExitStatus verb_counts(Context *context);
ExitStatus verb_signal(Context *context); /* acting-verbs.c */
ExitStatus verb_release(Context *context);
ExitStatus verb_policy(Context *context);
ExitStatus verb_wave(Context *context);   /* wave-verb.c */
ExitStatus verb_backup(Context *context); /* backup-verb.c */
ExitStatus verb_config(Context *context); /* config-verbs.c; needs no city that runs */
