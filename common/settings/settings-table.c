/* One setting at a time: the table made from settings.def, and the way between a value and its text. Knows no
 * file and no line. The subtle thing is the way back: what setting_format() prints, setting_parse() reads to
 * the very same value, so that --print-settings can be saved and used. */
#include "settings/settings-table.h"

#include "core/policy.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

VOCABULARY_DEFINE(SENSOR_SOURCE, SENSOR_SOURCE_LIST, sensor_source_words);
VOCABULARY_DEFINE(CLOCK_SOURCE, CLOCK_SOURCE_LIST, clock_source_words);
VOCABULARY_DEFINE(TIME_BASE, TIME_BASE_LIST, time_base_words);
VOCABULARY_DEFINE(BROKER_MODE, BROKER_MODE_LIST, broker_mode_words);

#define POLICY_WORD(id, word) word,
const char *const control_policy_words[POLICY_COUNT + 2] = {"auto", POLICY_LIST(POLICY_WORD)};

/* clang-format off */
#define ROW(sec, k, member, sent, ...) {.section = sec, .key = k, .sentence = sent, .offset = offsetof(Settings, member), __VA_ARGS__},
#define SETTING_TEXT(section, key, member, initial, bytes, sentence)             ROW(section, key, member, sentence, .unit = "", .kind = SETTING_KIND_TEXT, .max_bytes = bytes)
#define SETTING_NUMBER(section, key, member, initial, lo, hi, units, sentence)   ROW(section, key, member, sentence, .unit = units, .kind = SETTING_KIND_NUMBER, .min = lo, .max = hi)
#define SETTING_INTEGER(section, key, member, initial, lo, hi, units, sentence)  ROW(section, key, member, sentence, .unit = units, .kind = SETTING_KIND_INTEGER, .integer_min = lo, .integer_max = hi)
#define SETTING_BOOLEAN(section, key, member, initial, sentence)                 ROW(section, key, member, sentence, .unit = "", .kind = SETTING_KIND_BOOLEAN)
#define SETTING_CHOICE(section, key, member, initial, list, sentence)            ROW(section, key, member, sentence, .unit = "", .kind = SETTING_KIND_CHOICE, .words = list)
const Setting setting_table[SETTING_COUNT] = {
#include "settings/settings.def"
};
#include "settings/settings-undef.h"

#define SETTING_TEXT(section, key, member, initial, ...)    .member = initial,
#define SETTING_NUMBER(section, key, member, initial, ...)  .member = initial,
#define SETTING_INTEGER(section, key, member, initial, ...) .member = initial,
#define SETTING_BOOLEAN(section, key, member, initial, ...) .member = initial,
#define SETTING_CHOICE(section, key, member, initial, ...)  .member = initial,
const Settings setting_defaults = {
#include "settings/settings.def"
};
#include "settings/settings-undef.h"
/* clang-format on */

/* The words that are read as yes and no; the first of each is the one that is printed. */
static const char *const boolean_words[] = {"no", "yes", "false", "true", "off", "on", "0", "1", NULL};

size_t settings_count(void) {
    return SETTING_COUNT;
}

const Setting *setting_find(const char *section, const char *key) {
    for (size_t i = 0; i < ARRAY_LEN(setting_table); i++)
        if (strcmp(setting_table[i].section, section) == 0 && strcmp(setting_table[i].key, key) == 0)
            return &setting_table[i];
    return NULL;
}

size_t setting_sections(const char **names, size_t capacity) {
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(setting_table); i++) {
        bool is_known = false;
        for (size_t j = 0; j < n; j++)
            is_known |= strcmp(names[j], setting_table[i].section) == 0;
        if (!is_known && n < capacity)
            names[n++] = setting_table[i].section;
    }
    return n;
}

static int refuse(const Setting *setting, int error, const char *text, Problem *problem) {
    SettingValue expected = setting_expectation(setting);
    return problem_set(problem, error, "expected %s, got \"%s\"", expected.text, setting_shown(text).text);
}

/* A text must survive a trip through the file: nothing that a line cannot hold, nothing that starts a comment
 * there. */
static bool text_fits_a_line(const char *text, size_t size) {
    if (utf8_valid_size(text, size) < size || text_has_control(text, size))
        return false;
    return text[0] != ';' && !strstr(text, " ;");
}

static int parse_text(const Setting *setting, const char *text, char *member, Problem *problem) {
    size_t size = strlen(text);
    if (!text_fits_a_line(text, size))
        return problem_set(problem, -EINVAL,
                           "expected a text in UTF-8 without control characters and comments, got \"%s\"",
                           setting_shown(text).text);
    if (size == 0 || size > setting->max_bytes)
        return refuse(setting, size == 0 ? -EINVAL : -ERANGE, text, problem);
    memcpy(member, text, size + 1);
    return 0;
}

/* strtod() also takes hexadecimal, "inf" and "nan": nobody means those here. */
static int parse_number(const Setting *setting, const char *text, double *member, Problem *problem) {
    char *end = NULL;
    double value = strtod(text, &end);
    if (text[0] == '\0' || *end != '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return refuse(setting, -EINVAL, text, problem);
    if (!(value >= setting->min && value <= setting->max))
        return refuse(setting, -ERANGE, text, problem);
    *member = value + 0.0; /* -0 becomes 0 */
    return 0;
}

static int parse_integer(const Setting *setting, const char *text, int64_t *member, Problem *problem) {
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0' || strspn(text, "0123456789+-") != strlen(text))
        return refuse(setting, -EINVAL, text, problem);
    if (errno == ERANGE || value < setting->integer_min || value > setting->integer_max)
        return refuse(setting, -ERANGE, text, problem);
    *member = value;
    return 0;
}

static int parse_boolean(const Setting *setting, const char *text, bool *member, Problem *problem) {
    int index = word_index(boolean_words, text);
    if (index < 0)
        return refuse(setting, -EINVAL, text, problem);
    *member = index % 2 == 1;
    return 0;
}

static size_t word_count(const char *const *words) {
    size_t n = 0;
    while (words[n])
        n++;
    return n;
}

static int parse_choice(const Setting *setting, const char *text, int *member, Problem *problem) {
    int index = word_index(setting->words, text);
    if (index >= 0) {
        *member = index;
        return 0;
    }
    SettingValue expected = setting_expectation(setting);
    const char *nearest = closest_word(text, setting->words, word_count(setting->words));
    return problem_set(problem, -EINVAL, "expected %s, got \"%s\"%s%s%s", expected.text,
                       setting_shown(text).text, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                       nearest ? "\"?" : "");
}

int setting_parse(const Setting *setting, const char *text, Settings *settings, Problem *problem) {
    void *member = (char *)settings + setting->offset;
    switch (setting->kind) {
    case SETTING_KIND_TEXT:
        return parse_text(setting, text, member, problem);
    case SETTING_KIND_NUMBER:
        return parse_number(setting, text, member, problem);
    case SETTING_KIND_INTEGER:
        return parse_integer(setting, text, member, problem);
    case SETTING_KIND_BOOLEAN:
        return parse_boolean(setting, text, member, problem);
    case SETTING_KIND_CHOICE:
        return parse_choice(setting, text, member, problem);
    }
    return problem_set(problem, -EINVAL, "a setting of unknown kind");
}

/* The shortest decimal text that is read back as the same double: 0.1 and not 0.10000000000000001. */
static void format_number(char *text, size_t size, double value) {
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

/* Large limits are meant to be read: 100000 and not 1e+05. */
static void format_limit(char *text, size_t size, double value) {
    if (fabs(value) < 1e15 && trunc(value) == value)
        (void)snprintf(text, size, "%.0f", value);
    else
        format_number(text, size, value);
}

SettingValue setting_format(const Setting *setting, const Settings *settings) {
    SettingValue value = {""};
    const void *member = (const char *)settings + setting->offset;
    switch (setting->kind) {
    case SETTING_KIND_TEXT:
        (void)snprintf(value.text, sizeof value.text, "%s", (const char *)member);
        break;
    case SETTING_KIND_NUMBER:
        format_limit(value.text, sizeof value.text, *(const double *)member);
        break;
    case SETTING_KIND_INTEGER:
        (void)snprintf(value.text, sizeof value.text, "%lld", (long long)*(const int64_t *)member);
        break;
    case SETTING_KIND_BOOLEAN:
        (void)snprintf(value.text, sizeof value.text, "%s", boolean_words[*(const bool *)member]);
        break;
    case SETTING_KIND_CHOICE:
        (void)snprintf(value.text, sizeof value.text, "%s", setting->words[*(const int *)member]);
        break;
    }
    return value;
}

static void format_words(char *text, size_t size, const char *const *words) {
    size_t used = 0, n = word_count(words);
    for (size_t i = 0; i < n && used < size; i++) {
        const char *separator = i == 0 ? "" : i + 1 == n ? " or " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s%s", separator, words[i]);
    }
}

static void format_integer_range(char *text, size_t size, const Setting *setting) {
    const char *space = setting->unit[0] ? " " : "";
    if (setting->integer_max == INT64_MAX)
        (void)snprintf(text, size, "a whole number of at least %lld%s%s", (long long)setting->integer_min,
                       space, setting->unit);
    else
        (void)snprintf(text, size, "a whole number from %lld to %lld%s%s", (long long)setting->integer_min,
                       (long long)setting->integer_max, space, setting->unit);
}

SettingValue setting_expectation(const Setting *setting) {
    SettingValue value = {""};
    char min[32], max[32];
    const char *space = setting->unit[0] ? " " : "";
    switch (setting->kind) {
    case SETTING_KIND_TEXT:
        (void)snprintf(value.text, sizeof value.text, "a text of 1 to %zu bytes", setting->max_bytes);
        break;
    case SETTING_KIND_NUMBER:
        format_limit(min, sizeof min, setting->min);
        format_limit(max, sizeof max, setting->max);
        (void)snprintf(value.text, sizeof value.text, "a number from %s to %s%s%s", min, max, space,
                       setting->unit);
        break;
    case SETTING_KIND_INTEGER:
        format_integer_range(value.text, sizeof value.text, setting);
        break;
    case SETTING_KIND_BOOLEAN:
        (void)snprintf(value.text, sizeof value.text, "yes or no");
        break;
    case SETTING_KIND_CHOICE:
        format_words(value.text, sizeof value.text, setting->words);
        break;
    }
    return value;
}
