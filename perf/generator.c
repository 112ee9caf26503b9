/* Hands readings to the relay sockets of a city at a steady rate, as cheaply as one thread can.
 *
 *     build/perf/generator --sockets DIR [--city FILE] [--rate N] [--seconds T] [--drain T] [--swing T] [--clients N]
 *
 * The rate is of cameras, loops and GPS together, shared by --clients connections to each of the three. Every reading has an identity and says when it was due, also when it
 * is handed in later because the sensor would not take it. Each intersection is congested for a quarter of --swing
 * seconds, each at another time, so that something is decided.
 *
 * Once a second a line of JSON says how far it is, the last line how it ended: readings due, handed in, acknowledged and
 * refused, and how long after its due time a reading was acknowledged. Exit status 0 when all of them were, within
 * --drain seconds after the last. It does not come back to a sensor that died: that is a fault, and no measurement. */
#include "base/log-buckets.h"
#include "base/macro.h"
#include "base/time.h"
#include "base/vocabulary.h"
#include "settings/city.h"
#include "wire/timestamp.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKETS_PER_CALL = 64,
    PACKET_MAX_BYTES = 512,
    ANSWER_MAX_BYTES = 1536,
    STEP_BITS = 4,
    BUCKETS = 41 << STEP_BITS, /* up to 2^44 us */
    CLIENTS_MAX = 64,          /* as many as a sensor takes */
};
#define TURN_USEC 200 /* no more often than this: what comes within it is handed in, and heard, together */
#define REST_USEC (100 * USEC_PER_MSEC) /* no longer, so that progress is told */

typedef struct Options {
    const char *sockets, *city;
    double rate, seconds, drain, swing, clients;
} Options;

/* A connection, and the readings of one kind that it brings. */
typedef struct Feed {
    SensorKind kind;
    unsigned client;
    double turn; /* when it is its turn, as a part of the time between two readings of a feed */
    const CitySensor *sensors;
    size_t n_sensors;
    int fd;
    uint64_t n_due, n_handed_in, n_answered, n_refused;
} Feed;

typedef struct Generator {
    Options options;
    const City *city;
    Mono begun;
    Wall begun_wall;
    double per_usec; /* of each feed */
    Feed feeds[CLIENTS_MAX * SENSOR_KIND_COUNT];
    size_t n_feeds;
    uint64_t late_usec; /* the longest that a reading waited here */
    uint64_t n_acknowledged[BUCKETS];
    char packets[PACKETS_PER_CALL][PACKET_MAX_BYTES];
    char answers[PACKETS_PER_CALL][ANSWER_MAX_BYTES];
} Generator;

static Mono now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (Mono){(uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000};
}

static Wall wall(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (Wall){(uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000};
}

/* Number n, counted from 1, of a feed: so long after the start. */
static uint64_t due_usec(const Generator *generator, const Feed *feed, uint64_t number) {
    return (uint64_t)(((double)(number - 1) + feed->turn) / generator->per_usec);
}

/* --- a reading --- */

static int values_text(SensorKind kind, bool is_congested, uint64_t number, char *buffer, size_t size) {
    unsigned some = (unsigned)(number * 2654435761u >> 16) % 8; /* they differ, as measured ones do */
    switch (kind) {
    case SENSOR_CAMERA:
        return snprintf(buffer, size, "\"tipo_sensor\":\"camara\",\"volumen\":%u,\"velocidad_promedio\":%u.5",
                        is_congested ? 12 + some : some / 2, is_congested ? 6 + some : 38 + some);
    case SENSOR_INDUCTIVE:
        return snprintf(
            buffer, size,
            "\"tipo_sensor\":\"espira_inductiva\",\"vehiculos_contados\":%u,\"intervalo_segundos\":30",
            is_congested ? 40 + some : 4 + some);
    default:
        return snprintf(buffer, size,
                        "\"tipo_sensor\":\"gps\",\"nivel_congestion\":\"%s\",\"velocidad_promedio\":%u.25",
                        is_congested ? "ALTA" : "NORMAL", is_congested ? 2 + some : 30 + some);
    }
}

static size_t write_packet(const Generator *generator, const Feed *feed, uint64_t number, char *packet) {
    static const char *const time_members[SENSOR_KIND_COUNT] = {
        [SENSOR_CAMERA] = "timestamp", [SENSOR_INDUCTIVE] = "timestamp_fin", [SENSOR_GPS] = "timestamp"};
    const CitySensor *sensor = &feed->sensors[number % feed->n_sensors];
    uint64_t due = due_usec(generator, feed, number);
    Wall captured = {generator->begun_wall.usec + due};
    double swings = (double)due / USEC_PER_SEC / generator->options.swing +
                    (double)sensor->intersection / (double)generator->city->n_intersections;
    bool is_congested = swings - (double)(uint64_t)swings < 0.25;
    char values[160];
    (void)values_text(feed->kind, is_congested, number, values, sizeof values);
    return (size_t)snprintf(
        packet, PACKET_MAX_BYTES,
        "{\"id\":%" PRIu64 ",\"sensor_id\":\"%s\",\"interseccion\":\"%s\",%s,\"%s\":\"%s\","
        "\"producer_id\":\"generator-%s-%u\",\"epoch\":%" PRIu64 ",\"seq\":%" PRIu64
        ",\"captured_us\":%" PRIu64 "}",
        number, sensor->id, generator->city->intersections[sensor->intersection].id, values,
        time_members[feed->kind], timestamp_format(captured).text, sensor_kind_words[feed->kind],
        feed->client, generator->begun_wall.usec, number, captured.usec);
}

/* --- handing in, and what comes back --- */

/* What is due, as far as the sensor takes it. Negative errno: it has died. */
static int hand_in(Generator *generator, Feed *feed) {
    while (feed->n_handed_in < feed->n_due) {
        struct iovec parts[PACKETS_PER_CALL];
        struct mmsghdr messages[PACKETS_PER_CALL] = {0};
        unsigned n = 0;
        for (; n < PACKETS_PER_CALL && feed->n_handed_in + n < feed->n_due; n++) {
            size_t size = write_packet(generator, feed, feed->n_handed_in + n + 1, generator->packets[n]);
            parts[n] = (struct iovec){generator->packets[n], size};
            messages[n].msg_hdr = (struct msghdr){.msg_iov = &parts[n], .msg_iovlen = 1};
        }
        int n_taken = sendmmsg(feed->fd, messages, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n_taken < 0)
            return errno == EAGAIN ? 0 : -errno;
        uint64_t due = due_usec(generator, feed, feed->n_handed_in + 1);
        uint64_t late_usec = mono_between(mono_after(generator->begun, due), now());
        generator->late_usec = late_usec > generator->late_usec ? late_usec : generator->late_usec;
        feed->n_handed_in += (unsigned)n_taken;
    }
    return 0;
}

static void take_answer(Generator *generator, Feed *feed, const char *answer, Mono when) {
    static const char acknowledgement[] = "{\"ack\":";
    feed->n_answered++;
    if (strncmp(answer, acknowledgement, sizeof acknowledgement - 1) != 0) {
        if (feed->n_refused++ == 0)
            fprintf(stderr, "generator: %s\n", answer);
        return;
    }
    uint64_t number = strtoull(answer + sizeof acknowledgement - 1, NULL, 10);
    uint64_t usec = mono_between(mono_after(generator->begun, due_usec(generator, feed, number)), when);
    size_t bucket = log_bucket_of(usec, STEP_BITS);
    generator->n_acknowledged[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static int hear(Generator *generator, Feed *feed) {
    for (int n = PACKETS_PER_CALL; n == PACKETS_PER_CALL;) {
        struct iovec parts[PACKETS_PER_CALL];
        struct mmsghdr messages[PACKETS_PER_CALL] = {0};
        for (size_t i = 0; i < PACKETS_PER_CALL; i++) {
            parts[i] = (struct iovec){generator->answers[i], ANSWER_MAX_BYTES - 1};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
        }
        n = recvmmsg(feed->fd, messages, PACKETS_PER_CALL, MSG_DONTWAIT, NULL);
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        Mono when = now();
        for (int i = 0; i < n; i++) {
            if (messages[i].msg_len == 0)
                return -ECONNRESET;
            generator->answers[i][messages[i].msg_len] = '\0';
            take_answer(generator, feed, generator->answers[i], when);
        }
    }
    return 0;
}

/* --- telling --- */

typedef uint64_t FeedCount(const Feed *feed);

static uint64_t feed_due(const Feed *feed) {
    return feed->n_due;
}

static uint64_t feed_handed_in(const Feed *feed) {
    return feed->n_handed_in;
}

static uint64_t feed_answered(const Feed *feed) {
    return feed->n_answered;
}

static uint64_t feed_refused(const Feed *feed) {
    return feed->n_refused;
}

static uint64_t sum(const Generator *generator, FeedCount *count) {
    uint64_t n = 0;
    for (size_t i = 0; i < generator->n_feeds; i++)
        n += count(&generator->feeds[i]);
    return n;
}

static double quantile_sec(const Generator *generator, double share) {
    uint64_t n_all = sum(generator, feed_answered) - sum(generator, feed_refused), n = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        n += generator->n_acknowledged[i];
        if (n > 0 && (double)n >= share * (double)n_all)
            return (double)log_bucket_end(i, STEP_BITS) / USEC_PER_SEC;
    }
    return 0;
}

static void print_counts(const Generator *generator) {
    uint64_t n_refused = sum(generator, feed_refused);
    printf("{\"seconds\":%.3f,\"due\":%" PRIu64 ",\"handed_in\":%" PRIu64 ",\"acknowledged\":%" PRIu64
           ",\"refused\":%" PRIu64,
           (double)mono_between(generator->begun, now()) / USEC_PER_SEC, sum(generator, feed_due),
           sum(generator, feed_handed_in), sum(generator, feed_answered) - n_refused, n_refused);
}

static void print_progress(const Generator *generator) {
    print_counts(generator);
    puts("}");
    (void)fflush(stdout);
}

static void print_end(const Generator *generator) {
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    print_counts(generator);
    printf(",\"late_max_seconds\":%.6f,\"acknowledged_p50_seconds\":%.6f,\"acknowledged_p99_seconds\":%.6f,"
           "\"acknowledged_max_seconds\":%.6f,\"cpu_seconds\":%.3f,\"is_end\":true}\n",
           (double)generator->late_usec / USEC_PER_SEC, quantile_sec(generator, 0.5),
           quantile_sec(generator, 0.99), quantile_sec(generator, 1),
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / USEC_PER_SEC);
}

/* --- the run --- */

static int turn(Generator *generator, uint64_t elapsed_usec) {
    uint64_t last_usec = usec_from_sec(generator->options.seconds);
    uint64_t usec = elapsed_usec < last_usec ? elapsed_usec : last_usec;
    for (size_t i = 0; i < generator->n_feeds; i++) {
        Feed *feed = &generator->feeds[i];
        while (due_usec(generator, feed, feed->n_due + 1) < usec)
            feed->n_due++;
        int r = hear(generator, feed);
        if (r >= 0)
            r = hand_in(generator, feed);
        if (r < 0) {
            fprintf(stderr, "generator: the sensor of kind %s is gone: %s\n", sensor_kind_words[feed->kind],
                    strerror(-r));
            return r;
        }
    }
    return 0;
}

static struct timespec until(Mono deadline) {
    uint64_t usec = mono_between(now(), deadline);
    return (struct timespec){(time_t)(usec / USEC_PER_SEC), (long)(usec % USEC_PER_SEC) * 1000};
}

/* Until the next reading is due, an answer comes or a sensor takes readings again, but for a turn at least. */
static void rest(const Generator *generator, Mono since) {
    struct pollfd fds[CLIENTS_MAX * SENSOR_KIND_COUNT];
    Mono next = mono_after(since, REST_USEC);
    struct timespec time = until(mono_after(since, TURN_USEC));
    (void)nanosleep(&time, NULL);
    for (size_t i = 0; i < generator->n_feeds; i++) {
        const Feed *feed = &generator->feeds[i];
        bool is_blocked = feed->n_handed_in < feed->n_due;
        fds[i] = (struct pollfd){.fd = feed->fd, .events = (short)(is_blocked ? POLLIN | POLLOUT : POLLIN)};
        next = mono_min(next, mono_after(generator->begun, due_usec(generator, feed, feed->n_due + 1)));
    }
    time = until(next);
    (void)ppoll(fds, generator->n_feeds, &time, NULL);
}

/* True when everything was answered, and nothing refused. */
static bool run(Generator *generator) {
    const Options *options = &generator->options;
    uint64_t end_usec = usec_from_sec(options->seconds), told_usec = 0;
    generator->begun = now();
    generator->begun_wall = wall();
    for (;;) {
        Mono turned = now();
        uint64_t elapsed_usec = mono_between(generator->begun, turned);
        if (turn(generator, elapsed_usec) < 0)
            return false;
        bool is_answered = sum(generator, feed_answered) == sum(generator, feed_due);
        if (elapsed_usec >= end_usec && is_answered)
            return sum(generator, feed_refused) == 0;
        if (elapsed_usec >= end_usec + usec_from_sec(options->drain))
            return false;
        if (elapsed_usec - told_usec >= USEC_PER_SEC) {
            told_usec += USEC_PER_SEC;
            print_progress(generator);
        }
        rest(generator, turned);
    }
}

static int connect_to(const char *directory, SensorKind kind) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/sensor-%s.sock", directory,
                     sensor_kind_words[kind]);
    if (n >= (int)sizeof address.sun_path)
        return -ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return -error;
    }
    return fd;
}

static bool open_feeds(Generator *generator) {
    size_t n = (size_t)generator->options.clients * SENSOR_KIND_COUNT;
    for (; generator->n_feeds < n; generator->n_feeds++) {
        Feed *feed = &generator->feeds[generator->n_feeds];
        SensorKind kind = (SensorKind)(generator->n_feeds % SENSOR_KIND_COUNT);
        *feed = (Feed){.kind = kind,
                       .client = (unsigned)(generator->n_feeds / SENSOR_KIND_COUNT) + 1,
                       .turn = (double)generator->n_feeds / (double)n,
                       .sensors = generator->city->sensors[kind],
                       .n_sensors = generator->city->n_sensors[kind]};
        if (feed->n_sensors == 0) {
            fprintf(stderr, "generator: the city has no sensor of kind %s\n", sensor_kind_words[kind]);
            return false;
        }
        feed->fd = connect_to(generator->options.sockets, kind);
        if (feed->fd < 0) {
            fprintf(stderr, "generator: %s/sensor-%s.sock: %s; is the sensor's source relay?\n",
                    generator->options.sockets, sensor_kind_words[kind], strerror(-feed->fd));
            return false;
        }
    }
    return true;
}

static bool read_number(const char *name, const char *text, double *ret) {
    char *end;
    *ret = strtod(text, &end);
    if (*text && !*end && *ret > 0)
        return true;
    fprintf(stderr, "generator: --%s: expected a number above 0, got \"%s\"\n", name, text);
    return false;
}

static bool read_options(int argc, char **argv, Options *ret) {
    *ret = (Options){.city = "/usr/lib/traffic/city.json",
                     .rate = 300,
                     .seconds = 10,
                     .drain = 10,
                     .swing = 40,
                     .clients = 1};
    double *numbers[] = {&ret->rate, &ret->seconds, &ret->drain, &ret->swing, &ret->clients};
    static const struct option known[] = {
        {"rate", required_argument, NULL, 0},    {"seconds", required_argument, NULL, 0},
        {"drain", required_argument, NULL, 0},   {"swing", required_argument, NULL, 0},
        {"clients", required_argument, NULL, 0}, {"sockets", required_argument, NULL, 's'},
        {"city", required_argument, NULL, 'c'},  {NULL, 0, NULL, 0},
    };
    for (int option, index = 0; (option = getopt_long(argc, argv, "", known, &index)) >= 0;) {
        if (option == 's')
            ret->sockets = optarg;
        else if (option == 'c')
            ret->city = optarg;
        else if (option != 0 || !read_number(known[index].name, optarg, numbers[index]))
            return false;
    }
    if (ret->clients < 1 || ret->clients > CLIENTS_MAX) {
        fprintf(stderr, "generator: --clients: expected 1 to %d, got %g\n", CLIENTS_MAX, ret->clients);
        return false;
    }
    if (!ret->sockets)
        fprintf(stderr, "generator: --sockets: expected the directory of the relay sockets\n");
    return ret->sockets;
}

int main(int argc, char **argv) {
    static Generator generator;
    scoped(city_freep) City *city = NULL;
    Problem problem;
    if (!read_options(argc, argv, &generator.options))
        return 2;
    if (city_load(generator.options.city, NULL, &city, &problem) < 0) {
        fprintf(stderr, "generator: %s\n", problem.text);
        return 2;
    }
    generator.city = city;
    if (!open_feeds(&generator))
        return 2;
    generator.per_usec = generator.options.rate / (double)generator.n_feeds / USEC_PER_SEC;
    bool is_done = run(&generator);
    print_end(&generator);
    return is_done ? 0 : 1;
}
