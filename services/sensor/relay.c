/* Readings handed in by another program (a simulator, real hardware) on RUNTIME_DIR/sensor-KIND.sock, a
 * SEQPACKET socket that systemd passes under the name "relay" or that is bound here. Any number of readings,
 * several clients.
 *
 * One packet is one reading: the members of the wire's event of this kind and an `id`, a whole number or a
 * text of at most 63 bytes:
 *
 *     {"id":17,"sensor_id":"CAM-A1-NS","tipo_sensor":"camara","interseccion":"INT-A1","volumen":3}
 *
 * `timestamp` may be left out: the reading is of now. An identity (producer_id, epoch and seq together) is
 * kept, so that a program can hand a reading in again and have it recognised; without one the sensor gives
 * its own. Each packet is answered once:
 *
 *     {"ack":17}                                      the broker has it on disk: it will not be lost any more
 *     {"refused":17,"why":"volumen: expected ..."}    nothing was taken
 *
 * With [clock] source = tick a packet with a member `k` is a simulator's tick (see messages.def):
 *
 *     {"id":18,"k":3,"t_us":1767254403000000}
 *
 * It goes out behind everything that was handed in before it, and is acknowledged as a reading is.
 *
 * Many packets may be under way; a client matches answers by id. Acknowledgements come in the order of their
 * packets; a refusal comes at once and so may overtake them. The id of a refusal is null when it could not be
 * read itself. What has no answer when the connection ends (either side may have died) may or may not have
 * been taken: a client that gave it an identity hands it in again, and it counts once.
 *
 * While as many readings wait for the broker as may ([custody] sensor_frames), or nobody subscribes, nothing
 * more is read: the client's sends block, which is the back-pressure. A client that does not read its answers
 * is not read either; nobody else waits for it. So no more answers are ever owed than readings wait.
 *
 * A client that hands in hundreds of packets a second is read in rounds (rounds.h). */
#include "relay-answers.h"
#include "relay-packet.h"
#include "rounds.h"
#include "source.h"

#include "shell/city-clock.h"
#include "shell/fault-point.h"
#include "shell/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 64,
    PACKETS_PER_TURN = 32,
    LISTEN_BACKLOG = 16,
    BELOW_MESSAGES = SD_EVENT_PRIORITY_IDLE + 1
};
#define OFTEN_USEC (2 * ROUND_USEC)

typedef struct Relay Relay;

typedef struct Client {
    Relay *relay;
    struct Client *next;
    int fd;
    sd_event_source *io;
    Mono read;       /* when it was last read to the end */
    bool is_resting; /* until the next round, unless it hangs up */
    RelayAnswers *owed;
    RelayAnswer answer; /* written but not yet sent, when its size is not 0 */
} Client;

struct Relay {
    Source source;
    Sensor *sensor;
    RelayParser *parser;
    int listener;
    sd_event_source *accept;
    sd_event_source *answer; /* once, when the broker has committed more */
    Timer *rest_timer;
    char *own_path; /* of a socket bound here, to be removed */
    Client *clients;
    size_t n_clients;
    bool is_running;
    JournalLimit turned_away;
};

static Client *client_free(Client *client) {
    if (client) {
        sd_event_source_disable_unref(client->io);
        if (client->fd >= 0)
            close(client->fd);
        relay_answers_free(client->owed);
        free(client);
    }
    return NULL;
}

static void drop_client(Client *client) {
    Relay *relay = client->relay;
    Client **at = &relay->clients;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    relay->n_clients--;
    client_free(client);
}

/* What a client is watched for: room for the answer that could not be sent, else packets while they are
 * wanted. */
static void watch_client(Client *client) {
    bool is_read = client->relay->is_running && !client->is_resting;
    uint32_t events = client->answer.size > 0 ? EPOLLOUT : is_read ? EPOLLIN : 0;
    (void)sd_event_source_set_io_events(client->io, events);
}

/* Sends the client the answers that are due, as long as it takes them. False when it had to be dropped. */
static bool send_answers(Client *client) {
    uint64_t committed = sensor_acknowledged(client->relay->sensor);
    while (client->answer.size > 0 || relay_answers_next(client->owed, committed, &client->answer)) {
        ssize_t n = send(client->fd, client->answer.text, client->answer.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            drop_client(client);
            return false;
        }
        if (n < 0)
            break;
        client->answer.size = 0;
        fault_point(FAULT_AFTER_ACK);
    }
    watch_client(client);
    return true;
}

static void send_all_answers(Relay *relay) {
    for (Client *client = relay->clients, *next; client; client = next) {
        next = client->next;
        (void)send_answers(client);
    }
}

static int on_answer(sd_event_source *source, void *userdata) {
    (void)source;
    send_all_answers(userdata);
    return 0;
}

/* Publishes a reading or a tick, whose acknowledgement its client is owed from now on. */
static int publish(Relay *relay, Client *client, RelayPacket *packet) {
    Problem problem;
    uint64_t position;
    int r = packet->event.tag == MESSAGE_TICK_EVENT
                ? sensor_tick(relay->sensor, &packet->event.TICK_EVENT, &position, &problem)
                : sensor_publish(relay->sensor, &packet->event, &position, &problem);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        sensor_refuse(relay->sensor, "relay", "relay", REFUSAL_OUT_OF_RANGE, &problem);
        relay_answer_refused(&client->answer, &packet->id, &problem);
        return 0;
    }
    return relay_answers_owe(client->owed, position, &packet->id);
}

/* One packet. 0: refused (into client->answer) or owed an answer; a negative errno ends the process. */
static int handle_packet(Client *client, const char *bytes, size_t size) {
    Relay *relay = client->relay;
    Refusal refusal;
    Problem problem;
    RelayPacket packet;
    Wall now = service_city_wall(sensor_service_of(relay->sensor));
    int r =
        relay_parse(relay->parser, sensor_kind(relay->sensor), bytes, size, now, &packet, &refusal, &problem);
    if (r >= 0 && packet.event.tag == MESSAGE_TICK_EVENT)
        return publish(relay, client, &packet);
    if (r >= 0) {
        SensorMatch match = sensor_match(relay->sensor, &packet.event, &refusal, &problem);
        if (match == MATCH_TAKES_PART)
            return publish(relay, client, &packet);
        if (match == MATCH_LEFT_OUT) {
            refusal = REFUSAL_OUT_OF_RANGE;
            problem_set(&problem, -EBADMSG, "sensor_id: this sensor is left out by [sensor] count");
        }
    }
    sensor_refuse(relay->sensor, "relay", "relay", refusal, &problem);
    relay_answer_refused(&client->answer, &packet.id, &problem);
    return 0;
}

/* Everything it has handed in is read. Who hands in often is read once a round; not a simulator, whose next step waits
 * for this one. */
static void rest(Client *client) {
    Relay *relay = client->relay;
    Service *service = sensor_service_of(relay->sensor);
    Mono now = service_now(service);
    bool is_often = mono_between(client->read, now) < OFTEN_USEC;
    client->read = now;
    if (!is_often || city_clock_ticks(service))
        return;
    client->is_resting = true;
    timer_set(relay->rest_timer, round_from(mono_after(now, 1)));
    watch_client(client);
}

static int on_rested(Timer *timer, Mono now, void *userdata) {
    (void)timer, (void)now;
    Relay *relay = userdata;
    for (Client *client = relay->clients; client; client = client->next) {
        client->is_resting = false;
        watch_client(client);
    }
    return 0;
}

static int on_client(sd_event_source *io, int fd, uint32_t events, void *userdata) {
    (void)io;
    Client *client = userdata;
    Relay *relay = client->relay;
    char packet[RELAY_PACKET_MAX_BYTES];
    if (client->answer.size > 0 && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        send_answers(client);
        return 0;
    }
    for (int i = 0; i < PACKETS_PER_TURN && relay->is_running; i++) {
        ssize_t size = recv(fd, packet, sizeof packet, MSG_DONTWAIT | MSG_TRUNC);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            rest(client);
            return 0;
        }
        if (size <= 0) {
            drop_client(client);
            return 0;
        }
        int r = handle_packet(client, packet, (size_t)size);
        if (r < 0)
            return r;
        if (!send_answers(client) || client->answer.size > 0)
            return 0;
    }
    /* a peer that hung up while nothing is read would wake this for ever; what it had sent is lost with it,
     * unanswered */
    if (!relay->is_running && (events & (EPOLLHUP | EPOLLERR)))
        drop_client(client);
    return 0;
}

static int add_client(Relay *relay, int fd) {
    Client *client = calloc(1, sizeof *client);
    if (!client) {
        close(fd);
        return -ENOMEM;
    }
    *client = (Client){.relay = relay, .fd = fd};
    int r = relay_answers_new(&client->owed);
    if (r >= 0)
        r = sd_event_add_io(service_event(sensor_service_of(relay->sensor)), &client->io, fd, 0, on_client,
                            client);
    if (r >= 0)
        r = sd_event_source_set_priority(client->io, BELOW_MESSAGES);
    if (r >= 0)
        r = sd_event_source_set_exit_on_failure(client->io, 1);
    if (r < 0) {
        client_free(client);
        return r;
    }
    client->next = relay->clients;
    relay->clients = client;
    relay->n_clients++;
    watch_client(client);
    return 0;
}

static void turn_away(Relay *relay, const char *why) {
    uint64_t held_back;
    if (journal_limit_pass(&relay->turned_away, service_now(sensor_service_of(relay->sensor)), &held_back))
        journal_note(LOG_WARNING,
                     "relay: a client was turned away: %s (and %" PRIu64 " more since the last entry)", why,
                     held_back);
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)source;
    (void)events;
    Relay *relay = userdata;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0)
        return 0;
    if (relay->n_clients >= CLIENTS_MAX) {
        turn_away(relay, "as many as may be are connected already");
        close(client);
        return 0;
    }
    int r = add_client(relay, client);
    if (r < 0)
        turn_away(relay, strerror(-r));
    return 0;
}

/* Binds RUNTIME_DIR/sensor-KIND.sock, in place of what a dead process left there. */
static int bind_own(Relay *relay, Problem *problem) {
    const char *directory = service_runtime_dir(sensor_service_of(relay->sensor));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = snprintf(address.sun_path, sizeof address.sun_path, "%s/sensor-%s.sock", directory,
                        sensor_kind_words[sensor_kind(relay->sensor)]);
    if (size < 0 || (size_t)size >= sizeof address.sun_path)
        return problem_set(problem, -EINVAL, "%s: too long for the path of a socket", directory);
    relay->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (relay->listener < 0)
        return -errno;
    (void)unlink(address.sun_path);
    if (bind(relay->listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        chmod(address.sun_path, 0660) < 0 || listen(relay->listener, LISTEN_BACKLOG) < 0)
        return problem_set(problem, -errno, "%s: %s", address.sun_path, strerror(errno));
    relay->own_path = strdup(address.sun_path);
    return relay->own_path ? 0 : -ENOMEM;
}

/* The listening socket: systemd's, else our own. */
static int open_listener(Relay *relay, Problem *problem) {
    Service *service = sensor_service_of(relay->sensor);
    relay->listener = service_take_fd(service, "relay");
    int r = relay->listener >= 0 ? 0 : bind_own(relay, problem);
    if (r < 0)
        return r;
    return sd_event_add_io(service_event(service), &relay->accept, relay->listener, EPOLLIN, on_accept,
                           relay);
}

static Source *relay_free(Source *source) {
    Relay *relay = (Relay *)source;
    if (!relay)
        return NULL;
    send_all_answers(relay); /* the last that are due */
    while (relay->clients)
        drop_client(relay->clients);
    sd_event_source_disable_unref(relay->accept);
    sd_event_source_disable_unref(relay->answer);
    timer_free(relay->rest_timer);
    if (relay->listener >= 0)
        close(relay->listener);
    if (relay->own_path)
        (void)unlink(relay->own_path);
    free(relay->own_path);
    relay_parser_free(relay->parser);
    free(relay);
    return NULL;
}

static int relay_open(Sensor *sensor, Source **ret, Problem *problem) {
    Relay *relay = calloc(1, sizeof *relay);
    if (!relay)
        return -ENOMEM;
    *relay = (Relay){.source.type = &source_relay,
                     .sensor = sensor,
                     .listener = -1,
                     .turned_away = {.burst = 1, .per_usec = 60 * USEC_PER_SEC}};
    sd_event *event = service_event(sensor_service_of(sensor));
    int r = relay_parser_new(&relay->parser);
    if (r >= 0)
        r = sd_event_add_defer(event, &relay->answer, on_answer, relay);
    if (r >= 0)
        r = sd_event_source_set_enabled(relay->answer, SD_EVENT_OFF);
    if (r >= 0)
        r = timer_new(sensor_service_of(sensor), on_rested, relay, &relay->rest_timer);
    if (r >= 0)
        r = open_listener(relay, problem);
    if (r < 0) {
        relay_free(&relay->source);
        return r;
    }
    *ret = &relay->source;
    return 0;
}

static void watch_clients(Relay *relay) {
    for (Client *client = relay->clients; client; client = client->next)
        watch_client(client);
}

static int relay_run(Source *source, Mono now) {
    (void)now;
    Relay *relay = (Relay *)source;
    relay->is_running = true;
    watch_clients(relay);
    return 0;
}

static void relay_hold(Source *source, Mono now) {
    (void)now;
    Relay *relay = (Relay *)source;
    relay->is_running = false;
    watch_clients(relay);
}

/* Later, because this may come while a packet is being handled, whose client must not go meanwhile. */
static void relay_acknowledged(Source *source) {
    (void)sd_event_source_set_enabled(((Relay *)source)->answer, SD_EVENT_ONESHOT);
}

static void relay_describe(const Source *source, char *buffer, size_t size) {
    const Relay *relay = (const Relay *)source;
    (void)snprintf(buffer, size, "relay for %zu clients", relay->n_clients);
}

const SourceType source_relay = {
    .open = relay_open,
    .free = relay_free,
    .run = relay_run,
    .hold = relay_hold,
    .acknowledged = relay_acknowledged,
    .is_given_again = true,
    .describe = relay_describe,
};
