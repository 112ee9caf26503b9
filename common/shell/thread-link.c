/* A link and a pipe's writing end for one thread. Knows blocking, no loop.
 *
 * A thread that blocks must be woken to end: both waits also watch an eventfd, which stays readable once
 * thread_link_stop() wrote to it. One that never blocks, for its link never runs dry, reads a flag. The
 * thread reads a clock of its own, for the limit of its journal entries only. */
#include "shell/pipe.h"

#include "shell/link-protocol.h"
#include "shell/refusals.h"
#include "shell/zsocket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct ThreadLink {
    void *socket, *pipe;
    int stop_fd;              /* wakes a blocked thread */
    _Atomic bool is_stopping; /* stops one that never blocks */
    Incoming incoming;
    Metric *frames_in;
    Refusals refusals;
};

int thread_link_new(Service *service, EndpointId id, const char *const *topics, const Link *pipe,
                    int pipe_high_water_mark, ThreadLink **ret, Problem *problem) {
    const Endpoint *endpoint = &endpoints[id];
    char labels[96];
    scoped(thread_link_freep) ThreadLink *link = calloc(1, sizeof *link);
    if (!link)
        return problem_set(problem, -ENOMEM, "link %s: out of memory", endpoint->name);

    link->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->stop_fd < 0)
        return problem_set(problem, -errno, "link %s: %s", endpoint->name, strerror(errno));
    const Settings *settings = service_settings(service);
    int r = zsocket_connect(service_zmq(service), endpoint, zsocket_host(endpoint, settings), topics,
                            link_protocol(settings, id) == PROTOCOL_CUSTODY, &link->socket, problem);
    if (r >= 0)
        r = zsocket_pipe_writer(service_zmq(service), link_name(pipe), pipe_high_water_mark, &link->pipe,
                                problem);
    if (r < 0)
        return r;

    snprintf(labels, sizeof labels, "link=\"%s\",direction=\"in\"", endpoint->name);
    link->frames_in = metrics_counter(service_metrics(service), "traffic_link_frames_total",
                                      "Frames that crossed the link.", labels);
    refusals_init(&link->refusals, service_metrics(service), endpoint->name);
    *ret = take(link);
    return 0;
}

ThreadLink *thread_link_free(ThreadLink *link) {
    if (!link)
        return NULL;
    incoming_release(&link->incoming);
    zsocket_close(link->socket, 0);
    zsocket_close(link->pipe, 0);
    if (link->stop_fd >= 0)
        close(link->stop_fd);
    free(link);
    return NULL;
}

/* Blocks until `socket` may be ready: 1, or 0 when asked to stop. */
static int wait_for(const ThreadLink *link, void *socket, short events) {
    zmq_pollitem_t items[] = {{.socket = socket, .events = events},
                              {.fd = link->stop_fd, .events = ZMQ_POLLIN}};
    while (zmq_poll(items, ARRAY_LEN(items), -1) < 0)
        if (errno != EINTR)
            return -errno;
    return !(items[1].revents & ZMQ_POLLIN);
}

static void refuse_parts(ThreadLink *link) {
    Problem problem;
    problem_set(&problem, -EBADMSG, "expected a message of one frame, got one of %zu",
                link->incoming.n_parts);
    thread_link_refuse(link, &link->incoming.frame, REFUSAL_NOT_ONE_FRAME, &problem);
}

int thread_link_receive(ThreadLink *link, LinkFrame *ret) {
    for (;;) {
        incoming_release(&link->incoming);
        if (link->is_stopping)
            return 0;
        int r = incoming_receive(link->socket, WIRE_SUB, &link->incoming);
        if (r == 0) {
            r = wait_for(link, link->socket, ZMQ_POLLIN);
            if (r <= 0)
                return r;
            continue;
        }
        if (r < 0)
            return r;
        if (link->incoming.n_parts == 1)
            break;
        refuse_parts(link);
    }
    metric_add(link->frames_in, 1);
    *ret = link->incoming.frame;
    return 1;
}

int thread_link_forward(ThreadLink *link, const void *data, size_t size) {
    for (;;) {
        int r = zsocket_send(link->pipe, data, size);
        if (r != -EAGAIN)
            return r;
        r = wait_for(link, link->pipe, ZMQ_POLLOUT);
        if (r <= 0)
            return r < 0 ? r : -ECANCELED;
    }
}

void thread_link_refuse(ThreadLink *link, const LinkFrame *frame, Refusal refusal, const Problem *problem) {
    refusals_report(&link->refusals, service_clock(), frame, refusal, problem);
}

void thread_link_stop(ThreadLink *link) {
    link->is_stopping = true;
    eventfd_write(link->stop_fd, 1);
}
