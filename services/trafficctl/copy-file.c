/* sendfile() and not copy_file_range(): that one refuses file systems of two kinds. */
#include "copy-file.h"

#include "base/macro.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 24 };

static void closep(int *fd) {
    if (*fd >= 0)
        close(*fd);
}

static int copy_content(int in, int out) {
    for (;;) {
        ssize_t n = sendfile(out, in, NULL, PIECE_BYTES);
        if (n == 0)
            return fsync(out) < 0 ? -errno : 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

int copy_file(const char *from, const char *to) {
    scoped(closep) int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return -errno;
    scoped(closep) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return -errno;
    int r = copy_content(in, out);
    if (r < 0)
        (void)unlink(to);
    return r;
}
