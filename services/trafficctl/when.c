#include "when.h"

#include "base/macro.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int parse_ago(const char *text, Wall now, Wall *ret) {
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};

    char *end;
    errno = 0;
    unsigned long long amount = strtoull(text, &end, 10);
    if (errno || end == text || amount > 100000000 || end[0] == '\0' || end[1] != '\0')
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (end[0] == units[i].unit) {
            uint64_t ago_usec = amount * units[i].seconds * USEC_PER_SEC;
            *ret = (Wall){ago_usec < now.usec ? now.usec - ago_usec : 0};
            return 0;
        }
    return -EINVAL;
}

static int parse_calendar(const char *text, Wall *ret) {
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M",
                                        "%Y-%m-%d"};

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm parts = {0};
        const char *end = strptime(text, forms[i], &parts);
        if (!end || *end != '\0')
            continue;
        struct tm normalised = parts;
        time_t seconds = timegm(&normalised);
        bool exists = normalised.tm_mday == parts.tm_mday && normalised.tm_mon == parts.tm_mon;
        if (!exists || seconds < 0)
            return -EINVAL;
        *ret = (Wall){(uint64_t)seconds * USEC_PER_SEC};
        return 0;
    }
    return -EINVAL;
}

int when_parse(const char *text, Wall now, Wall *ret, Problem *problem) {
    int r;
    if (strcmp(text, "now") == 0) {
        *ret = now;
        return 0;
    }
    r = text[0] == '-' ? parse_ago(text + 1, now, ret) : parse_calendar(text, ret);
    if (r < 0)
        return problem_set(
            problem, r,
            "expected a time as 2026-02-09T15:10:00Z, \"2026-02-09 15:10\", 2026-02-09, now, or -90s, "
            "-15m, -2h, -7d (UTC), got \"%.40s\"",
            text);
    return 0;
}
