#include "relay-away.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct RelayAway {
    int listener;
    sd_event_source *accept;
};

static const char answer[] = "{\"refused\":null,\"why\":\"this sensor's readings do not come from here: "
                             "expected source = relay in section "
                             "[sensor] of traffic.conf\"}";

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)source;
    (void)events;
    (void)userdata;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0)
        return 0;
    (void)send(client, answer, strlen(answer), MSG_NOSIGNAL);
    close(client);
    return 0;
}

int relay_away_open(Service *service, RelayAway **ret) {
    int listener = service_take_fd(service, "relay");
    if (listener < 0) {
        *ret = NULL;
        return 0;
    }
    scoped(relay_away_freep) RelayAway *away = calloc(1, sizeof *away);
    if (!away) {
        close(listener);
        return -ENOMEM;
    }
    away->listener = listener;
    int r = sd_event_add_io(service_event(service), &away->accept, listener, EPOLLIN, on_accept, away);
    if (r < 0)
        return r;
    *ret = take(away);
    return 0;
}

RelayAway *relay_away_free(RelayAway *away) {
    if (!away)
        return NULL;
    sd_event_source_disable_unref(away->accept);
    close(away->listener);
    free(away);
    return NULL;
}
