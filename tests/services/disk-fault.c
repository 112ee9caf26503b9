/* A disk that misbehaves, for one process: preloaded (LD_PRELOAD), it looks at the file named by
 * TRAFFIC_DISK_FAULT whenever the process writes or syncs a database, and does what the word in it says:
 *
 *     slow       waits as long as the word stands there
 *     eio        writes and syncs fail with an input/output error
 *     eio-sync   only syncs do: what was written is there, and nobody knows for how long
 *     erofs      writes fail as on a file system that became read-only
 *     enospc     writes fail as on a full disk
 *
 * Anything else, or no file: the disk is well. Only files whose names have ".db" in them are looked at. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { WORD_SIZE = 16 };
#define LOOK_AGAIN_NSEC 5000000

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at);

static void read_word(char ret[static WORD_SIZE]) {
    const char *path = getenv("TRAFFIC_DISK_FAULT");
    memset(ret, 0, WORD_SIZE);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    ssize_t n = read(fd, ret, WORD_SIZE - 1);
    ret[n > 0 ? n : 0] = '\0';
    close(fd);
}

static bool is_database(int fd) {
    char link[64], path[PATH_MAX];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return strstr(path, ".db");
}

/* The errno that the call fails with, 0 when it is let through. */
static int fault(int fd, bool is_sync) {
    char word[WORD_SIZE];
    int saved = errno;
    for (read_word(word); is_database(fd) && strcmp(word, "slow") == 0; read_word(word))
        nanosleep(&(struct timespec){.tv_nsec = LOOK_AGAIN_NSEC}, NULL);
    bool is_ours = is_database(fd);
    errno = saved;
    if (!is_ours)
        return 0;
    if (strcmp(word, "eio") == 0 || (is_sync && strcmp(word, "eio-sync") == 0))
        return EIO;
    if (!is_sync && strcmp(word, "erofs") == 0)
        return EROFS;
    return !is_sync && strcmp(word, "enospc") == 0 ? ENOSPC : 0;
}

static int fail(int error) {
    errno = error;
    return -1;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    int error = fault(fd, false);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    return error ? fail(error) : real(fd, data, size, at);
}

static int sync_with(const char *name, int fd) {
    int error = fault(fd, true);
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return error ? fail(error) : real(fd);
}

int fsync(int fd) {
    return sync_with("fsync", fd);
}

int fdatasync(int fd) {
    return sync_with("fdatasync", fd);
}
