/* A timestamp that is taken is written again byte for byte; one that is refused leaves the caller's time
 * alone. */
#include "fuzz.h"

#include "wire/timestamp.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Wall wall = {42};
    if (timestamp_parse((const char *)data, size, &wall) < 0) {
        promise(wall.usec == 42);
        return 0;
    }
    TimestampText text = timestamp_format(wall);
    promise(size == TIMESTAMP_SIZE - 1);
    promise(memcmp(text.text, data, size) == 0);
    promise(wall.usec % USEC_PER_SEC == 0);
    return 0;
}
