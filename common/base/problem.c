#include "base/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int problem_set(Problem *problem, int error, const char *format, ...) {
    if (problem) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
        va_end(arguments);
    }
    return error;
}

enum { WORD_MAX = 64 };

/* Levenshtein distance of two words shorter than WORD_MAX. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[WORD_MAX + 1];
    size_t a_length = strlen(a), b_length = strlen(b);
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
            size_t insert_or_delete = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = substitute < insert_or_delete ? substitute : insert_or_delete;
        }
    }
    return row[b_length];
}

const char *closest_word(const char *word, const char *const *known, size_t n_known) {
    const char *best = NULL;
    if (strlen(word) > WORD_MAX)
        return NULL;
    size_t best_distance = strlen(word) / 3 + 1;
    for (size_t i = 0; i < n_known; i++) {
        if (strlen(known[i]) > WORD_MAX)
            continue;
        size_t distance = edit_distance(word, known[i]);
        if (distance < best_distance) {
            best = known[i];
            best_distance = distance;
        }
    }
    return best;
}
