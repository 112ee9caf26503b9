/* What must hold between settings, once every single one is within its range. Knows no file; origins tell
 * which line to name. Where safety depends on a relation the core checks it again: here it is refused with
 * its line. */
#include "settings/settings-table.h"

#include <errno.h>
#include <string.h>

typedef struct Checked {
    const Settings *settings;
    const SettingOrigin *origins;
    Problem *problem;
} Checked;

typedef enum RelationKind { IS_ABOVE, IS_AT_LEAST, IS_AT_MOST } RelationKind;

/* The first value has to stand in this relation to the second. */
typedef struct Relation {
    size_t first, second; /* offsets of two numbers in Settings */
    RelationKind kind;
    const char *why;
} Relation;

#define RELATION(a, relation, b, reason)                                                                     \
    { offsetof(Settings, a), offsetof(Settings, b), relation, reason }
static const Relation relations[] = {
    RELATION(failover_suspect_sec, IS_ABOVE, failover_beat_sec, "silence shorter than a beat proves nothing"),
    RELATION(failover_dead_sec, IS_ABOVE, failover_suspect_sec, "a store is suspected before it is dead"),
    RELATION(signal_green_sec, IS_AT_LEAST, signal_min_green_sec, "the plan keeps the minimum green too"),
    RELATION(wave_duration_sec, IS_AT_LEAST, signal_min_green_sec, "a wave is at least one green"),
    RELATION(normal_queue_below, IS_AT_MOST, congestion_queue_min, "nothing is normal and congested at once"),
    RELATION(normal_speed_above_kmh, IS_AT_LEAST, congestion_speed_max_kmh,
             "nothing is normal and congested at once"),
    RELATION(normal_count_below, IS_AT_MOST, congestion_count_min, "nothing is normal and congested at once"),
};

static bool relation_holds(RelationKind kind, double first, double second) {
    switch (kind) {
    case IS_ABOVE:
        return first > second;
    case IS_AT_LEAST:
        return first >= second;
    case IS_AT_MOST:
        return first <= second;
    }
    return false;
}

static const Setting *setting_at(size_t offset) {
    const Setting *setting = setting_table;
    while (setting->offset != offset)
        setting++;
    return setting;
}

static double number_of(const Checked *checked, const Setting *setting) {
    double value;
    memcpy(&value, (const char *)checked->settings + setting->offset, sizeof value);
    return value;
}

static int check_relation(const Checked *checked, const Relation *relation) {
    static const char *const words[] = {
        [IS_ABOVE] = "greater than", [IS_AT_LEAST] = "at least", [IS_AT_MOST] = "at most"};
    const Setting *first = setting_at(relation->first), *second = setting_at(relation->second);
    if (relation_holds(relation->kind, number_of(checked, first), number_of(checked, second)))
        return 0;
    const SettingOrigin *first_origin = &checked->origins[first - setting_table];
    const SettingOrigin *second_origin = &checked->origins[second - setting_table];
    /* the line to look at is one that somebody wrote */
    const SettingOrigin *culprit = first_origin->file[0] ? first_origin : second_origin;
    return problem_set(
        checked->problem, -EINVAL, "%s: expected [%s] %s %s [%s] %s, got %s (%s) and %s (%s): %s",
        setting_place(culprit).text, first->section, first->key, words[relation->kind], second->section,
        second->key, setting_format(first, checked->settings).text, setting_place(first_origin).text,
        setting_format(second, checked->settings).text, setting_place(second_origin).text, relation->why);
}

/* A machine's address becomes part of tcp://ADDRESS:PORT, so it must not bring a scheme or a port of its
 * own. */
static int check_address(const Checked *checked, size_t offset) {
    const Setting *setting = setting_at(offset);
    const char *address = (const char *)checked->settings + offset;
    bool is_any = strcmp(address, "*") == 0 && offset == offsetof(Settings, bind_address);
    if (is_any || strspn(address, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
                      strlen(address))
        return 0;
    return problem_set(
        checked->problem, -EINVAL,
        "%s: [%s] %s: expected a host name or an IPv4 address, without scheme and port, got \"%s\"",
        setting_place(&checked->origins[setting - setting_table]).text, setting->section, setting->key,
        setting_shown(address).text);
}

/* The cross street is red for an extended green and the two intergreens around it. */
static int check_max_red(const Checked *checked) {
    static const size_t parts[] = {
        offsetof(Settings, signal_max_red_sec), offsetof(Settings, signal_green_sec),
        offsetof(Settings, signal_extension_sec), offsetof(Settings, signal_all_red_sec),
        offsetof(Settings, signal_yellow_sec)};
    const Settings *s = checked->settings;
    double least_sec =
        s->signal_green_sec + s->signal_extension_sec + 2 * (s->signal_yellow_sec + s->signal_all_red_sec);
    if (s->signal_max_red_sec >= least_sec)
        return 0;
    const SettingOrigin *culprit = NULL;
    for (size_t i = 0; i < ARRAY_LEN(parts) && (!culprit || !culprit->file[0]); i++)
        culprit = &checked->origins[setting_at(parts[i]) - setting_table];
    return problem_set(checked->problem, -EINVAL,
                       "%s: expected [signal] max_red_sec at least green_sec + extension_sec + 2 (yellow_sec "
                       "+ all_red_sec) = "
                       "%g, got %g",
                       setting_place(culprit).text, least_sec, s->signal_max_red_sec);
}

static int refuse_at(const Checked *checked, size_t offset, const char *expected, const char *got) {
    const Setting *setting = setting_at(offset);
    return problem_set(checked->problem, -EINVAL, "%s: [%s] %s: expected %s, got \"%s\"",
                       setting_place(&checked->origins[setting - setting_table]).text, setting->section,
                       setting->key, expected, setting_shown(got).text);
}

static int check_tick_sources(const Checked *checked) {
    bool seen[SENSOR_KIND_COUNT] = {false};
    char words[sizeof checked->settings->clock_tick_sources], *rest = words, *word;
    size_t n = 0;
    memcpy(words, checked->settings->clock_tick_sources, sizeof words);
    while ((word = strsep(&rest, " "))) {
        if (*word == '\0')
            continue;
        int kind = word_index(sensor_kind_words, word);
        if (kind < 0 || seen[kind])
            return refuse_at(checked, offsetof(Settings, clock_tick_sources),
                             "camera, inductive and gps, or some of them, each once", word);
        seen[kind] = true;
        n++;
    }
    return n > 0 ? 0
                 : refuse_at(checked, offsetof(Settings, clock_tick_sources), "at least one kind of sensor",
                             checked->settings->clock_tick_sources);
}

/* A tick is in order with the events before it because both are under custody. */
static int check_tick_protocols(const Checked *checked) {
    const Settings *s = checked->settings;
    static const char expected[] = "custody, because [clock] source is tick";
    if (s->clock_source != CLOCK_TICK)
        return 0;
    if (s->protocol_broker != PROTOCOL_CUSTODY)
        return refuse_at(checked, offsetof(Settings, protocol_broker), expected,
                         protocol_words[s->protocol_broker]);
    if (s->protocol_analytics != PROTOCOL_CUSTODY)
        return refuse_at(checked, offsetof(Settings, protocol_analytics), expected,
                         protocol_words[s->protocol_analytics]);
    return 0;
}

int settings_check(const Settings *settings, const SettingOrigin *origins, Problem *problem) {
    static const size_t addresses[] = {offsetof(Settings, pc1), offsetof(Settings, pc2),
                                       offsetof(Settings, pc3), offsetof(Settings, bind_address)};
    const Checked checked = {settings, origins, problem};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(addresses); i++)
        r = check_address(&checked, addresses[i]);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(relations); i++)
        r = check_relation(&checked, &relations[i]);
    if (r == 0)
        r = check_tick_sources(&checked);
    if (r == 0)
        r = check_tick_protocols(&checked);
    return r == 0 ? check_max_red(&checked) : r;
}
