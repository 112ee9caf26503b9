/* Descriptors from socket units: taken by name, each once. Knows neither links nor ports. */
#include "shell/activation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

struct Activation {
    char **names;
    int *fds; /* -1 once taken */
    size_t n;
};

int activation_new(Activation **ret) {
    scoped(activation_freep) Activation *activation = calloc(1, sizeof *activation);
    if (!activation)
        return -ENOMEM;
    int n = sd_listen_fds_with_names(1, &activation->names);
    if (n < 0)
        return n;
    activation->fds = calloc((size_t)n + 1, sizeof *activation->fds);
    if (!activation->fds)
        return -ENOMEM;
    activation->n = (size_t)n;
    for (int i = 0; i < n; i++)
        activation->fds[i] = SD_LISTEN_FDS_START + i;
    *ret = take(activation);
    return 0;
}

Activation *activation_free(Activation *activation) {
    if (!activation)
        return NULL;
    for (size_t i = 0; i < activation->n; i++)
        if (activation->fds[i] >= 0)
            close(activation->fds[i]);
    for (char **name = activation->names; name && *name; name++)
        free(*name);
    free(activation->names);
    free(activation->fds);
    free(activation);
    return NULL;
}

int activation_take(Activation *activation, const char *name) {
    for (size_t i = 0; i < activation->n; i++) {
        if (activation->fds[i] >= 0 && strcmp(activation->names[i], name) == 0) {
            int fd = activation->fds[i];
            activation->fds[i] = -1;
            return fd;
        }
    }
    return -ENOENT;
}

const char *activation_left(const Activation *activation, size_t i) {
    for (size_t at = 0; at < activation->n; at++)
        if (activation->fds[at] >= 0 && i-- == 0)
            return activation->names[at];
    return NULL;
}
