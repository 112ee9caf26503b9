/* Publishes so many events in one thread and consumes them in another: as fast as the window lets it, or at a steady rate.
 *
 * The window makes figures comparable: a peer that takes more than it hands on would otherwise be measured by what it loses.
 * The publisher sleeps when it is full and wakes when half of it is free again, so that a batch is worth its wake-up.
 *
 * Every event has a number at a fixed place, so that consuming costs next to nothing, and what is lost or comes twice is
 * known. The clock runs from the first publish until the last event is consumed and, where there are confirms, all of
 * them are in. */
#include "peers.h"

#include "base/macro.h"
#include "base/time.h"
#include "wire/event.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { NUMBER_DIGITS = 10, TEXT_MAX_BYTES = 512 };
#define FIRST_NUMBER UINT64_C(1000000000) /* all numbers have as many digits */
#define NSEC_PER_SEC UINT64_C(1000000000)

typedef struct Template {
    char text[TEXT_MAX_BYTES];
    size_t size, number_at;
} Template;

struct Client {
    const Transport *transport;
    void *state;
    Template templates[SENSOR_KIND_COUNT];
    uint64_t n_events, n_published;
    uint64_t *published_nsec; /* of each event, when it was given to the transport */
    /* the consumer's, until all is consumed */
    uint64_t *took_nsec; /* of each event that came, 0 of others */
    uint64_t last_nsec, n_repeated;
    /* between both */
    _Atomic uint64_t n_consumed,
        wake_at; /* how many have to be consumed before the publisher wants to know */
    atomic_bool is_over, has_failed;
    pthread_mutex_t mutex;
    pthread_cond_t has_room;
};

static uint64_t now_nsec(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static struct timespec timespec_of(uint64_t nsec) {
    return (struct timespec){(time_t)(nsec / NSEC_PER_SEC), (long)(nsec % NSEC_PER_SEC)};
}

int peer_failed(const Transport *transport, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "peers: %s: ", transport->name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return -1;
}

/* --- events --- */

static void measure(Message *event, SensorKind kind) {
    switch (kind) {
    case SENSOR_CAMERA:
        message_set(&event->CAMERA_EVENT, CameraEvent, queue_vehicles, 7);
        message_set(&event->CAMERA_EVENT, CameraEvent, speed_kmh, 31.5);
        break;
    case SENSOR_INDUCTIVE:
        message_set(&event->LOOP_EVENT, LoopEvent, vehicles, 9);
        message_set(&event->LOOP_EVENT, LoopEvent, interval_sec, 30);
        break;
    default:
        message_set(&event->GPS_EVENT, GpsEvent, level, LEVEL_NORMAL);
        message_set(&event->GPS_EVENT, GpsEvent, speed_kmh, 28);
    }
}

static int make_template(SensorKind kind, Template *ret) {
    static const char *const sensors[SENSOR_KIND_COUNT] = {"CAM-B2", "ESP-B2", "GPS-B2"};
    static const char number_member[] = "\"seq\":";
    struct timespec now;
    Problem problem;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const Wall wall = {(uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000};
    const EventIdentity identity = {"peers", (int64_t)wall.usec, (int64_t)FIRST_NUMBER};
    Message event = {.tag = event_tag(kind)};
    event_set_place(&event, sensors[kind], "INT-B2");
    measure(&event, kind);
    event_set_time(&event, wall);
    event_set_identity(&event, &identity);
    int n = message_encode(&event, ret->text, sizeof ret->text, &problem);
    if (n < 0) {
        fprintf(stderr, "peers: %s\n", problem.text);
        return -1;
    }
    ret->size = (size_t)n;
    ret->number_at = (size_t)(strstr(ret->text, number_member) - ret->text) + sizeof number_member - 1;
    return 0;
}

static Event make_event(Client *client, uint64_t i) {
    SensorKind kind = (SensorKind)(i % SENSOR_KIND_COUNT);
    Template *template = &client->templates[kind];
    uint64_t number = FIRST_NUMBER + i;
    for (size_t digit = NUMBER_DIGITS; digit-- > 0; number /= 10)
        template->text[template->number_at + digit] = (char)('0' + number % 10);
    return (Event){kind, template->text, template->size};
}

/* False: none of this run. */
static bool find_number(const Client *client, const char *text, size_t size, uint64_t *ret) {
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++) {
        const Template *template = &client->templates[kind];
        if (size < template->size || text[0] != template->text[0])
            continue;
        uint64_t number = 0;
        for (size_t digit = 0; digit < NUMBER_DIGITS; digit++)
            number = number * 10 + (uint64_t)(text[template->number_at + digit] - '0');
        *ret = number - FIRST_NUMBER;
        return *ret < client->n_events;
    }
    return false;
}

/* --- consuming --- */

void client_consumed(Client *client, const char *text, size_t size) {
    uint64_t i, nsec = now_nsec();
    if (!find_number(client, text, size, &i))
        return;
    if (client->took_nsec[i]) {
        client->n_repeated++;
        return;
    }
    client->took_nsec[i] = nsec - client->published_nsec[i];
    client->last_nsec = nsec;
    if (atomic_fetch_add(&client->n_consumed, 1) + 1 < atomic_load(&client->wake_at))
        return;
    pthread_mutex_lock(&client->mutex);
    pthread_cond_signal(&client->has_room);
    pthread_mutex_unlock(&client->mutex);
}

static void *consumer_main(void *userdata) {
    Client *client = userdata;
    while (!atomic_load(&client->is_over) && !atomic_load(&client->has_failed))
        if (client->transport->consume(client->state) < 0)
            atomic_store(&client->has_failed, true);
    return NULL;
}

/* --- publishing --- */

/* Until at most `most` events are under way. False: nothing comes any more. */
static bool wait_until_under_way(Client *client, uint64_t most) {
    bool is_reached = false, has_come = true;
    pthread_mutex_lock(&client->mutex);
    atomic_store(&client->wake_at, client->n_published - most);
    while (has_come && !atomic_load(&client->has_failed)) {
        uint64_t n_before = atomic_load(&client->n_consumed);
        struct timespec deadline = timespec_of(now_nsec() + PEER_PATIENCE_SEC * NSEC_PER_SEC);
        int r = 0;
        while (!(is_reached = atomic_load(&client->n_consumed) >= client->n_published - most) && r == 0)
            r = pthread_cond_timedwait(&client->has_room, &client->mutex, &deadline);
        if (is_reached)
            break;
        has_come = atomic_load(&client->n_consumed) > n_before;
    }
    atomic_store(&client->wake_at, UINT64_MAX);
    pthread_mutex_unlock(&client->mutex);
    return is_reached;
}

/* False: given up. */
static bool publish_all(Client *client, double rate) {
    const Transport *transport = client->transport;
    uint64_t begun = now_nsec();
    for (uint64_t i = 0; i < client->n_events; i++) {
        if (rate > 0) {
            struct timespec due = timespec_of(begun + (uint64_t)((double)i / rate * 1e9));
            (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        }
        if (i - atomic_load(&client->n_consumed) >= transport->window &&
            !wait_until_under_way(client, transport->window / 2))
            return false;
        Event event = make_event(client, i);
        client->published_nsec[i] = now_nsec();
        client->n_published = i + 1;
        if (transport->publish(client->state, &event) < 0)
            return false;
    }
    return true;
}

/* --- the run --- */

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* What came, sorted, is at the end. */
static double quantile_usec(const Client *client, uint64_t n_consumed, double share) {
    const uint64_t *came = client->took_nsec + (client->n_events - n_consumed);
    return n_consumed == 0 ? 0 : (double)came[(uint64_t)(share * (double)(n_consumed - 1))] / 1000;
}

static void print_result(Client *client, uint64_t end_nsec, bool is_confirmed) {
    uint64_t n_consumed = atomic_load(&client->n_consumed);
    double seconds = (double)(end_nsec - client->published_nsec[0]) / (double)NSEC_PER_SEC;
    size_t n_bytes = 0;
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        n_bytes += client->templates[kind].size;
    qsort(client->took_nsec, client->n_events, sizeof *client->took_nsec, compare);
    printf("{\"transport\":\"%s\",\"events\":%" PRIu64 ",\"bytes\":%zu,\"window\":%" PRIu64
           ",\"seconds\":%.6f,\"events_per_second\":%.0f,\"lost\":%" PRIu64 ",\"repeated\":%" PRIu64
           ",\"is_confirmed\":%s,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"cpu_seconds\":%.3f}\n",
           client->transport->name, client->n_events, n_bytes / SENSOR_KIND_COUNT, client->transport->window,
           seconds, (double)n_consumed / seconds, client->n_events - n_consumed, client->n_repeated,
           is_confirmed ? "true" : "false", quantile_usec(client, n_consumed, 0.5),
           quantile_usec(client, n_consumed, 0.99), quantile_usec(client, n_consumed, 1),
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / USEC_PER_SEC);
}

static bool prepare(Client *client) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&client->has_room, &attributes);
    pthread_mutex_init(&client->mutex, NULL);
    atomic_store(&client->wake_at, UINT64_MAX);
    client->published_nsec = calloc(client->n_events, sizeof *client->published_nsec);
    client->took_nsec = calloc(client->n_events, sizeof *client->took_nsec);
    if (!client->published_nsec || !client->took_nsec) {
        fprintf(stderr, "peers: no memory for %" PRIu64 " events\n", client->n_events);
        return false;
    }
    for (size_t kind = 0; kind < SENSOR_KIND_COUNT; kind++)
        if (make_template((SensorKind)kind, &client->templates[kind]) < 0)
            return false;
    return true;
}

/* True when all was consumed and confirmed. */
static bool exchange(Client *client, double rate) {
    const Transport *transport = client->transport;
    pthread_t consumer;
    if (transport->consume && pthread_create(&consumer, NULL, consumer_main, client) != 0) {
        (void)peer_failed(transport, "no thread to consume in");
        return false;
    }
    bool is_consumed = publish_all(client, rate) && wait_until_under_way(client, 0);
    bool is_confirmed = is_consumed && (!transport->settle || transport->settle(client->state) >= 0);
    uint64_t end_nsec = is_confirmed && transport->settle ? now_nsec() : client->last_nsec;
    atomic_store(&client->is_over, true);
    if (transport->consume)
        pthread_join(consumer, NULL);
    print_result(client, end_nsec, is_confirmed);
    return is_confirmed;
}

int client_run(const Transport *transport, uint64_t n_events, double rate) {
    static Client client;
    client.transport = transport;
    client.n_events = n_events;
    if (!prepare(&client) || transport->open(transport, &client, rate > 0, &client.state) < 0)
        return 2;
    bool is_done = exchange(&client, rate);
    transport->close(client.state);
    free(client.published_nsec);
    free(client.took_nsec);
    return is_done ? 0 : 1;
}
