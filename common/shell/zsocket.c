/* Opening sockets. Knows every option the project sets and why; knows neither loop nor service.
 *
 * Chosen on purpose:
 *   - no ZMTP heartbeats, which a paused process does not answer: not the one that a debugger or a scheduler
 *   stopped, nor the one that back-pressure stopped, for both the question and its answer stand in the queue
 *   behind the frames. The kernel is asked instead (TCP keepalive), which answers however busy the process
 *   is;
 *   - where what is lost is sent again, a connection on which nothing gets through for 1.5 s is given up
 *   (MAXRT). After a long cut TCP itself would try ever more rarely and go on up to two minutes after the
 *   network does; a new connection is there within a second of it. MAXRT also ends a connection whose reader
 *   takes nothing for so long that all buffers are full: hence not for readers of the first implementation,
 *   which never get again what stood in them;
 *   - ZMQ_IMMEDIATE on writing peers: without it a queue exists before its reader does, and what stands in
 *   it is lost in silence when the connection fails. With it a send says EAGAIN until somebody is there;
 *   - no back-off between reconnections: a sensor of the first implementation publishes 0.5 s after it bound
 *   its port, and what is sent before we are there is gone;
 *   - a low HANDSHAKE_IVL and CONNECT_TIMEOUT: while systemd holds the port of a stopped service, TCP
 *   connects and nobody answers; and a SYN into a cut network would otherwise be repeated ever more rarely,
 *   for two minutes. The kernel of a city's machine answers a SYN within milliseconds. */
#include "shell/zsocket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct IntOption {
    int option, value;
} IntOption;

static const IntOption common_options[] = {
    {ZMQ_LINGER, 0},
    {ZMQ_IPV6, 0},           /* as the first implementation */
    {ZMQ_RECONNECT_IVL, 50}, /* libzmq adds up to as much again: 50 to 100 ms */
    {ZMQ_CONNECT_TIMEOUT, 300},
    {ZMQ_HANDSHAKE_IVL, 1000},
    {ZMQ_TCP_KEEPALIVE, 1},
    {ZMQ_TCP_KEEPALIVE_IDLE, 5},
    {ZMQ_TCP_KEEPALIVE_INTVL, 2},
    {ZMQ_TCP_KEEPALIVE_CNT, 3},
};

/* Where what is lost is sent again. With MAXRT the kernel counts time and not keepalives: who only reads
 * gives up within 2 s, who writes after 1.5 s; of TCP's attempts at 0, 0.2, 0.6 and 1.4 s the last one
 * still counts. */
static const IntOption sent_again_options[] = {
    {ZMQ_TCP_MAXRT, 1500},
    {ZMQ_TCP_KEEPALIVE_IDLE, 1},
    {ZMQ_TCP_KEEPALIVE_INTVL, 1},
};

static const IntOption xpub_options[] = {{ZMQ_XPUB_NODROP, 1}, {ZMQ_XPUB_VERBOSE, 1}};
static const IntOption router_options[] = {{ZMQ_ROUTER_MANDATORY, 1}};
static const IntOption writing_peer_options[] = {{ZMQ_IMMEDIATE, 1}};

typedef struct PatternRow {
    int type;
    const IntOption *options; /* beside the common ones */
    size_t n_options;
    int64_t max_message_bytes;
} PatternRow;

static const PatternRow pattern_rows[] = {
    [WIRE_XPUB] = {ZMQ_XPUB, xpub_options, ARRAY_LEN(xpub_options), FRAME_MAX_BYTES},
    [WIRE_SUB] = {ZMQ_SUB, NULL, 0, FRAME_MAX_BYTES},
    [WIRE_PUSH] = {ZMQ_PUSH, writing_peer_options, ARRAY_LEN(writing_peer_options), FRAME_MAX_BYTES},
    [WIRE_PULL] = {ZMQ_PULL, NULL, 0, FRAME_MAX_BYTES},
    [WIRE_ROUTER] = {ZMQ_ROUTER, router_options, ARRAY_LEN(router_options), FRAME_MAX_BYTES},
    [WIRE_DEALER] = {ZMQ_DEALER, writing_peer_options, ARRAY_LEN(writing_peer_options), REPLY_MAX_BYTES},
};

static void socket_closep(void **socket) {
    zsocket_close(*socket, 0);
}

static void fd_closep(int *fd) {
    if (*fd >= 0)
        close(*fd);
}

int zsocket_context_new(void **ret) {
    void *context = zmq_ctx_new();
    if (!context)
        return -errno;
    *ret = context;
    return 0;
}

void zsocket_context_free(void *context) {
    if (!context)
        return;
    while (zmq_ctx_term(context) < 0 && errno == EINTR)
        ;
}

static int set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int set_ints(void *socket, const IntOption *options, size_t n_options) {
    for (size_t i = 0; i < n_options; i++) {
        int r = set_int(socket, options[i].option, options[i].value);
        if (r < 0)
            return r;
    }
    return 0;
}

static int set_high_water_mark(void *socket, int messages) {
    int r = set_int(socket, ZMQ_SNDHWM, messages);
    return r < 0 ? r : set_int(socket, ZMQ_RCVHWM, messages);
}

/* A socket with every option of its pattern and endpoint, not yet bound or connected. */
static int open_socket(void *context, const Endpoint *endpoint, WirePattern pattern, bool is_sent_again,
                       void **ret) {
    const PatternRow *row = &pattern_rows[pattern];
    scoped(socket_closep) void *socket = zmq_socket(context, row->type);
    if (!socket)
        return -errno;

    int r = set_ints(socket, common_options, ARRAY_LEN(common_options));
    if (r >= 0)
        r = set_ints(socket, row->options, row->n_options);
    if (r >= 0 && is_sent_again)
        r = set_ints(socket, sent_again_options, ARRAY_LEN(sent_again_options));
    if (r >= 0)
        r = set_high_water_mark(socket, endpoint->high_water_mark);
    if (r >= 0 &&
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &row->max_message_bytes, sizeof row->max_message_bytes) < 0)
        r = -errno;
    if (r < 0)
        return r;
    *ret = take(socket);
    return 0;
}

static int port_of(const struct sockaddr_storage *address) {
    switch (address->ss_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)address)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    default:
        return -1;
    }
}

/* With ZMQ_USE_FD the address given to zmq_bind() is ignored, so a wrong socket unit would go unnoticed. */
static int check_descriptor(int fd, const Endpoint *endpoint, Problem *problem) {
    struct sockaddr_storage address = {0};
    socklen_t address_size = sizeof address, size = sizeof(int);
    int is_listening = 0;

    if (getsockname(fd, (struct sockaddr *)&address, &address_size) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) < 0)
        return problem_set(problem, -EINVAL, "link %s: the descriptor systemd passed is no socket: %s",
                           endpoint->name, strerror(errno));
    if (!is_listening || port_of(&address) != endpoint->port)
        return problem_set(
            problem, -EINVAL,
            "link %s: expected a socket listening on TCP port %u from systemd, got %s port %d: "
            "correct ListenStream= of the socket unit with FileDescriptorName=%s",
            endpoint->name, endpoint->port, is_listening ? "one on" : "one that does not listen, on",
            port_of(&address), endpoint->name);
    return 0;
}

/* Hands `fd` to libzmq, which closes it with the socket. */
static int bind_descriptor(void *socket, const Endpoint *endpoint, int fd, Problem *problem) {
    scoped(fd_closep) int owned = fd;
    int r = check_descriptor(fd, endpoint, problem);
    if (r < 0)
        return r;
    /* libzmq accepts until EAGAIN; a blocking descriptor would hold its I/O thread. */
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return problem_set(problem, -errno, "link %s: %s", endpoint->name, strerror(errno));

    r = set_int(socket, ZMQ_USE_FD, fd);
    if (r < 0 || zmq_bind(socket, "tcp://127.0.0.1:*") < 0)
        return problem_set(problem, r < 0 ? r : -errno, "link %s: systemd's socket cannot be used: %s",
                           endpoint->name, strerror(errno));
    owned = -1;
    /* The option sticks, and a second bind with the same descriptor aborts the process. */
    return set_int(socket, ZMQ_USE_FD, -1);
}

static int bind_address(void *socket, const Endpoint *endpoint, const char *address, Problem *problem) {
    char url[128];
    snprintf(url, sizeof url, "tcp://%s:%u", address, endpoint->port);
    if (zmq_bind(socket, url) == 0)
        return 0;

    int error = errno;
    if (error == EADDRINUSE)
        return problem_set(
            problem, -error,
            "link %s: port %u is taken by another process: `ss -ltnp sport = :%u` shows which; stop it, "
            "or let systemd pass the socket (start %s.service)",
            endpoint->name, endpoint->port, endpoint->port, endpoint->binder);
    return problem_set(problem, error == EINVAL || error == ENODEV ? -EINVAL : -error,
                       "link %s: cannot listen on %s: %s (see [network] bind in traffic.conf)",
                       endpoint->name, url, zmq_strerror(error));
}

int zsocket_bind(void *context, const Endpoint *endpoint, const char *address, int fd, bool is_sent_again,
                 void **ret, Problem *problem) {
    scoped(socket_closep) void *socket = NULL;
    int r = open_socket(context, endpoint, endpoint->bind_pattern, is_sent_again, &socket);
    if (r < 0) {
        if (fd >= 0)
            close(fd);
        return problem_set(problem, r, "link %s: %s", endpoint->name, strerror(-r));
    }
    r = fd >= 0 ? bind_descriptor(socket, endpoint, fd, problem)
                : bind_address(socket, endpoint, address, problem);
    if (r < 0)
        return r;
    *ret = take(socket);
    return 0;
}

static int subscribe(void *socket, const char *const *topics) {
    static const char *const everything[] = {"", NULL};
    for (const char *const *topic = topics ? topics : everything; *topic; topic++)
        if (zmq_setsockopt(socket, ZMQ_SUBSCRIBE, *topic, strlen(*topic)) < 0)
            return -errno;
    return 0;
}

int zsocket_connect(void *context, const Endpoint *endpoint, const char *host, const char *const *topics,
                    bool is_sent_again, void **ret, Problem *problem) {
    char url[320];
    scoped(socket_closep) void *socket = NULL;
    int r = open_socket(context, endpoint, endpoint->connect_pattern, is_sent_again, &socket);
    if (r >= 0 && endpoint->connect_pattern == WIRE_SUB)
        r = subscribe(socket, topics);
    if (r < 0)
        return problem_set(problem, r, "link %s: %s", endpoint->name, strerror(-r));

    snprintf(url, sizeof url, "tcp://%s:%u", host, endpoint->port);
    if (zmq_connect(socket, url) < 0)
        return problem_set(
            problem, -errno,
            "link %s: expected an IPv4 address or a host name, got \"%s\" (see [network] pc%u in "
            "traffic.conf): %s",
            endpoint->name, host, endpoint->machine, zmq_strerror(errno));
    *ret = take(socket);
    return 0;
}

static int open_pipe_end(void *context, int type, const char *name, int high_water_mark, void **ret,
                         Problem *problem) {
    char url[128];
    scoped(socket_closep) void *socket = zmq_socket(context, type);
    int r = socket ? set_int(socket, ZMQ_LINGER, 0) : -errno;
    if (r >= 0)
        r = set_high_water_mark(socket, high_water_mark);
    snprintf(url, sizeof url, "inproc://%s", name);
    if (r >= 0 && (type == ZMQ_PULL ? zmq_bind(socket, url) : zmq_connect(socket, url)) < 0)
        r = -errno;
    if (r < 0)
        return problem_set(problem, r, "pipe %s: %s", name, zmq_strerror(-r));
    *ret = take(socket);
    return 0;
}

int zsocket_pipe_reader(void *context, const char *name, int high_water_mark, void **ret, Problem *problem) {
    return open_pipe_end(context, ZMQ_PULL, name, high_water_mark, ret, problem);
}

int zsocket_pipe_writer(void *context, const char *name, int high_water_mark, void **ret, Problem *problem) {
    return open_pipe_end(context, ZMQ_PUSH, name, high_water_mark, ret, problem);
}

int zsocket_watch(void *context, void *watched, void **ret) {
    char url[64];
    snprintf(url, sizeof url, "inproc://monitor-%p", watched);
    if (zmq_socket_monitor(watched, url, ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED) < 0)
        return -errno;

    void *monitor = zmq_socket(context, ZMQ_PAIR);
    /* Unlimited: a bounded one would block the I/O thread, and with it every link, while the loop is busy. */
    int r = monitor ? set_high_water_mark(monitor, 0) : -errno;
    if (r >= 0)
        r = set_int(monitor, ZMQ_LINGER, 0);
    if (r >= 0 && zmq_connect(monitor, url) < 0)
        r = -errno;
    if (r < 0) {
        zsocket_unwatch(watched, monitor);
        return r;
    }
    *ret = monitor;
    return 0;
}

void *zsocket_unwatch(void *watched, void *monitor) {
    zmq_socket_monitor(watched, NULL, 0);
    return zsocket_close(monitor, 0);
}

void *zsocket_close(void *socket, unsigned linger_msec) {
    if (!socket)
        return NULL;
    set_int(socket, ZMQ_LINGER, (int)linger_msec);
    zmq_close(socket);
    return NULL;
}

const char *zsocket_host(const Endpoint *endpoint, const Settings *settings) {
    switch (endpoint->machine) {
    case 1:
        return settings->pc1;
    case 2:
        return settings->pc2;
    default:
        return settings->pc3;
    }
}
