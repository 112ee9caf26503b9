/* The table of verbs, and running one. */
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const Verb verbs[] = {
    {"status", "", "the whole city, and which store answers", 0, 0, 0, verb_status},
    {"intersection", "ID", "readings, lights and last events of one", 1, 1, 0, verb_intersection},
    {"history", "[FROM [TO]]", "congestion records, newest first", 0, 2,
     OPTION_FROM | OPTION_TO | OPTION_LIMIT | OPTION_INTERSECTION, verb_history},
    {"events", "[ID]", "sensor events, newest first", 0, 1,
     OPTION_FROM | OPTION_TO | OPTION_LIMIT | OPTION_KIND, verb_events},
    {"counts", "[ID]", "events and counted vehicles per interval", 0, 1,
     OPTION_FROM | OPTION_TO | OPTION_KIND | OPTION_INTERVAL, verb_counts},
    {"wave", "row R | ...", "green wave: row, column, route; move, cancel", 2, ARGUMENTS_MAX,
     OPTION_REASON | OPTION_DURATION | OPTION_PROGRESSIVE | OPTION_PRIORITY | OPTION_SPEED | OPTION_ETA,
     verb_wave},
    {"policy", "[ID|all [NAME]]", "who chooses the phases, or who is to", 0, 2, OPTION_REASON, verb_policy},
    {"signal", "ID NS|EW", "ask one intersection's lights to change", 2, 2, OPTION_REASON | OPTION_DURATION,
     verb_signal},
    {"release", "ID", "lights that were latched start again", 1, 1, OPTION_REASON, verb_release},
    {"health", "", "who answers, and how fast", 0, 0, 0, verb_health},
    {"backup", "FILE", "a consistent copy of a store's database", 1, 1, OPTION_STORE, verb_backup},
    {"config", "check | cat", "check settings and links, or show settings", 1, 1, 0, verb_config},
};
const size_t n_verbs = ARRAY_LEN(verbs);

const char *verb_option_name(VerbOption option) {
    switch (option) {
    case OPTION_REASON:
        return "--reason";
    case OPTION_DURATION:
        return "--duration";
    case OPTION_FROM:
        return "--from";
    case OPTION_TO:
        return "--to";
    case OPTION_LIMIT:
        return "--limit";
    case OPTION_KIND:
        return "--kind";
    case OPTION_INTERVAL:
        return "--interval";
    case OPTION_STORE:
        return "--store";
    case OPTION_INTERSECTION:
        return "--intersection";
    case OPTION_PROGRESSIVE:
        return "--progressive";
    case OPTION_PRIORITY:
        return "--priority";
    case OPTION_SPEED:
        return "--speed";
    case OPTION_ETA:
        return "--eta";
    }
    return "?";
}

static const Verb *verb_find(const char *name) {
    for (size_t i = 0; i < n_verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int verb_check(Context *context, const Verb *verb) {
    const Request *request = context->request;
    if (request->n_arguments < verb->min_arguments || request->n_arguments > verb->max_arguments)
        return problem_set(&context->problem, -EINVAL, "usage: trafficctl %s %s", verb->name,
                           verb->arguments);
    unsigned refused = request->given & ~verb->options;
    if (refused)
        return problem_set(&context->problem, -EINVAL, "%s does not go with \"%s\"",
                           verb_option_name((VerbOption)(refused & -refused)), verb->name);
    return 0;
}

ExitStatus verb_run(Context *context) {
    const Verb *verb = verb_find(context->request->verb);
    if (!verb) {
        const char *names[ARRAY_LEN(verbs)], *nearest;
        for (size_t i = 0; i < n_verbs; i++)
            names[i] = verbs[i].name;
        nearest = closest_word(context->request->verb, names, n_verbs);
        fprintf(stderr, "trafficctl: unknown verb \"%s\"%s%s%s See trafficctl --help\n",
                context->request->verb, nearest ? ": did you mean \"" : ".", nearest ? nearest : "",
                nearest ? "\"?" : "");
        return EXIT_USAGE_ERROR;
    }
    context->problem.text[0] = '\0';
    ExitStatus status = verb_check(context, verb) < 0 ? EXIT_USAGE_ERROR : verb->run(context);
    if (status != EXIT_OK && context->problem.text[0])
        fprintf(stderr, "trafficctl: %s\n", context->problem.text);
    return status;
}
