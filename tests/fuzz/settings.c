/* Any bytes as traffic.conf. Promises: a refusal names the file, is printable and leaves the caller's
 * settings alone; what is taken is printed as a file that gives the same settings. */
#include "fuzz.h"

#include "settings/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Loads the bytes through a file in memory: settings are only ever read from files. */
static int load(const void *data, size_t size, Settings *settings, Problem *problem) {
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("traffic.conf", MFD_CLOEXEC);
        promise(fd >= 0);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    promise(ftruncate(fd, 0) == 0);
    promise(pwrite(fd, data, size, 0) == (ssize_t)size);
    return settings_load(&(SettingsSource){.file = path}, settings, NULL, problem);
}

static void check_refusal(int r, const Problem *problem, const Settings *settings) {
    Settings untouched;
    memset(&untouched, 0x5A, sizeof untouched);
    promise(r == -EINVAL || r == -ERANGE);
    promise(strncmp(problem->text, "/proc/self/fd/", strlen("/proc/self/fd/")) == 0);
    for (const char *c = problem->text; *c; c++)
        promise(*c >= ' ' && *c <= '~');
    promise(memcmp(settings, &untouched, sizeof untouched) == 0);
}

static size_t print(const Settings *settings, char *text, size_t size) {
    FILE *out = fmemopen(text, size, "w");
    promise(out);
    settings_print(out, settings);
    long length = ftell(out);
    promise(fclose(out) == 0);
    return (size_t)length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char first[32 * 1024], second[sizeof first];
    Settings settings;
    Problem problem = {""};
    memset(&settings, 0x5A, sizeof settings);
    int r = load(data, size, &settings, &problem);
    if (r < 0) {
        check_refusal(r, &problem, &settings);
        return 0;
    }
    size_t first_size = print(&settings, first, sizeof first);
    promise(load(first, first_size, &settings, &problem) == 0);
    promise(print(&settings, second, sizeof second) == first_size);
    promise(memcmp(first, second, first_size) == 0);
    return 0;
}
