/* A hop that is found is a possible one, taking it off leaves a frame that ends with its brace, and putting
 * it on again gives the same bytes; a frame without one is left alone. Any frame that ends with a brace can
 * carry one. */
#include "fuzz.h"

#include "wire/hop-text.h"

#include <errno.h>
#include <string.h>

static char *copy_of(const char *frame, size_t size) {
    char *copy = malloc(size + 1);
    promise(copy);
    memcpy(copy, frame, size);
    return copy;
}

static void check_put(const char *frame, size_t size, const Hop *hop, size_t exact_size) {
    char *buffer = malloc(exact_size);
    promise(buffer);
    promise(hop_put(frame, size, hop, buffer, exact_size - 1) == -EMSGSIZE);
    promise(hop_put(frame, size, hop, buffer, exact_size) == (int)exact_size);
    Hop back;
    size_t own = 0;
    promise(hop_find(buffer, exact_size, &back, &own));
    promise(own == size - 1 && memcmp(buffer, frame, own) == 0);
    promise(memcmp(&back, hop, sizeof back) == 0);
    free(buffer);
}

static void check_any(const char *frame, size_t size) {
    const Hop hop = {1, 0, 12, 3};
    char *buffer = malloc(size + HOP_TEXT_MAX_BYTES);
    promise(buffer);
    int r = hop_put(frame, size, &hop, buffer, size + HOP_TEXT_MAX_BYTES);
    if (size == 0 || frame[size - 1] != '}')
        promise(r == -EBADMSG);
    else
        check_put(frame, size, &hop, (size_t)r);
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *frame = (const char *)data;
    Hop hop = {42, 42, 42, 42};
    size_t own = 42;
    char *plain = copy_of(frame, size);
    check_any(frame, size);
    if (hop_take(frame, size, &hop, plain, &own)) {
        promise(hop_is_possible(&hop));
        promise(own < size && own > 0 && plain[own - 1] == '}');
        check_put(plain, own, &hop, size);
    } else {
        promise(hop.stream == 42 && hop.position == 42 && own == 42);
        promise(memcmp(plain, frame, size) == 0);
    }
    free(plain);
    return 0;
}
