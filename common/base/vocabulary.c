#include "base/vocabulary.h"

#include <stddef.h>
#include <string.h>

VOCABULARY_DEFINE(DIRECTION, DIRECTION_LIST, direction_words);
VOCABULARY_DEFINE(COLOUR, COLOUR_LIST, colour_words);
VOCABULARY_DEFINE(SENSOR_KIND, SENSOR_KIND_LIST, sensor_kind_words);
VOCABULARY_DEFINE(TRAFFIC_STATE, TRAFFIC_STATE_LIST, traffic_state_words);
VOCABULARY_DEFINE(DECISION, DECISION_LIST, decision_words);
VOCABULARY_DEFINE(SIGNAL_ACTION, SIGNAL_ACTION_LIST, signal_action_words);
VOCABULARY_DEFINE(SIGNAL_MODE, SIGNAL_MODE_LIST, signal_mode_words);
VOCABULARY_DEFINE(SIGNAL_OUTCOME, SIGNAL_OUTCOME_LIST, signal_outcome_words);
VOCABULARY_DEFINE(WAVE_MODE, WAVE_MODE_LIST, wave_mode_words);
VOCABULARY_DEFINE(CONGESTION_LEVEL, CONGESTION_LEVEL_LIST, congestion_level_words);
VOCABULARY_DEFINE(REPLY_STATUS, REPLY_STATUS_LIST, reply_status_words);
VOCABULARY_DEFINE(REPLY_CAUSE, REPLY_CAUSE_LIST, reply_cause_words);
VOCABULARY_DEFINE(SIGNAL_REPORT, SIGNAL_REPORT_LIST, signal_report_words);
VOCABULARY_DEFINE(STEP, STEP_LIST, step_words);
VOCABULARY_DEFINE(PROTOCOL, PROTOCOL_LIST, protocol_words);
VOCABULARY_DEFINE(STORE_ROLE, STORE_ROLE_LIST, store_role_words);

int word_index(const char *const *words, const char *word) {
    return word_index_sized(words, word, strlen(word));
}

int word_index_sized(const char *const *words, const char *word, size_t size) {
    for (int i = 0; words[i]; i++)
        if (strlen(words[i]) == size && memcmp(words[i], word, size) == 0)
            return i;
    return -1;
}
