/* Settings as text for people: --print-settings, `trafficctl config cat` and the manual page, all from the
 * same table as the parser. Opens no file. */
#include "settings/settings-table.h"

#include <string.h>

/* A sentence that goes on in the next row ends in "..."; the range stands behind it. */
static void print_comment(FILE *out, const Setting *setting) {
    fprintf(out, "# %s\n# Expects %s; default %s.\n", setting->sentence, setting_expectation(setting).text,
            setting_format(setting, &setting_defaults).text);
}

static bool starts_section(const Setting *setting) {
    return setting == setting_table || strcmp(setting[-1].section, setting->section) != 0;
}

SettingPlace setting_place(const SettingOrigin *origin) {
    SettingPlace place;
    if (origin->line > 0)
        (void)snprintf(place.text, sizeof place.text, "%s:%u", origin->file, origin->line);
    else
        (void)snprintf(place.text, sizeof place.text, "%s", origin->file[0] ? origin->file : "default");
    return place;
}

void settings_print(FILE *out, const Settings *settings) {
    for (const Setting *s = setting_table; s < setting_table + SETTING_COUNT; s++) {
        if (starts_section(s))
            fprintf(out, "%s[%s]\n", s == setting_table ? "" : "\n", s->section);
        print_comment(out, s);
        fprintf(out, "%s = %s\n", s->key, setting_format(s, settings).text);
    }
}

void settings_print_origins(FILE *out, const Settings *settings, const SettingOrigin *origins) {
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const Setting *s = &setting_table[i];
        int width = fprintf(out, "%s.%s = %s", s->section, s->key, setting_format(s, settings).text);
        fprintf(out, "%*s  # ", width < 52 ? 52 - width : 0, "");
        fprintf(out, "%s\n", setting_place(&origins[i]).text);
    }
}

/* scdoc's own characters mean themselves behind a backslash. */
static void print_escaped(FILE *out, const char *text) {
    for (; *text; text++) {
        if (strchr("\\*_#[]<|", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void print_manual_entry(FILE *out, const Setting *setting) {
    fputc('*', out);
    print_escaped(out, setting->key);
    fputs("* = ", out);
    print_escaped(out, setting_format(setting, &setting_defaults).text);
    fputs("\n\t", out);
    print_escaped(out, setting->sentence);
    fputs(" Expects ", out);
    print_escaped(out, setting_expectation(setting).text);
    fputs(".\n\n", out);
}

void settings_print_manual(FILE *out) {
    for (const Setting *s = setting_table; s < setting_table + SETTING_COUNT; s++) {
        if (starts_section(s))
            fprintf(out, "## [%s]\n\n", s->section);
        print_manual_entry(out, s);
    }
}
