/* Where values come from: defaults, files, drop-ins, --set; and who wins. Knows no single setting; whether
 * they fit together is settings-check.c's. Every refusal names its place: file and line, or --set.
 *
 * The lines are taken apart by inih. It numbers them for nobody and has leniencies of its own (a long line is
 * read as two, an indented line continues the value before, any section will do), so it reads through
 * next_line(), which counts, trims, checks sections, and stops it at the first line that is refused. */
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

static SettingOrigin origin_of(const char *file, unsigned line) {
    SettingOrigin origin = {.line = line};
    (void)snprintf(origin.file, sizeof origin.file, "%s", file);
    return origin;
}

/* --- one value --- */

static bool has_section(const char *section) {
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(setting_table[i].section, section) == 0)
            return true;
    return false;
}

static int refuse_unknown_section(const char *place, const char *section, Problem *problem) {
    ShownText shown = setting_shown(section);
    const char *names[SECTIONS_MAX];
    size_t n = setting_sections(names, ARRAY_LEN(names));
    const char *nearest = closest_word(section, names, n);
    if (nearest)
        return problem_set(problem, -EINVAL, "%s: unknown section [%s]; did you mean [%s]?", place,
                           shown.text, nearest);
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s[%s]", i ? " " : "", names[i]);
    return problem_set(problem, -EINVAL, "%s: unknown section [%s]; expected one of %s", place, shown.text,
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
    ShownText shown = setting_shown(key);
    const char *names[SETTING_COUNT];
    size_t n = 0;
    for (size_t i = 0; i < SETTING_COUNT && n < ARRAY_LEN(names); i++)
        if (strcmp(setting_table[i].section, section) == 0)
            names[n++] = setting_table[i].key;
    if (n == 0)
        return refuse_unknown_section(place, section, problem);
    const char *nearest = closest_word(key, names, n);
    if (nearest)
        return problem_set(problem, -EINVAL, "%s: unknown key \"%s\" in [%s]; did you mean \"%s\"?", place,
                           shown.text, section, nearest);
    if (section_of(key))
        return problem_set(problem, -EINVAL, "%s: unknown key \"%s\" in [%s]; it belongs under [%s]", place,
                           shown.text, section, section_of(key));
    return problem_set(problem, -EINVAL, "%s: unknown key \"%s\" in [%s]; --print-settings lists them all",
                       place, shown.text, section);
}

static int assign(Loader *loader, const SettingOrigin *origin, const char *section, const char *key,
                  const char *text) {
    const Setting *setting = setting_find(section, key);
    if (!setting)
        return refuse_unknown_key(setting_place(origin).text, section, key, loader->problem);
    Problem why = {""};
    int r = setting_parse(setting, text, &loader->settings, &why);
    if (r < 0)
        return problem_set(loader->problem, r, "%s: [%s] %s: %s", setting_place(origin).text, section, key,
                           why.text);
    loader->origins[setting - setting_table] = *origin;
    return 0;
}

/* --- files --- */

static SettingOrigin here(const Loader *loader) {
    return origin_of(loader->path, loader->line);
}

/* Refuses the line being read and, through next_line(), ends the reading. */
static void refuse_line(Loader *loader, const char *what) {
    SettingOrigin origin = here(loader);
    loader->error = problem_set(loader->problem, -EINVAL, "%s: %s", setting_place(&origin).text, what);
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
        loader->error = refuse_unknown_section(setting_place(&origin).text, name, loader->problem);
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
    char what[320];
    loader->text[strcspn(loader->text, "\r\n")] = '\0';
    (void)snprintf(what, sizeof what, "expected [section] or key = value, got \"%s\"",
                   setting_shown(loader->text).text);
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
    loader->path = NULL;
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

/* --- the command line --- */

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
        return problem_set(loader->problem, -EINVAL, "--set: expected SECTION.KEY=VALUE, got \"%s\"",
                           setting_shown(text).text);
    if (!copy_trimmed(section, sizeof section, text, dot) ||
        !copy_trimmed(key, sizeof key, dot + 1, equals) ||
        !copy_trimmed(value, sizeof value, equals + 1, equals + strlen(equals)))
        return problem_set(loader->problem, -EINVAL, "--set: \"%s\" is too long", setting_shown(text).text);
    SettingOrigin origin = origin_of("--set", 0);
    return assign(loader, &origin, section, key, value);
}

int settings_load(const SettingsSource *source, Settings *ret, SettingOrigin *ret_origins, Problem *problem) {
    SettingOrigin origins[SETTING_COUNT];
    Loader loader = {.settings = setting_defaults, .origins = origins, .problem = problem};
    memset(origins, 0, sizeof origins);
    int r = read_files(&loader, source);
    for (size_t i = 0; r == 0 && i < source->n_overrides; i++)
        r = apply_override(&loader, source->overrides[i]);
    if (r == 0)
        r = settings_check(&loader.settings, origins, problem);
    if (r < 0)
        return r;
    *ret = loader.settings;
    if (ret_origins)
        memcpy(ret_origins, origins, sizeof origins);
    return 0;
}
