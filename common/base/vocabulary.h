/* The words of the domain, each list once: the enum, and the text that the wire, the databases, the journal
 * and the operator see. The wire keeps the Spanish of the first implementation where it had Spanish; see
 * wire/messages.def for its members.
 *
 *     VOCABULARY(Direction, DIRECTION, X)   ->   enum Direction, DIRECTION_COUNT, direction_words[]
 */
#pragma once

#include <stddef.h>

/* The two axes of an intersection: streets run north-south (columns) or east-west (rows). */
#define DIRECTION_LIST(X) X(DIRECTION_NS, "NS") X(DIRECTION_EW, "EW")

#define COLOUR_LIST(X) X(COLOUR_RED, "RED") X(COLOUR_GREEN, "GREEN")

#define SENSOR_KIND_LIST(X)                                                                                  \
    X(SENSOR_CAMERA, "camera")                                                                               \
    X(SENSOR_INDUCTIVE, "inductive")                                                                         \
    X(SENSOR_GPS, "gps")

#define TRAFFIC_STATE_LIST(X)                                                                                \
    X(TRAFFIC_NORMAL, "NORMAL")                                                                              \
    X(TRAFFIC_CONGESTION, "CONGESTION")                                                                      \
    X(TRAFFIC_GREEN_WAVE, "GREEN_WAVE")

#define DECISION_LIST(X)                                                                                     \
    X(DECISION_NO_ACTION, "NO_ACTION")                                                                       \
    X(DECISION_EXTEND_GREEN, "EXTEND_GREEN")                                                                 \
    X(DECISION_GREEN_WAVE, "GREEN_WAVE")                                                                     \
    X(DECISION_FORCE_CHANGE, "FORCE_CHANGE")

/* What a request to the lights asks for. FORCE is what a peer without this word means. */
#define SIGNAL_ACTION_LIST(X)                                                                                \
    X(SIGNAL_FORCE, "FORCE")                                                                                 \
    X(SIGNAL_EXTEND, "EXTEND")                                                                               \
    X(SIGNAL_WAVE, "WAVE")                                                                                   \
    X(SIGNAL_PHASE, "PHASE")                                                                                 \
    X(SIGNAL_RELEASE, "RELEASE")

/* What the lights follow. */
#define SIGNAL_MODE_LIST(X)                                                                                  \
    X(SIGNAL_MODE_FIXED, "FIXED")                                                                            \
    X(SIGNAL_MODE_COMMANDED, "COMMANDED")                                                                    \
    X(SIGNAL_MODE_FORCED, "FORCED")                                                                          \
    X(SIGNAL_MODE_WAVE, "WAVE")                                                                              \
    X(SIGNAL_MODE_LATCHED, "LATCHED")

/* What became of a request to the lights. */
#define SIGNAL_OUTCOME_LIST(X)                                                                               \
    X(SIGNAL_GRANTED, "granted")                                                                             \
    X(SIGNAL_ALREADY, "already")                                                                             \
    X(SIGNAL_QUEUED, "queued")                                                                               \
    X(SIGNAL_OUTRANKED, "outranked")                                                                         \
    X(SIGNAL_OUT_OF_ORDER, "out_of_order")                                                                   \
    X(SIGNAL_NO_SUCH_PHASE, "no_such_phase")                                                                 \
    X(SIGNAL_NO_ROOM, "no_room")                                                                             \
    X(SIGNAL_NOT_LATCHED, "not_latched")

/* How a green wave comes: everywhere at the same time, or to each intersection when it is needed. */
#define WAVE_MODE_LIST(X) X(WAVE_AT_ONCE, "at_once") X(WAVE_PROGRESSIVE, "progressive")

/* GPS: slow, middling or fast traffic (first implementation: ALTA below 10 km/h, BAJA above 40). */
#define CONGESTION_LEVEL_LIST(X) X(LEVEL_HIGH, "ALTA") X(LEVEL_NORMAL, "NORMAL") X(LEVEL_LOW, "BAJA")

#define REPLY_STATUS_LIST(X) X(REPLY_OK, "OK") X(REPLY_ERROR, "ERROR") X(REPLY_FAILOVER, "FAILOVER")

/* Why a reply's status is ERROR, for programs (the message is for people): what was asked for does not exist,
 * the request is malformed, the rules forbid it now, or a service that must answer is away. trafficctl's exit
 * status comes from it. */
#define REPLY_CAUSE_LIST(X)                                                                                  \
    X(CAUSE_NOT_FOUND, "NOT_FOUND")                                                                          \
    X(CAUSE_BAD_REQUEST, "BAD_REQUEST")                                                                      \
    X(CAUSE_REFUSED, "REFUSED")                                                                              \
    X(CAUSE_UNAVAILABLE, "UNAVAILABLE")

/* What a line on the signal reports link says: the lights changed, they changed when the listener was away, the whole
 * state again, or what became of a request. */
#define SIGNAL_REPORT_LIST(X)                                                                                \
    X(REPORT_CHANGE, "CHANGE")                                                                               \
    X(REPORT_PAST, "PAST")                                                                                   \
    X(REPORT_STATE, "STATE")                                                                                 \
    X(REPORT_ACCEPTED, "ACCEPTED")                                                                           \
    X(REPORT_REFUSED, "REFUSED")

/* What a line of lock-step says, on the links of the commands and of the reports. */
#define STEP_LIST(X)                                                                                         \
    X(STEP_HELLO, "HELLO")                                                                                   \
    X(STEP_MARK, "MARK")                                                                                     \
    X(STEP_DONE, "DONE")                                                                                     \
    X(STEP_INVALID, "INVALID")

/* What the reader of a link speaks: custody (it acknowledges what it has committed), or what the first
 * implementation spoke (it never acknowledges: sent is all that is known). */
#define PROTOCOL_LIST(X) X(PROTOCOL_CUSTODY, "custody") X(PROTOCOL_V0, "v0")

#define STORE_ROLE_LIST(X) X(STORE_ROLE_PRIMARY, "primary") X(STORE_ROLE_REPLICA, "replica")

/* The definition of a list, in exactly one source file. */
#define VOCABULARY_WORD(id, word) [id] = word,
#define VOCABULARY_DEFINE(PREFIX, LIST, words)                                                               \
    const char *const words[PREFIX##_COUNT + 1] = {LIST(VOCABULARY_WORD)}

#define VOCABULARY_ENTRY(id, word)    id,
#define VOCABULARY_PLUS_ONE(id, word) +1
#define VOCABULARY(Type, PREFIX, LIST, words)                                                                \
    typedef enum Type { LIST(VOCABULARY_ENTRY) } Type;                                                       \
    enum { PREFIX##_COUNT = 0 LIST(VOCABULARY_PLUS_ONE) };                                                   \
    extern const char *const words[PREFIX##_COUNT + 1] /* NULL-terminated, indexed by the enum */

VOCABULARY(Direction, DIRECTION, DIRECTION_LIST, direction_words);
VOCABULARY(Colour, COLOUR, COLOUR_LIST, colour_words);
VOCABULARY(SensorKind, SENSOR_KIND, SENSOR_KIND_LIST, sensor_kind_words);
VOCABULARY(TrafficState, TRAFFIC_STATE, TRAFFIC_STATE_LIST, traffic_state_words);
VOCABULARY(Decision, DECISION, DECISION_LIST, decision_words);
VOCABULARY(SignalAction, SIGNAL_ACTION, SIGNAL_ACTION_LIST, signal_action_words);
VOCABULARY(SignalMode, SIGNAL_MODE, SIGNAL_MODE_LIST, signal_mode_words);
VOCABULARY(SignalOutcome, SIGNAL_OUTCOME, SIGNAL_OUTCOME_LIST, signal_outcome_words);
VOCABULARY(WaveMode, WAVE_MODE, WAVE_MODE_LIST, wave_mode_words);
VOCABULARY(CongestionLevel, CONGESTION_LEVEL, CONGESTION_LEVEL_LIST, congestion_level_words);
VOCABULARY(ReplyStatus, REPLY_STATUS, REPLY_STATUS_LIST, reply_status_words);
VOCABULARY(ReplyCause, REPLY_CAUSE, REPLY_CAUSE_LIST, reply_cause_words);
VOCABULARY(SignalReportKind, SIGNAL_REPORT, SIGNAL_REPORT_LIST, signal_report_words);
VOCABULARY(StepKind, STEP, STEP_LIST, step_words);
VOCABULARY(Protocol, PROTOCOL, PROTOCOL_LIST, protocol_words);
VOCABULARY(StoreRole, STORE_ROLE, STORE_ROLE_LIST, store_role_words);

/* Index of `word` in a NULL-terminated list of words; -1 when it is none of them. */
int word_index(const char *const *words, const char *word);
/* The same of `size` bytes that no NUL ends. */
int word_index_sized(const char *const *words, const char *word, size_t size);
