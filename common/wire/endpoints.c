/* The link table, made from endpoints.def. Opens nothing: common/shell/link.c does. */
#include "wire/endpoints.h"

const Endpoint endpoints[ENDPOINT_COUNT] = {
#define ENDPOINT(ID, name_, binder_, machine_, port_, bind_, connect_, high_water_mark_, purpose_)           \
    [ENDPOINT_##ID] = {.name = name_,                                                                        \
                       .binder = binder_,                                                                    \
                       .machine = machine_,                                                                  \
                       .port = port_,                                                                        \
                       .bind_pattern = WIRE_##bind_,                                                         \
                       .connect_pattern = WIRE_##connect_,                                                   \
                       .high_water_mark = high_water_mark_,                                                  \
                       .purpose = purpose_},
#include "wire/endpoints.def"
#undef ENDPOINT
};

const char *wire_pattern_name(WirePattern pattern) {
    static const char *const names[] = {
        [WIRE_XPUB] = "XPUB", [WIRE_SUB] = "SUB",       [WIRE_PUSH] = "PUSH",
        [WIRE_PULL] = "PULL", [WIRE_ROUTER] = "ROUTER", [WIRE_DEALER] = "DEALER",
    };
    return names[pattern];
}

void endpoints_print(FILE *out) {
    fprintf(out, "%-18s %-5s %-3s %-25s %-7s %-8s %6s  %s\n", "LINK", "PORT", "ON", "BINDER", "BINDS",
            "CONNECTS", "QUEUE", "WHAT CROSSES IT");
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        const Endpoint *e = &endpoints[i];
        fprintf(out, "%-18s %-5u pc%u %-25s %-7s %-8s %6d  %s\n", e->name, (unsigned)e->port, e->machine,
                e->binder, wire_pattern_name(e->bind_pattern), wire_pattern_name(e->connect_pattern),
                e->high_water_mark, e->purpose);
    }
}
