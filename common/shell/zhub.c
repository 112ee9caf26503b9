/* Every ZeroMQ socket of a process behind one sd-event source. Knows sockets and turns; what a message means,
 * which options a socket has and who owns it are not its business.
 *
 * ZMQ_FD says "ask me again", not "there is a message": it is edge-triggered, one edge may stand for a
 * thousand messages, and every call on the socket (a send from a timer, too) may swallow it. The simpler
 * forms fail like this, each seen:
 *   - one message per wake-up stalls as soon as two messages share an edge;
 *   - draining until EAGAIN loses the wake-up when somebody else sends on the same socket;
 *   - asking ZMQ_EVENTS before the sleep and serving at normal priority starves timers while the watchdog is
 * still petted;
 *   - one work source for each socket starves the sockets that came late.
 * So before every sleep each socket is asked of which something may have changed, the descriptors only end a
 * sleep, and one work source at idle priority serves one ready socket per turn, starting after the one served
 * last.
 *
 * What may have changed: asking costs three system calls a socket, and a service wakes thousands of times a
 * second for one of its ten. As long as nobody calls anything on a socket its descriptor stays readable from
 * the first news on, so one poll() of all of them finds those with news; those that were served, sent on or
 * that wait for room are asked in any case. Whoever sends says so (zsource_touch()); one who forgets it costs
 * a tenth of a second and not a link, because that often all are asked. */
#include "shell/zhub.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <zmq.h>

#define ASK_ALL_USEC (100 * USEC_PER_MSEC)

struct ZSource {
    ZHub *hub;
    ZSource *next;
    void *socket;
    unsigned budget;
    ZSourceFn on_readable;
    ZSourceFn on_writable; /* waited for once; NULL when nobody waits */
    void *userdata;
    int fd;
    sd_event_source *wake;
    bool is_touched; /* something was called on the socket since it was asked */
    bool is_paused, has_input, has_room;
};

struct ZHub {
    sd_event *event;
    sd_event_source *ask;  /* never fires; its prepare callback runs before every sleep */
    sd_event_source *work; /* enabled while a socket is ready */
    ZSource *sources;
    struct pollfd *polled; /* room for all of them, in their order */
    size_t n_sources;
    Mono asked_all;
    ZSource *next_turn; /* where the search for a ready socket starts; NULL is the first */
    ZHubBatchFn on_batch_end;
    void *batch_userdata;
    Mono busy_since; /* never when nothing was left to be served behind the last turn */
    uint64_t turns;
};

static int ask_socket(ZSource *source) {
    int events;
    size_t size = sizeof events;

    /* Asking also makes the socket handle what its I/O thread told it, which is what re-arms the
     * descriptor. */
    if (zmq_getsockopt(source->socket, ZMQ_EVENTS, &events, &size) < 0)
        return errno == EINTR ? 0 : -errno;
    source->is_touched = false;
    source->has_input = !source->is_paused && (events & ZMQ_POLLIN);
    source->has_room = source->on_writable && (events & ZMQ_POLLOUT);
    return 0;
}

static bool is_ready(const ZSource *source) {
    return source->has_input || source->has_room;
}

/* Whose descriptor is readable, in `revents` of hub->polled; all of them when nobody knows. */
static void find_news(ZHub *hub) {
    uint64_t usec;
    size_t n = 0;
    for (ZSource *source = hub->sources; source; source = source->next)
        hub->polled[n++] = (struct pollfd){.fd = source->fd, .events = POLLIN, .revents = POLLIN};
    bool is_known = sd_event_now(hub->event, CLOCK_MONOTONIC, &usec) >= 0 &&
                    usec < mono_after(hub->asked_all, ASK_ALL_USEC).usec && poll(hub->polled, n, 0) >= 0;
    if (!is_known)
        hub->asked_all = (Mono){usec};
}

static int on_prepare(sd_event_source *ask, void *userdata) {
    (void)ask;
    ZHub *hub = userdata;
    bool any_ready = false;
    const struct pollfd *news = hub->polled;

    find_news(hub);
    for (ZSource *source = hub->sources; source; source = source->next, news++) {
        int r = source->is_touched || source->on_writable || news->revents ? ask_socket(source) : 0;
        if (r < 0)
            return r;
        any_ready |= is_ready(source);
    }
    return sd_event_source_set_enabled(hub->work, any_ready ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static ZSource *next_ready(const ZHub *hub) {
    for (ZSource *source = hub->next_turn; source; source = source->next)
        if (is_ready(source))
            return source;
    for (ZSource *source = hub->sources; source; source = source->next)
        if (is_ready(source))
            return source;
    return NULL;
}

/* 1: there may be more than its budget; 0: there is no more; or a negative errno. */
static int serve_input(ZHub *hub, ZSource *source) {
    for (unsigned i = 0; i < source->budget; i++) {
        int r = source->on_readable(source->socket, source->userdata);
        if (r < 0)
            return r;
        if (r == 0)
            return 0;
        /* A handler may free sources (then next_turn moved on) or pause this one. */
        if (hub->next_turn != source || source->is_paused)
            return 0;
    }
    return 1;
}

static int serve(ZHub *hub, ZSource *source) {
    /* next_turn marks the source being served: zsource_free() moves it on, so it also tells whether `source`
     * still lives. */
    hub->next_turn = source;
    source->is_touched = true;
    if (source->has_room) {
        ZSourceFn on_writable = source->on_writable;
        source->has_room = false;
        source->on_writable = NULL; /* before the call, which may well wait again */
        int r = on_writable(source->socket, source->userdata);
        if (r < 0)
            return r;
    }
    if (hub->next_turn == source && source->has_input && !source->is_paused) {
        source->has_input = false;
        int r = serve_input(hub, source);
        if (r < 0)
            return r;
        if (r > 0)
            source->has_input = true; /* it is asked before the next sleep */
    }
    if (hub->next_turn == source)
        hub->next_turn = source->next;
    return 0;
}

static Mono now_of(const ZHub *hub) {
    uint64_t usec = 0;
    (void)sd_event_now(hub->event, CLOCK_MONOTONIC, &usec);
    return (Mono){usec};
}

bool zhub_is_busy(const ZHub *hub) {
    return zhub_has_work(hub) && !mono_is_never(hub->busy_since) &&
           mono_between(hub->busy_since, now_of(hub)) < ZHUB_BUSY_USEC;
}

/* A turn has ended. */
static void follow_busyness(ZHub *hub) {
    if (!zhub_has_work(hub))
        hub->busy_since = mono_never();
    else if (mono_is_never(hub->busy_since))
        hub->busy_since = now_of(hub);
}

static int end_turn(ZHub *hub) {
    follow_busyness(hub);
    bool is_over = !zhub_is_busy(hub);
    int r = hub->on_batch_end ? hub->on_batch_end(hub->batch_userdata) : 0;
    if (is_over)
        hub->busy_since = mono_never();
    return r;
}

static int on_work(sd_event_source *work, void *userdata) {
    (void)work;
    ZHub *hub = userdata;
    ZSource *source = next_ready(hub);
    if (!source)
        return 0;

    hub->turns++;
    int r = serve(hub, source);
    return r < 0 ? r : end_turn(hub);
}

static int on_never(sd_event_source *ask, uint64_t usec, void *userdata) {
    (void)ask;
    (void)usec;
    (void)userdata;
    return 0;
}

static int on_wake(sd_event_source *wake, int fd, uint32_t events, void *userdata) {
    (void)wake;
    (void)fd;
    (void)events;
    (void)userdata;
    return 0; /* on_prepare() has asked already, or will before the next sleep */
}

int zhub_new(sd_event *event, ZHub **ret) {
    scoped(zhub_freep) ZHub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return -ENOMEM;
    hub->event = sd_event_ref(event);
    hub->busy_since = mono_never();

    /* A source has to be enabled for its prepare callback to run, so it is one that waits for ever. */
    int r = sd_event_add_time(event, &hub->ask, CLOCK_MONOTONIC, UINT64_MAX, 0, on_never, hub);
    if (r >= 0)
        r = sd_event_source_set_prepare(hub->ask, on_prepare);
    if (r >= 0)
        r = sd_event_source_set_exit_on_failure(hub->ask, 1);
    if (r >= 0)
        r = sd_event_add_defer(event, &hub->work, on_work, hub);
    if (r >= 0)
        r = sd_event_source_set_priority(hub->work, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_exit_on_failure(hub->work, 1);
    if (r >= 0)
        r = sd_event_source_set_enabled(hub->work, SD_EVENT_OFF);
    if (r < 0)
        return r;
    *ret = take(hub);
    return 0;
}

ZHub *zhub_free(ZHub *hub) {
    if (!hub)
        return NULL;
    while (hub->sources)
        zsource_free(hub->sources);
    sd_event_source_disable_unref(hub->ask);
    sd_event_source_disable_unref(hub->work);
    sd_event_unref(hub->event);
    free(hub->polled);
    free(hub);
    return NULL;
}

void zhub_on_batch_end(ZHub *hub, ZHubBatchFn fn, void *userdata) {
    hub->on_batch_end = fn;
    hub->batch_userdata = userdata;
}

uint64_t zhub_turns(const ZHub *hub) {
    return hub->turns;
}

bool zhub_has_work(const ZHub *hub) {
    for (const ZSource *source = hub->sources; source; source = source->next)
        if (is_ready(source))
            return true;
    return false;
}

static int append(ZHub *hub, ZSource *source) {
    ZSource **end = &hub->sources;
    struct pollfd *polled = reallocarray(hub->polled, hub->n_sources + 1, sizeof *polled);
    if (!polled)
        return -ENOMEM;
    hub->polled = polled;
    hub->n_sources++;
    while (*end)
        end = &(*end)->next;
    *end = source;
    source->hub = hub;
    return 0;
}

int zsource_new(ZHub *hub, void *socket, unsigned budget, ZSourceFn on_readable, void *userdata,
                ZSource **ret) {
    int fd;
    size_t size = sizeof fd;
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) < 0)
        return -errno;

    ZSource *source = calloc(1, sizeof *source);
    if (!source)
        return -ENOMEM;
    *source = (ZSource){.socket = socket,
                        .budget = budget ? budget : 1,
                        .on_readable = on_readable,
                        .userdata = userdata,
                        .fd = fd,
                        .is_touched = true};
    int r = append(hub, source);
    if (r < 0) {
        free(source);
        return r;
    }

    r = sd_event_add_io(hub->event, &source->wake, fd, EPOLLIN, on_wake, source);
    /* Below the work: while there is work nobody needs to be woken. */
    if (r >= 0)
        r = sd_event_source_set_priority(source->wake, SD_EVENT_PRIORITY_IDLE + 1);
    if (r < 0) {
        zsource_free(source);
        return r;
    }
    *ret = source;
    return 0;
}

ZSource *zsource_free(ZSource *source) {
    if (!source)
        return NULL;
    ZHub *hub = source->hub;
    ZSource **at = &hub->sources;
    while (*at != source)
        at = &(*at)->next;
    *at = source->next;
    hub->n_sources--;
    if (hub->next_turn == source)
        hub->next_turn = source->next;
    sd_event_source_disable_unref(source->wake);
    free(source);
    return NULL;
}

void zsource_pause(ZSource *source, bool paused) {
    source->is_paused = paused;
    source->is_touched = true;
}

void zsource_touch(ZSource *source) {
    source->is_touched = true;
}

void zsource_when_writable(ZSource *source, ZSourceFn on_writable) {
    source->on_writable = on_writable;
}
