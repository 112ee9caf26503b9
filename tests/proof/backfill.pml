/* Two stores behind one outbox: every interleaving of delivery, deletion, crashes and one new disk. What one hop does
 * is custody.pml's; here a record simply arrives, in order, at a store that is up.
 *
 * model                 code
 * last, deleted         the rows of analytics' outbox (store/spool.h)
 * cursor                the outbox's cursor of each store, which acknowledgements move (custody/sender.h)
 * reader, has           a store's intake and its records, one transaction (store/intake-table.h)
 * forgot, is_empty      a new file: no intake, and needs_refill in its heartbeat
 * step, wanted          filling a store from its peer (services/analytics/refill.c): first the peer must have all that
 *                       the outbox had, then its rows are copied, then the store says that it is whole
 *
 * Failover has no part in this: who answers queries changes nothing here, so backfill after an absence is ordinary
 * delivery. At the end of each run both stores must have every record.
 *
 * Must fail, each with -D: DELETE_AFTER_ONE (a row leaves when one store has it), FILL_AT_ONCE (without waiting for
 * the peer), FORGET_FILLING (a store with a new disk is not filled), MOVE_TO_PEER (failover moves the cursor of a
 * dead store forward, as if its peer had taken the records for it). */
#ifndef RECORDS
#define RECORDS 3
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#define BIT(n)    (1 << (n))
#define ALL       (BIT(RECORDS + 1) - 2)
#define LEAST(a, b) (a < b -> a : b)
#define MOST(a, b)  (a > b -> a : b)

byte last, deleted;
byte cursor[2], reader[2], has[2];
bool is_up[2] = true;
bool forgot[2], is_empty[2];
byte life[2];
byte crashes, new_disks;

mtype = { IDLE, WAIT, COPY };
mtype step = IDLE;
byte target, wanted, copied, life_0, life_1;

active proctype Analytics() {
end:
    do
    :: d_step { last < RECORDS -> last++ }
#ifdef DELETE_AFTER_ONE
    :: d_step { deleted < MOST(cursor[0], cursor[1]) -> deleted = MOST(cursor[0], cursor[1]) }
#else
    :: d_step { deleted < LEAST(cursor[0], cursor[1]) -> deleted = LEAST(cursor[0], cursor[1]) }
#endif
#ifdef MOVE_TO_PEER
    :: d_step { !is_up[0] && cursor[0] < cursor[1] -> cursor[0] = cursor[1] }
    :: d_step { !is_up[1] && cursor[1] < cursor[0] -> cursor[1] = cursor[0] }
#endif
    od
}

/* One store and its link. */
proctype Store(byte me) {
end:
    do
    :: d_step { is_up[me] && forgot[me] && last > cursor[me] -> /* a frame: it asks from the oldest on */
            forgot[me] = false; cursor[me] = deleted; reader[me] = deleted }
    :: d_step { is_up[me] && !forgot[me] && reader[me] < last && reader[me] >= cursor[me] ->
            reader[me] = (reader[me] >= deleted -> reader[me] + 1 : deleted + 1); /* what is gone is given up */
            has[me] = has[me] | BIT(reader[me]) }
    :: d_step { is_up[me] && !forgot[me] && cursor[me] < reader[me] -> cursor[me] = reader[me] }
    :: d_step { is_up[me] && crashes < CRASHES -> crashes++; is_up[me] = false }
    :: d_step { !is_up[me] -> is_up[me] = true; life[me]++ }
    :: d_step { is_up[me] && new_disks < 1 && !is_empty[1 - me] ->
            new_disks++; is_up[me] = false; forgot[me] = true; is_empty[me] = true; has[me] = 0; reader[me] = 0 }
    od
}

#define SAME_LIVES (life[0] == life_0 && life[1] == life_1)

active proctype Filling() {
end:
    do
#ifndef FORGET_FILLING
    :: d_step { step == IDLE && is_empty[0] && is_up[0] -> target = 0; wanted = last; life_0 = life[0];
            life_1 = life[1]; copied = 0; step = WAIT }
    :: d_step { step == IDLE && is_empty[1] && is_up[1] -> target = 1; wanted = last; life_0 = life[0];
            life_1 = life[1]; copied = 0; step = WAIT }
#endif
#ifdef FILL_AT_ONCE
    :: d_step { step == WAIT -> step = COPY }
#else
    :: d_step { step == WAIT && cursor[1 - target] >= wanted -> step = COPY }
#endif
    :: d_step { step == COPY && SAME_LIVES && is_up[0] && is_up[1] && copied < reader[1 - target] ->
            copied++; has[target] = has[target] | (has[1 - target] & BIT(copied)) }
    :: d_step { step == COPY && SAME_LIVES && is_up[0] && is_up[1] && copied == reader[1 - target] ->
            is_empty[target] = false; step = IDLE }
    :: d_step { step != IDLE && !SAME_LIVES -> step = IDLE }
    od
}

#define LACKS(s) (!is_empty[s] && (has[s] & (BIT(deleted + 1) - 2)) != (BIT(deleted + 1) - 2))

active proctype Judge() {
end:
    do
    :: d_step { LACKS(0) || LACKS(1) -> assert(false) } /* deleted, and a store that calls itself whole lacks it */
    :: timeout ->
        assert(has[0] == ALL && has[1] == ALL && !is_empty[0] && !is_empty[1] && deleted == RECORDS);
        break
    od
}

init {
    atomic { run Store(0); run Store(1) }
}
