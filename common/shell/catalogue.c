/* Build-time tool: prints events.def as a systemd message catalogue (see journalctl --catalog). Knows the
 * catalogue's format and nothing else; the build installs what it prints. */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

enum { CATALOGUE_COLUMNS = 78 };

static void print_wrapped(const char *text) {
    size_t column = 0;

    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > CATALOGUE_COLUMNS) {
            putchar('\n');
            column = 0;
        }
        if (column > 0) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, text);
        column += word;
        text += word + strspn(text + word, " ");
    }
    putchar('\n');
}

static void print_entry(const char *message_id, const char *subject, const char *text) {
    printf("\n-- %s\nSubject: %s\nDefined-By: Ola Verde\nSupport: man:traffic.conf(5)\n\n", message_id,
           subject);
    print_wrapped(text);
}

int main(void) {
    printf("# Operator events of Ola Verde, for journalctl --catalog.\n");
#define JOURNAL_EVENT(ID, message_id, priority, subject, text) print_entry(message_id, subject, text);
#include "shell/events.def"
#undef JOURNAL_EVENT
    return fflush(stdout) == 0 ? 0 : 1;
}
