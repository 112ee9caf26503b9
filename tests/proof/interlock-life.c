/* Any life of an interlock, for the prover (wp, beside this file): from its start, steps, latches and releases in any
 * order and number, with any request and at any time. That what the contracts of interlock.h promise of one step holds
 * of all: the loop keeps what they require. Nobody runs this. */
#include "core/interlock.h"

/* Anything. */
/*@ assigns \nothing; */
uint64_t any(void);

/*@ requires \valid_read(model) && model->n_groups <= SIGNAL_GROUPS_MAX; */
void any_life(const SignalModel *model) {
    Interlock interlock;
    interlock_init(&interlock, model, (Mono){any()});
    /*@ loop invariant is_interlock(&interlock) && interlock.model == model;
        loop invariant no_conflict_is_open(&interlock);
        loop assigns interlock; */
    for (;;) {
        const Mono now = {any()};
        switch (any() % 3) {
        case 0:
            interlock_step(&interlock, (GroupSet)any(), now);
            break;
        case 1:
            interlock_latch(&interlock, now);
            break;
        default:
            interlock_release(&interlock, now);
        }
    }
}
