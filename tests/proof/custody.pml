/* Custody on one hop: every interleaving of a writer with a spool and a reader with a database, their commits and
 * crashes, and two lossy channels.
 *
 * model                      code
 * row, w_*                   the writer's disk: store/spool.h. `row` keeps deleted rows too, to compare with
 * v_last, v_ack, sent        the writer's memory: core/outflow.h (last, acknowledged, sent)
 * r_cursor, taken            the reader's disk: a transaction of records and store/intake-table.h
 * v_cursor, pending          the reader's memory: core/intake.h (accepted)
 * data, acks                 two connections each: what is left of the one before a crash arrives among what is new
 * acked                      what the writer acknowledged to whoever gave it the event; that one does not give it again
 *
 * Patience (outflow_tick) is a writer that begins again when nothing is under way any more. Crashes and losses are
 * finite in number, at any moment; so each run comes to an end, and at the end everything must have been delivered.
 *
 * Must fail, each with -D: ACK_BEFORE_COMMIT (the reader acknowledges what it has only accepted), GIVE_BEFORE_COMMIT
 * (the writer acknowledges upstream before its commit), SEND_BEFORE_COMMIT, CURSOR_APART (not in the transaction),
 * NO_FENCE, TAKE_ANY (the reader takes what follows a gap), NO_RESEND, NO_PATIENCE (it sends again while the first is
 * under way, and so for ever). */
#ifndef EVENTS
#define EVENTS 3
#endif
#ifndef WRITER_CRASHES
#define WRITER_CRASHES 1
#endif
#ifndef READER_CRASHES
#define READER_CRASHES 1
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#define LIVES (WRITER_CRASHES + 1)

chan data_0 = [2] of { byte, byte, byte, byte }; /* epoch, position, event, oldest */
chan data_1 = [2] of { byte, byte, byte, byte };
chan acks_0 = [2] of { byte, bool }; /* position, asks */
chan acks_1 = [2] of { byte, bool };

byte row[EVENTS + 1];
byte w_last, w_ack, w_deleted, w_epoch = 1;
byte v_last, v_ack, sent;
bool acked[EVENTS + 1];

byte r_cursor, r_epoch;
byte v_cursor, v_epoch, accepted_epoch;
bool pending[EVENTS + 1];
byte taken[EVENTS + 1];
bool owes, asks_now, has_asked;

byte writer_crashes, reader_crashes, losses;

#define HAS(p, e)      (v_last >= p && row[p] == e)
#define CAN_COME(e)    (v_last < EVENTS && !acked[e] && !IS_HELD(e))
#define KEPT(p, e)     (w_last >= p && p > w_deleted && row[p] == e)
#if EVENTS == 3
#define IS_HELD(e)     (HAS(1, e) || HAS(2, e) || HAS(3, e))
#define IS_KEPT(e)     (KEPT(1, e) || KEPT(2, e) || KEPT(3, e))
#define ALL(F)         (F(1) && F(2) && F(3))
#else
#define IS_HELD(e)     (HAS(1, e) || HAS(2, e))
#define IS_KEPT(e)     (KEPT(1, e) || KEPT(2, e))
#define ALL(F)         (F(1) && F(2))
#endif
/* Nothing acknowledged is lost, nothing is taken twice, and the cursor has passed no hole. */
#define IS_SAFE(e)     (!acked[e] || taken[e] > 0 || IS_KEPT(e))
#define IS_ONCE(e)     (taken[e] <= 1)
#define IS_PASSED(p)   (r_cursor < p || taken[row[p]] > 0)
#define IS_DELIVERED(e) (taken[e] == 1)
#define IS_QUIET       (empty(data_0) && empty(data_1) && empty(acks_0) && empty(acks_1) && !owes && !asks_now && \
                        v_cursor == r_cursor)

#ifdef NO_PATIENCE
#define IS_IN_VAIN true
#else
#define IS_IN_VAIN IS_QUIET
#endif

#ifdef SEND_BEFORE_COMMIT
#define MAY_SEND v_last
#else
#define MAY_SEND w_last
#endif
#ifdef ACK_BEFORE_COMMIT
#define ACK_POSITION v_cursor
#else
#define ACK_POSITION r_cursor
#endif

inline hear() {
    if
    :: asks -> v_ack = (p > w_deleted -> p : w_deleted); sent = v_ack
    :: !asks && p > v_ack -> v_ack = p; sent = (sent > p -> sent : p)
    :: else
    fi;
    p = 0; asks = false
}

active proctype Writer() {
    byte p, e;
    bool asks;
end:
    do
    :: atomic { CAN_COME(1) || CAN_COME(2) || CAN_COME(EVENTS) ->
            if
            :: CAN_COME(1) -> e = 1
            :: CAN_COME(2) -> e = 2
            :: CAN_COME(EVENTS) -> e = EVENTS
            fi;
            v_last++;
            row[v_last] = e;
#ifdef GIVE_BEFORE_COMMIT
            acked[e] = true;
#endif
            e = 0 }
    :: d_step { v_last > w_last || v_ack != w_ack -> /* a commit */
            do
            :: w_last < v_last -> w_last++; acked[row[w_last]] = true
            :: else -> break
            od;
            w_ack = v_ack;
            w_deleted = (w_ack > w_deleted -> w_ack : w_deleted) }
    :: atomic { sent < MAY_SEND && w_epoch % 2 == 0 && nfull(data_0) ->
            data_0!w_epoch, sent + 1, row[sent + 1], v_ack + 1; sent++ }
    :: atomic { sent < MAY_SEND && w_epoch % 2 == 1 && nfull(data_1) ->
            data_1!w_epoch, sent + 1, row[sent + 1], v_ack + 1; sent++ }
    :: atomic { acks_0?p, asks -> hear() }
    :: atomic { acks_1?p, asks -> hear() }
#ifndef NO_RESEND
    :: d_step { IS_IN_VAIN && sent > v_ack -> sent = v_ack }
#endif
    :: d_step { writer_crashes < WRITER_CRASHES ->
            writer_crashes++; w_epoch++; v_last = w_last; v_ack = w_ack; sent = w_ack }
    od
}

inline judge() {
    if
#ifndef NO_FENCE
    :: epoch < v_epoch -> owes = true
#endif
    :: else ->
        v_epoch = (epoch > v_epoch -> epoch : v_epoch);
        if
        :: p <= v_cursor -> owes = true
#ifdef TAKE_ANY
        :: p > v_cursor ->
#else
        :: p == v_cursor + 1 || (p > v_cursor + 1 && p == oldest && has_asked) ->
            assert(p == v_cursor + 1); /* nothing is ever given up here */
#endif
            assert(epoch >= accepted_epoch);
            accepted_epoch = epoch;
            v_cursor = p;
            pending[e] = true;
            has_asked = false
#ifndef TAKE_ANY
        :: p > v_cursor + 1 && !(p == oldest && has_asked) ->
            asks_now = (has_asked -> asks_now : true);
            has_asked = true
#endif
        fi
    fi;
    p = 0; e = 0; epoch = 0; oldest = 0
}

inline commit_records() {
    i = 1;
    do
    :: i <= EVENTS -> taken[i] = taken[i] + pending[i]; pending[i] = false; i++
    :: else -> i = 0; break
    od
}

active proctype Reader() {
    byte p, e, epoch, oldest, i;
end:
    do
    :: atomic { data_0?epoch, p, e, oldest -> judge() }
    :: atomic { data_1?epoch, p, e, oldest -> judge() }
#ifdef CURSOR_APART
    :: atomic { pending[1] || pending[2] || pending[EVENTS] -> commit_records() }
    :: d_step { v_cursor > r_cursor && !pending[1] && !pending[2] && !pending[EVENTS] ->
            r_cursor = v_cursor; r_epoch = v_epoch; owes = true }
#else
    :: d_step { v_cursor > r_cursor -> commit_records(); r_cursor = v_cursor; r_epoch = v_epoch; owes = true }
#endif
    :: atomic { owes && reader_crashes % 2 == 0 && nfull(acks_0) -> acks_0!ACK_POSITION, false; owes = false }
    :: atomic { owes && reader_crashes % 2 == 1 && nfull(acks_1) -> acks_1!ACK_POSITION, false; owes = false }
    :: atomic { asks_now && reader_crashes % 2 == 0 && nfull(acks_0) -> acks_0!ACK_POSITION, true; asks_now = false }
    :: atomic { asks_now && reader_crashes % 2 == 1 && nfull(acks_1) -> acks_1!ACK_POSITION, true; asks_now = false }
#ifdef ACK_BEFORE_COMMIT
    :: d_step { v_cursor > r_cursor && !owes -> owes = true }
#endif
    :: d_step { reader_crashes < READER_CRASHES -> /* then says where it stands: "I am here" */
            reader_crashes++; v_cursor = r_cursor; v_epoch = r_epoch; accepted_epoch = r_epoch;
            pending[1] = false; pending[2] = false; pending[EVENTS] = false;
            has_asked = false; asks_now = false; owes = true }
    od
}

/* Any packet at the head of a channel may vanish; with the two connections that is any packet of a dying one too. */
active proctype Link() {
end:
    do
    :: d_step { losses < LOSSES && nempty(data_0) -> data_0?_, _, _, _; losses++ }
    :: d_step { losses < LOSSES && nempty(data_1) -> data_1?_, _, _, _; losses++ }
    :: d_step { losses < LOSSES && nempty(acks_0) -> acks_0?_, _; losses++ }
    :: d_step { losses < LOSSES && nempty(acks_1) -> acks_1?_, _; losses++ }
    od
}

active proctype Judge() {
end:
    do
    :: d_step { !(ALL(IS_SAFE) && ALL(IS_ONCE) && ALL(IS_PASSED)) -> assert(false) }
    :: timeout -> assert(ALL(IS_DELIVERED)); break
    od
}
