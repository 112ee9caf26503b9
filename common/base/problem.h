/* What went wrong, in a sentence for a person: what was expected, what came, where, and what to do.
 *
 * Functions that refuse input take a `Problem *` (may be NULL) beside their negative errno. Libraries only
 * fill it; it is logged once, where the error stops. */
#pragma once

#include "base/macro.h"

typedef struct Problem {
    char text[512];
} Problem;

/* Writes the sentence and returns `error` (a negative errno), so that a refusal is one statement:
 *     return problem_set(problem, -ERANGE, "%s: expected 1 to 60, got %ld", where, value); */
int problem_set(Problem *problem, int error, const char *format, ...) printf_like(3, 4);

/* For "did you mean": the known word nearest to `word` (edit distance, at most a third of its length), or
 * NULL. */
const char *closest_word(const char *word, const char *const *known, size_t n_known);
