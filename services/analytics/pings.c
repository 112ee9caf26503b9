/* One question under way at a time, because a peer that stands still would find all of them when it goes
 * on. */
#include "pings.h"

#include "shell/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct Pings {
    Service *service;
    PongFn on_answer;
    void *userdata;
    Link *link;
    bool is_asked;
    Mono asked;
};

static int on_answer_frame(Link *link, const LinkFrame *frame, void *userdata) {
    (void)link;
    static const char pong[] = "PONG";
    Pings *pings = userdata;
    pings->is_asked = false;
    bool is_well = frame->size == sizeof pong - 1 && memcmp(frame->data, pong, frame->size) == 0;
    pings->on_answer(is_well, pings->userdata);
    return 0;
}

int pings_new(Service *service, PongFn on_answer, void *userdata, Pings **ret, Problem *problem) {
    static const LinkHandlers handlers = {.on_frame = on_answer_frame};
    scoped(pings_freep) Pings *pings = calloc(1, sizeof *pings);
    if (!pings)
        return -ENOMEM;
    pings->service = service;
    pings->on_answer = on_answer;
    pings->userdata = userdata;
    int r = link_connect(service, ENDPOINT_HEALTH, &handlers, pings, &pings->link, problem);
    if (r < 0)
        return r;
    *ret = take(pings);
    return 0;
}

Pings *pings_free(Pings *pings) {
    if (!pings)
        return NULL;
    link_free(pings->link);
    free(pings);
    return NULL;
}

void pings_send(Pings *pings, uint64_t patience_usec) {
    static const char ping[] = "PING";
    Mono now = service_now(pings->service);
    if (pings->is_asked && mono_between(pings->asked, now) < patience_usec)
        return;
    pings->is_asked = link_send(pings->link, ping, sizeof ping - 1) == 0;
    pings->asked = now;
}
