/* Keeps the epoch in one small file, replaced as a whole. Knows files, not clocks.
 *
 * Durable before used: if power fails right after this, the next life still finds a number that nobody will
 * reuse. */
#include "shell/epoch.h"

#include "base/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for as many lives as anybody will see; the largest number itself would be the end of them. */
#define EPOCH_RAISE_MAX (INT64_MAX / 2)

#define EPOCH_AHEAD_MAX_USEC (UINT64_C(36525) * 86400 * USEC_PER_SEC)

static void fd_closep(int *fd) {
    if (*fd >= 0)
        close(*fd);
}

/* The kept number; 0 when there is no file yet. */
static int read_kept(int directory, const char *state_dir, int64_t *ret, Problem *problem) {
    char text[32];
    char *end;
    scoped(fd_closep) int fd = openat(directory, "epoch", O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *ret = 0;
        return 0;
    }
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (size < 0)
        return problem_set(problem, -errno, "%s/epoch: cannot be read: %s", state_dir, strerror(errno));

    text[size] = '\0';
    errno = 0;
    int64_t kept = strtoll(text, &end, 10);
    if (errno != 0 || end == text || strcmp(end, "\n") != 0 || kept < 0 || kept == INT64_MAX)
        return problem_set(
            problem, -EINVAL,
            "%s/epoch: expected one decimal number and a line end, got something else; remove the file "
            "if the clock of this machine is right",
            state_dir);
    *ret = kept;
    return 0;
}

static int write_new(int directory, int64_t epoch) {
    char text[32];
    int size = snprintf(text, sizeof text, "%" PRId64 "\n", epoch);
    scoped(fd_closep) int fd = openat(directory, "epoch.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        return -errno;
    ssize_t written = write(fd, text, (size_t)size);
    if (written != size)
        return written < 0 ? -errno : -ENOSPC;
    if (fsync(fd) < 0 || renameat(directory, "epoch.new", directory, "epoch") < 0 || fsync(directory) < 0)
        return -errno;
    return 0;
}

/* What an operator mends by making room: until then only a clock that goes back could repeat the number. */
static bool may_go_on(int error) {
    return error == -ENOSPC || error == -EDQUOT || error == -EROFS;
}

/* The descriptor of the directory, and the number kept in it. */
static int open_kept(const char *state_dir, int64_t *ret_kept, Problem *problem) {
    scoped(fd_closep) int directory = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return problem_set(problem, -errno, "state directory %s: %s", state_dir, strerror(errno));
    int r = read_kept(directory, state_dir, ret_kept, problem);
    if (r < 0)
        return r;
    int opened = directory;
    directory = -1;
    return opened;
}

static int keep(int directory, const char *state_dir, int64_t epoch, Problem *problem) {
    int r = write_new(directory, epoch);
    return r < 0 ? problem_set(problem, r, "%s/epoch: cannot be written: %s", state_dir, strerror(-r)) : 0;
}

int epoch_begin(const char *state_dir, Wall wall, int64_t *ret, Problem *problem) {
    int64_t kept = 0, epoch = (int64_t)wall.usec;
    if (!state_dir) {
        *ret = epoch;
        return 0;
    }

    scoped(fd_closep) int directory = open_kept(state_dir, &kept, problem);
    if (directory < 0)
        return directory;
    if (epoch <= kept)
        epoch = kept + 1;
    int r = keep(directory, state_dir, epoch, problem);
    if (r < 0 && !may_go_on(r))
        return r;
    *ret = epoch;
    return r < 0 ? 1 : 0;
}

int epoch_raise(const char *state_dir, int64_t epoch, Problem *problem) {
    int64_t kept = 0;
    if (epoch < 0 || epoch > EPOCH_RAISE_MAX)
        return problem_set(problem, -ERANGE, "expected an epoch of 0 to %" PRId64 ", got %" PRId64,
                           EPOCH_RAISE_MAX, epoch);
    if (!state_dir)
        return 0;

    scoped(fd_closep) int directory = open_kept(state_dir, &kept, problem);
    if (directory < 0)
        return directory;
    return kept >= epoch ? 0 : keep(directory, state_dir, epoch, problem);
}

bool epoch_is_likely(int64_t epoch, Wall wall) {
    return epoch >= 0 &&
           ((uint64_t)epoch <= wall.usec || (uint64_t)epoch - wall.usec <= EPOCH_AHEAD_MAX_USEC);
}
