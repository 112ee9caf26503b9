#include "shell/random-id.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

uint64_t random_id(void) {
    uint64_t id = 0;
    while (id == 0) {
        ssize_t size = getrandom(&id, sizeof id, 0);
        /* So few bytes come whole or not at all, and "not at all" only from a signal before the pool is
         * ready. */
        if (size != sizeof id && errno != EINTR)
            abort();
        if (size != sizeof id)
            id = 0;
    }
    return id;
}
