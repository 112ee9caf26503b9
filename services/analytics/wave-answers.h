/* Green waves as JSON, for replies. Decides nothing. */
#pragma once

#include "answers.h"
#include "waves.h"

/* All return a new object. `affected`: the ids of the intersections that are asked, or will be. */
struct json_object *wave_affected(const AnswerSources *sources, const Wave *wave);
struct json_object *wave_stops(const AnswerSources *sources, const Wave *wave);

/* The intersections of other waves that have to wait for this one. */
struct json_object *wave_displaced(const AnswerSources *sources, const Wave *wave);

/* Every wave that runs: who it is for, where it is. */
struct json_object *wave_list(const AnswerSources *sources);

/* " INT-B3 waits 12 s for row_B, INT-B4 is refused for it.": what became of those that others claim; "" when nothing. */
typedef struct WaveWords {
    char text[256];
} WaveWords;
WaveWords wave_words(const AnswerSources *sources, const Wave *wave);
