/* Heartbeat and PING. Answered for each that comes and never sent unasked: the store connects to nobody. */
#include "signs-of-life.h"

#include "shell/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

struct SignsOfLife {
    Service *service;
    StoreRole role;
    Database *database;
    Link *heartbeat, *health;
    Decoder *decoder;
    char boot_id[SD_ID128_STRING_MAX];
    int64_t n_beats;
};

/* --- heartbeat --- */

static Message own_beat(SignsOfLife *signs) {
    DatabaseState state = database_state(signs->database);
    Message message = {.tag = MESSAGE_HEARTBEAT};
    Heartbeat *beat = &message.HEARTBEAT;
    (void)snprintf(beat->role, sizeof beat->role, "%s", store_role_words[signs->role]);
    memcpy(beat->boot_id, signs->boot_id, sizeof signs->boot_id);
    beat->epoch = service_epoch(signs->service);
    beat->sequence = ++signs->n_beats;
    beat->can_commit = state.can_commit;
    beat->commit_age_usec = (int64_t)state.commit_age_usec;
    beat->rows_waiting = (int64_t)state.rows_waiting;
    beat->disk_free_bytes = (int64_t)state.disk_free_bytes;
    beat->n_records = state.n_records;
    (void)snprintf(beat->event_set, sizeof beat->event_set, "%016" PRIx64, state.event_set);
    beat->committed_until = (int64_t)state.committed_until;
    beat->needs_refill = state.needs_refill;
    message_mark(beat, Heartbeat, role);
    message_mark(beat, Heartbeat, boot_id);
    message_mark(beat, Heartbeat, epoch);
    message_mark(beat, Heartbeat, sequence);
    message_mark(beat, Heartbeat, can_commit);
    message_mark(beat, Heartbeat, commit_age_usec);
    message_mark(beat, Heartbeat, rows_waiting);
    message_mark(beat, Heartbeat, disk_free_bytes);
    message_mark(beat, Heartbeat, n_records);
    message_mark(beat, Heartbeat, event_set);
    message_mark(beat, Heartbeat, committed_until);
    message_mark(beat, Heartbeat, needs_refill);
    return message;
}

static int on_beat(Link *link, const LinkFrame *frame, void *userdata) {
    SignsOfLife *signs = userdata;
    char buffer[1024];
    Message message;
    Problem problem = {0};
    int r = link_decode(link, frame, signs->decoder, MESSAGE_FAMILY_HEARTBEAT, &message);
    if (r <= 0)
        return r;
    if (message_has(&message.HEARTBEAT, Heartbeat, safe_until))
        database_set_safe_until(signs->database, message.HEARTBEAT.safe_until);
    Message beat = own_beat(signs);
    int size = message_encode(&beat, buffer, sizeof buffer, &problem);
    if (size >= 0)
        (void)link_send_to(link, frame->route, buffer,
                           (size_t)size); /* who does not read it will call us dead, rightly */
    return size < 0 ? size : 0;
}

/* --- health --- */

static int answer_health(SignsOfLife *signs, Link *link, const LinkFrame *frame, bool is_ping) {
    bool is_well = is_ping && database_state(signs->database).can_commit;
    const char *answer = is_well ? "PONG" : "ERROR";
    (void)link_send_to(link, frame->route, answer, strlen(answer));
    return 0;
}

static int on_health(Link *link, const LinkFrame *frame, void *userdata) {
    static const char ping[] = "PING";
    bool is_ping = frame->size == sizeof ping - 1 && memcmp(frame->data, ping, frame->size) == 0;
    if (!is_ping) {
        Problem problem;
        problem_set(&problem, -EBADMSG, "expected PING, got %zu other bytes", frame->size);
        link_refuse(link, frame, REFUSAL_UNKNOWN_TYPE, &problem);
    }
    return answer_health(userdata, link, frame, is_ping);
}

static int on_health_refused(Link *link, const LinkFrame *frame, Refusal refusal, const Problem *problem,
                             void *userdata) {
    (void)refusal, (void)problem;
    return answer_health(userdata, link, frame, false);
}

/* --- making and ending --- */

/* Of the machine where it tells one, else of this process: a peer only asks whether it changed. */
static int find_boot_id(char ret[static SD_ID128_STRING_MAX]) {
    sd_id128_t id;
    int r = sd_id128_get_boot(&id);
    if (r < 0)
        r = sd_id128_randomize(&id);
    if (r >= 0)
        sd_id128_to_string(id, ret);
    return r;
}

int signs_of_life_new(Service *service, StoreRole role, Database *database, SignsOfLife **ret,
                      Problem *problem) {
    static const LinkHandlers beat_handlers = {.on_frame = on_beat};
    static const LinkHandlers health_handlers = {.on_frame = on_health, .on_refused = on_health_refused};
    bool is_primary = role == STORE_ROLE_PRIMARY;
    scoped(signs_of_life_freep) SignsOfLife *signs = calloc(1, sizeof *signs);
    if (!signs)
        return problem_set(problem, -ENOMEM, "out of memory");
    signs->service = service;
    signs->role = role;
    signs->database = database;
    int r = find_boot_id(signs->boot_id);
    if (r >= 0)
        r = decoder_new(&signs->decoder);
    if (r >= 0)
        r = link_bind(service, is_primary ? ENDPOINT_HEARTBEAT_PRIMARY : ENDPOINT_HEARTBEAT_REPLICA,
                      &beat_handlers, signs, &signs->heartbeat, problem);
    if (r >= 0 && is_primary)
        r = link_bind(service, ENDPOINT_HEALTH, &health_handlers, signs, &signs->health, problem);
    if (r >= 0)
        *ret = take(signs);
    return r;
}

SignsOfLife *signs_of_life_free(SignsOfLife *signs) {
    if (!signs)
        return NULL;
    link_free(signs->heartbeat);
    link_free(signs->health);
    decoder_free(signs->decoder);
    free(signs);
    return NULL;
}
