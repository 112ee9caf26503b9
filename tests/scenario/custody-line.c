/* Random delays keep the order: a packet is due no earlier than the one before it. */
#include "custody-line.h"

enum { DELAY_MIN_MS = 1, DELAY_MAX_MS = 20 };

static Packet *pipe_at(Pipe *pipe, size_t index) {
    return &pipe->packets[(pipe->first + index) % LINE_PACKETS];
}

bool line_send(Line *line, Random *random, uint64_t now_ms, const Packet *packet) {
    Pipe *pipe = &line->present;
    if (pipe->n == LINE_PACKETS)
        return false;
    if (line->loss > 0 && random_unit(random) < line->loss)
        return true;
    uint64_t due_ms = now_ms + (uint64_t)random_integer(random, DELAY_MIN_MS, DELAY_MAX_MS);
    if (pipe->n > 0 && pipe_at(pipe, pipe->n - 1)->due_ms > due_ms)
        due_ms = pipe_at(pipe, pipe->n - 1)->due_ms;
    Packet *place = pipe_at(pipe, pipe->n++);
    *place = *packet;
    place->due_ms = due_ms;
    return true;
}

static bool pipe_take(Pipe *pipe, uint64_t now_ms, Packet *ret) {
    if (pipe->n == 0 || pipe->packets[pipe->first].due_ms > now_ms)
        return false;
    *ret = pipe->packets[pipe->first];
    pipe->first = (pipe->first + 1) % LINE_PACKETS;
    pipe->n--;
    return true;
}

bool line_receive(Line *line, Random *random, uint64_t now_ms, Packet *ret) {
    if (line->is_cut)
        return false;
    if (line->former.n > 0 && random_below(random, 2) == 0)
        return pipe_take(&line->former, now_ms, ret) || pipe_take(&line->present, now_ms, ret);
    return pipe_take(&line->present, now_ms, ret) || pipe_take(&line->former, now_ms, ret);
}

void line_replace(Line *line, Random *random) {
    if (line->present.n == 0)
        return; /* what is left of an older one keeps arriving */
    size_t n_arriving = (size_t)random_below(random, line->present.n + 1);
    line->former = line->present;
    line->former.n = n_arriving;
    line->present.first = line->present.n = 0;
}

void line_clear(Line *line) {
    line->present.first = line->present.n = 0;
    line->former.first = line->former.n = 0;
}
