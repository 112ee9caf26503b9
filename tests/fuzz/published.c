/* A published detector file: every row is used, or counted as why it is not; what is used comes in order and
 * in range. */
#include "fuzz.h"

#include "convert.h"

#include <sys/mman.h>
#include <unistd.h>

static void read_as(const ConvertFormat *format, char *path, FILE *told) {
    Samples samples = {0};
    Problem problem;
    if (samples_read(&format->source, &path, 1, told, &samples, &problem) < 0)
        return;
    promise(samples.n_rows == samples.n + samples.n_bad_rows + samples.n_repeated + samples.n_conflicting);
    promise(samples.n > 0 && samples.step_usec > 0);
    for (size_t i = 0; i < samples.n; i++) {
        promise(i == 0 || samples.items[i].at.usec > samples.items[i - 1].at.usec);
        promise(samples.items[i].value >= format->source.min && samples.items[i].value <= format->source.max);
    }
    samples_select(&samples, samples.items[0].at,
                   (Wall){samples.items[samples.n - 1].at.usec + samples.step_usec}, told);
    samples_clear(&samples);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    FILE *told = fopen("/dev/null", "w");
    int fd = memfd_create("published", MFD_CLOEXEC);
    promise(told && fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (size_t i = 0; i < n_convert_formats; i++)
        read_as(&convert_formats[i], path, told);
    close(fd);
    fclose(told);
    return 0;
}
