/* The rows of settings.def as a table, for the three files that need them: reading, printing, the manual.
 * Private to common/settings. */
#pragma once

#include "base/problem.h"
#include "base/text.h"
#include "settings/settings.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum SettingKind {
    SETTING_KIND_TEXT,
    SETTING_KIND_NUMBER,
    SETTING_KIND_INTEGER,
    SETTING_KIND_BOOLEAN,
    SETTING_KIND_CHOICE
} SettingKind;

typedef struct Setting {
    const char *section, *key;
    const char *sentence;
    const char *unit; /* "" when it has none */
    SettingKind kind;
    size_t offset;    /* of the member in Settings */
    size_t max_bytes; /* texts */
    double min, max;  /* numbers */
    int64_t integer_min, integer_max;
    const char *const *words; /* choices */
} Setting;

/* How many there are, as a constant expression. */
/* clang-format off */
enum {
#define SETTING_TEXT(section, key, member, ...)    SETTING_INDEX_##member,
#define SETTING_NUMBER(section, key, member, ...)  SETTING_INDEX_##member,
#define SETTING_INTEGER(section, key, member, ...) SETTING_INDEX_##member,
#define SETTING_BOOLEAN(section, key, member, ...) SETTING_INDEX_##member,
#define SETTING_CHOICE(section, key, member, ...)  SETTING_INDEX_##member,
#include "settings/settings.def"
#include "settings/settings-undef.h"
    SETTING_COUNT
};
/* clang-format on */

extern const Setting setting_table[SETTING_COUNT];
extern const Settings setting_defaults;

/* NULL when there is no such key in the section. */
const Setting *setting_find(const char *section, const char *key);

/* Reads `text` into the member. -EINVAL: not a value of this kind; -ERANGE: one, but outside the limits.
 * `problem` says what was expected and what came; the member is untouched then. */
int setting_parse(const Setting *setting, const char *text, Settings *settings, Problem *problem);

#define SETTING_VALUE_SIZE 512
typedef struct SettingValue {
    char text[SETTING_VALUE_SIZE];
} SettingValue;

/* The value as text that setting_parse() reads back to the same value. */
SettingValue setting_format(const Setting *setting, const Settings *settings);

/* What may stand there: "5 to 300 s", "random, replay or relay". */
SettingValue setting_expectation(const Setting *setting);

/* Names of all sections, each once; returns how many were written (at most `capacity`). */
size_t setting_sections(const char **names, size_t capacity);

/* What somebody wrote, for a sentence that quotes it. */
static inline ShownText setting_shown(const char *text) {
    return text_shown(text, strlen(text));
}

/* Where a value came from, for messages: "/etc/traffic/traffic.conf:12", "--set" or "default". */
typedef struct SettingPlace {
    char text[300];
} SettingPlace;
SettingPlace setting_place(const SettingOrigin *origin);

/* Whether the values fit together; `origins` (SETTING_COUNT of them) say where each came from. -EINVAL. */
int settings_check(const Settings *settings, const SettingOrigin *origins, Problem *problem);
