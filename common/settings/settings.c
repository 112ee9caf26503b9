/* Where values come from: defaults, files, drop-ins, --set; who wins; and whether the result makes sense as a
 * whole. Knows no single setting except in the table of relations. Every refusal names its place: file and
 * line, or --set.
 *
 * The lines are taken apart by inih. It numbers them for nobody and has leniencies of its own (a long line is
 * read as two, an indented line continues the value before), so it reads through next_line(), which counts,
 * trims, and stops it at the first line that is refused. */
#include "settings/settings.h"

#include "settings/settings-table.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_MAX_BYTES = 1000, /* longest line; the longest text setting has 255 bytes */
    SECTIONS_MAX = 64,
};

typedef struct Loader {
    Settings settings;
    SettingOrigin *origins; /* SETTING_COUNT of them */
    Problem *problem;

    const char *path; /* of the file being read */
    FILE *file;
    char *text; /* the line being read; of getline() */
    size_t text_capacity;
    unsigned line;
    int error; /* of the first refused line */
} Loader;

/* "/etc/traffic/traffic.conf:12", or "--set" for a place without lines */
typedef struct Place {
    char text[300];
} Place;

static Place place_of(const SettingOrigin *origin) {
    Place place;
    if (origin->line > 0)
        (void)snprintf(place.text, sizeof place.text, "%s:%u", origin->file, origin->line);
    else
        (void)snprintf(place.text, sizeof place.text, "%s", origin->file[0] ? origin->file : "default");
    return place;
}

static SettingOrigin origin_of(const char *file, unsigned line) {
    SettingOrigin origin = {.line = line};
    (void)snprintf(origin.file, sizeof origin.file, "%s", file);
    return origin;
}

/* --- one value
 * ----------------------------------------------------------------------------------------------------- */

static bool has_section(const char *section) {
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(setting_table[i].section, section) == 0)
            return true;
    return false;
}

static int refuse_unknown_section(const char *place, const char *section, Problem *problem) {
    const char *names[SECTIONS_MAX];
    size_t n = setting_sections(names, ARRAY_LEN(names));
    const char *nearest = closest_word(section, names, n);
    if (nearest)
        return problem_set(problem, -EINVAL, "%s: unknown section [%.60s]; did you mean [%s]?", place,
                           section, nearest);
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s[%s]", i ? " " : "", names[i]);
    return problem_set(problem, -EINVAL, "%s: unknown section [%.60s]; expected one of %s", place, section,
                       list);
}

/* The section in which `key` exists, when it stands under a wrong one: the commonest mistake with files in
 * sections. */
static const char *section_of(const char *key) {
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(setting_table[i].key, key) == 0)
            return setting_table[i].section;
    return NULL;
}

static int refuse_unknown_key(const char *place, const char *section, const char *key, Problem *problem) {
    const char *names[SETTING_COUNT];
    size_t n = 0;
    for (size_t i = 0; i < SETTING_COUNT && n < ARRAY_LEN(names); i++)
        if (strcmp(setting_table[i].section, section) == 0)
            names[n++] = setting_table[i].key;
    if (n == 0)
        return refuse_unknown_section(place, section, problem);
    const char *nearest = closest_word(key, names, n);
    if (nearest)
        return problem_set(problem, -EINVAL, "%s: unknown key \"%.60s\" in [%s]; did you mean \"%s\"?", place,
                           key, section, nearest);
    if (section_of(key))
        return problem_set(problem, -EINVAL, "%s: unknown key \"%.60s\" in [%s]; it belongs under [%s]",
                           place, key, section, section_of(key));
    return problem_set(problem, -EINVAL, "%s: unknown key \"%.60s\" in [%s]; --print-settings lists them all",
                       place, key, section);
}

static int assign(Loader *loader, const SettingOrigin *origin, const char *section, const char *key,
                  const char *text) {
    const Setting *setting = setting_find(section, key);
    if (!setting)
        return refuse_unknown_key(place_of(origin).text, section, key, loader->problem);
    Problem why = {""};
    int r = setting_parse(setting, text, &loader->settings, &why);
    if (r < 0)
        return problem_set(loader->problem, r, "%s: [%s] %s: %s", place_of(origin).text, section, key,
                           why.text);
    loader->origins[setting - setting_table] = *origin;
    return 0;
}

/* --- files
 * ---------------------------------------------------------------------------------------------------------
 */

static SettingOrigin here(const Loader *loader) {
    return origin_of(loader->path, loader->line);
}

/* Refuses the line being read and, through next_line(), ends the reading. */
static void refuse_line(Loader *loader, const char *what) {
    SettingOrigin origin = here(loader);
    loader->error = problem_set(loader->problem, -EINVAL, "%s: %s", place_of(&origin).text, what);
}

/* inih takes any name for a section, even without keys, and ignores what stands behind the bracket. */
static void check_section(Loader *loader, const char *line) {
    char name[64];
    const char *end = line[0] == '[' ? strchr(line, ']') : NULL;
    if (!end)
        return;
    const char *after = end + 1 + strspn(end + 1, " \t\r\n");
    if (*after && *after != ';' && *after != '#') {
        refuse_line(loader, "expected nothing after the ] of a section");
        return;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)(end - line - 1), line + 1);
    SettingOrigin origin = here(loader);
    if (!has_section(name))
        loader->error = refuse_unknown_section(place_of(&origin).text, name, loader->problem);
}

/* The start of the line behind white space and, in the first line, the byte order mark of some editors. */
static const char *start_of_line(const Loader *loader) {
    static const char mark[] = "\xEF\xBB\xBF";
    const char *start = loader->text;
    if (loader->line == 1 && strncmp(start, mark, sizeof mark - 1) == 0)
        start += sizeof mark - 1;
    return start + strspn(start, " \t\r\f\v");
}

/* The reader that inih calls for each line; NULL is the end. */
static char *next_line(char *buffer, int size, void *userdata) {
    Loader *loader = userdata;
    ssize_t length = loader->error < 0 ? -1 : getline(&loader->text, &loader->text_capacity, loader->file);
    if (length < 0)
        return NULL;
    loader->line++;
    const char *start = start_of_line(loader);
    if (strlen(loader->text) != (size_t)length)
        refuse_line(loader, "expected text, got a NUL byte");
    else if (length > LINE_MAX_BYTES || length >= size)
        refuse_line(loader, "expected a line of at most 1000 bytes, got a longer one");
    else
        check_section(loader, start);
    if (loader->error < 0)
        return NULL;
    memcpy(buffer, start, strlen(start) + 1);
    return buffer;
}

/* The handler that inih calls for each `key = value`: 1 is good, 0 is not. */
static int on_value(void *userdata, const char *section, const char *key, const char *value) {
    Loader *loader = userdata;
    SettingOrigin origin = here(loader);
    if (section[0] == '\0')
        refuse_line(loader, "expected a [section] before the first key");
    else
        loader->error = assign(loader, &origin, section, key, value);
    return loader->error == 0;
}

/* inih stopped by itself: the line is neither a section nor `key = value`. */
static void refuse_syntax(Loader *loader) {
    char what[160];
    loader->text[strcspn(loader->text, "\r\n")] = '\0';
    (void)snprintf(what, sizeof what, "expected [section] or key = value, got \"%.80s\"", loader->text);
    refuse_line(loader, what);
}

static int read_lines(Loader *loader) {
    /* limits of the library, variables of it: the same values every time */
    ini_max_line = LINE_MAX_BYTES + 1;
    ini_allow_multiline = false;
    ini_stop_on_first_error = true;
    loader->line = 0;
    int r = ini_parse_stream(next_line, loader, on_value, loader);
    if (loader->error < 0)
        return loader->error;
    if (ferror(loader->file))
        return problem_set(loader->problem, -EIO, "%s: cannot read: %s", loader->path, strerror(errno));
    if (r != 0)
        refuse_syntax(loader);
    return loader->error;
}

static int read_file(Loader *loader, const char *path, bool must_exist) {
    loader->path = path;
    loader->file = fopen(path, "re");
    if (!loader->file && errno == ENOENT && !must_exist)
        return 0;
    if (!loader->file) {
        int error = errno;
        return problem_set(loader->problem, -error, "%s: cannot open: %s", path, strerror(error));
    }
    int r = read_lines(loader);
    (void)fclose(loader->file);
    free(loader->text);
    loader->text = NULL;
    loader->text_capacity = 0;
    return r;
}

static int is_drop_in(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* Bytes, not the collation of somebody's locale: the order is the same on every machine. */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* PATH and then PATH.d/NAME.conf in the order of their names. */
static int read_with_drop_ins(Loader *loader, const char *path, bool must_exist) {
    int r = read_file(loader, path, must_exist);
    if (r < 0)
        return r;
    char directory[PATH_MAX], file[PATH_MAX + NAME_MAX + 2];
    struct dirent **entries = NULL;
    (void)snprintf(directory, sizeof directory, "%s.d", path);
    int n = scandir(directory, &entries, is_drop_in, by_name);
    if (n < 0 && errno != ENOENT && errno != ENOTDIR)
        return problem_set(loader->problem, -errno, "%s: cannot list: %s", directory, strerror(errno));
    for (int i = 0; i < n; i++) {
        (void)snprintf(file, sizeof file, "%s/%s", directory, entries[i]->d_name);
        if (r == 0)
            r = read_file(loader, file, true);
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int read_files(Loader *loader, const SettingsSource *source) {
    static const char *const paths[] = {"/usr/lib/traffic/traffic.conf", "/etc/traffic/traffic.conf"};
    if (source->file)
        return read_with_drop_ins(loader, source->file, true);
    char path[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        (void)snprintf(path, sizeof path, "%s%s", source->root ? source->root : SETTINGS_DEFAULT_ROOT,
                       paths[i]);
        int r = read_with_drop_ins(loader, path, false);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- the command line
 * ---------------------------------------------------------------------------------------------- */

/* Copies [start, end) without the white space around it; false when it does not fit. */
static bool copy_trimmed(char *ret, size_t size, const char *start, const char *end) {
    while (start < end && isspace((unsigned char)*start))
        start++;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    size_t length = (size_t)(end - start);
    if (length >= size)
        return false;
    memcpy(ret, start, length);
    ret[length] = '\0';
    return true;
}

static int apply_override(Loader *loader, const char *text) {
    char section[64], key[64], value[SETTING_VALUE_SIZE];
    const char *equals = strchr(text, '=');
    const char *dot = equals ? memchr(text, '.', (size_t)(equals - text)) : NULL;
    if (!dot)
        return problem_set(loader->problem, -EINVAL, "--set: expected SECTION.KEY=VALUE, got \"%.80s\"",
                           text);
    if (!copy_trimmed(section, sizeof section, text, dot) ||
        !copy_trimmed(key, sizeof key, dot + 1, equals) ||
        !copy_trimmed(value, sizeof value, equals + 1, equals + strlen(equals)))
        return problem_set(loader->problem, -EINVAL, "--set: \"%.80s...\" is too long", text);
    SettingOrigin origin = origin_of("--set", 0);
    return assign(loader, &origin, section, key, value);
}

/* --- relations
 * ----------------------------------------------------------------------------------------------------- */

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

static int check_relation(const Loader *loader, const Relation *relation) {
    static const char *const words[] = {
        [IS_ABOVE] = "greater than", [IS_AT_LEAST] = "at least", [IS_AT_MOST] = "at most"};
    const Setting *first = setting_at(relation->first), *second = setting_at(relation->second);
    const char *values = (const char *)&loader->settings;
    if (relation_holds(relation->kind, *(const double *)(values + first->offset),
                       *(const double *)(values + second->offset)))
        return 0;
    const SettingOrigin *first_origin = &loader->origins[first - setting_table];
    const SettingOrigin *second_origin = &loader->origins[second - setting_table];
    /* the line to look at is one that somebody wrote */
    const SettingOrigin *culprit = first_origin->file[0] ? first_origin : second_origin;
    return problem_set(
        loader->problem, -EINVAL, "%s: expected [%s] %s %s [%s] %s, got %s (%s) and %s (%s): %s",
        place_of(culprit).text, first->section, first->key, words[relation->kind], second->section,
        second->key, setting_format(first, &loader->settings).text, place_of(first_origin).text,
        setting_format(second, &loader->settings).text, place_of(second_origin).text, relation->why);
}

/* A machine's address becomes part of tcp://ADDRESS:PORT, so it must not bring a scheme or a port of its own.
 */
static int check_address(const Loader *loader, size_t offset) {
    const Setting *setting = setting_at(offset);
    const char *address = (const char *)&loader->settings + offset;
    bool is_any = strcmp(address, "*") == 0 && offset == offsetof(Settings, bind_address);
    if (is_any || strspn(address, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
                      strlen(address))
        return 0;
    return problem_set(
        loader->problem, -EINVAL,
        "%s: [%s] %s: expected a host name or an IPv4 address, without scheme and port, got \"%.80s\"",
        place_of(&loader->origins[setting - setting_table]).text, setting->section, setting->key, address);
}

static int check_whole(const Loader *loader) {
    static const size_t addresses[] = {offsetof(Settings, pc1), offsetof(Settings, pc2),
                                       offsetof(Settings, pc3), offsetof(Settings, bind_address)};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(addresses); i++)
        r = check_address(loader, addresses[i]);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(relations); i++)
        r = check_relation(loader, &relations[i]);
    return r;
}

int settings_load(const SettingsSource *source, Settings *ret, SettingOrigin *ret_origins, Problem *problem) {
    SettingOrigin origins[SETTING_COUNT];
    Loader loader = {.settings = setting_defaults, .origins = origins, .problem = problem};
    memset(origins, 0, sizeof origins);
    int r = read_files(&loader, source);
    for (size_t i = 0; r == 0 && i < source->n_overrides; i++)
        r = apply_override(&loader, source->overrides[i]);
    if (r == 0)
        r = check_whole(&loader);
    if (r < 0)
        return r;
    *ret = loader.settings;
    if (ret_origins)
        memcpy(ret_origins, origins, sizeof origins);
    return 0;
}
