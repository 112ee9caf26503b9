/* The tunables of every service, made from settings.def.
 *
 * They are read from files in this order, later ones winning, drop-ins in name order:
 *     /usr/lib/traffic/traffic.conf  /usr/lib/traffic/traffic.conf.d/NAME.conf
 *     /etc/traffic/traffic.conf      /etc/traffic/traffic.conf.d/NAME.conf
 * then from --set section.key=value. An unknown section or key, a wrong type or a value out of range is
 * refused with file and line, what was expected, and the nearest known word; nothing is replaced by a default
 * in silence. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SENSOR_SOURCE_LIST(X)                                                                                \
    X(SENSOR_SOURCE_RANDOM, "random")                                                                        \
    X(SENSOR_SOURCE_REPLAY, "replay")                                                                        \
    X(SENSOR_SOURCE_RELAY, "relay")
#define CLOCK_SOURCE_LIST(X) X(CLOCK_SYSTEM, "system") X(CLOCK_TICK, "tick")
#define TIME_BASE_LIST(X)    X(TIME_BASE_NOW, "now") X(TIME_BASE_RECORDED, "recorded")
#define BROKER_MODE_LIST(X)  X(BROKER_STANDARD, "standard") X(BROKER_THREADED, "threaded")

VOCABULARY(SensorSource, SENSOR_SOURCE, SENSOR_SOURCE_LIST, sensor_source_words);
VOCABULARY(ClockSource, CLOCK_SOURCE, CLOCK_SOURCE_LIST, clock_source_words);
VOCABULARY(TimeBase, TIME_BASE, TIME_BASE_LIST, time_base_words);
VOCABULARY(BrokerMode, BROKER_MODE, BROKER_MODE_LIST, broker_mode_words);

/* Nobody in particular, or one of policy_words (core/policy.h): its number and one. */
enum { CONTROL_POLICY_AUTO = 0 };
extern const char *const control_policy_words[];

/* clang-format off */
typedef struct Settings {
#define SETTING_TEXT(section, key, member, initial, max_bytes, sentence)          char member[(max_bytes) + 1];
#define SETTING_NUMBER(section, key, member, initial, min, max, unit, sentence)   double member;
#define SETTING_INTEGER(section, key, member, initial, min, max, unit, sentence)  int64_t member;
#define SETTING_BOOLEAN(section, key, member, initial, sentence)                  bool member;
#define SETTING_CHOICE(section, key, member, initial, words, sentence)            int member;
#include "settings/settings.def"
#include "settings/settings-undef.h"
} Settings;
/* clang-format on */

#define SETTINGS_DEFAULT_ROOT "" /* files are looked for below this prefix; tests give a directory */

/* Where a value came from, for `trafficctl config cat`. */
typedef struct SettingOrigin {
    char file[256]; /* "" for the built-in default, "--set" for the command line */
    unsigned line;
} SettingOrigin;

typedef struct SettingsSource {
    const char *root; /* prefix of the four paths above; NULL is "" */
    const char *file; /* when not NULL: read this one file (and FILE.d/NAME.conf) instead of the four */
    const char *const *overrides; /* "section.key=value", applied last */
    size_t n_overrides;
} SettingsSource;

/* Fills *ret with defaults, files and overrides, and checks the relations between values (for example
 * dead_sec > suspect_sec, green_sec >= min_green_sec). `ret_origins` may be NULL, else an array of
 * settings_count(). Returns 0, -ENOENT for a missing `source->file`, -EINVAL or -ERANGE for a refused line,
 * -EIO...; *ret is untouched on error and `problem` says all. */
int settings_load(const SettingsSource *source, Settings *ret, SettingOrigin *ret_origins, Problem *problem);

size_t settings_count(void);

/* Every setting as an INI file with its sentence, range and unit as comments; the printed text loads again to
 * the same values. */
void settings_print(FILE *out, const Settings *settings);

/* Every setting as `section.key = value    # file:line`, for `trafficctl config cat`. */
void settings_print_origins(FILE *out, const Settings *settings, const SettingOrigin *origins);

/* The reference section of traffic.conf(5) as scdoc. */
void settings_print_manual(FILE *out);
