/* Which store answers: the watch over two stores, beat by beat, against every behaviour of theirs: they may answer, be
 * there but unable to commit, or be gone, and change that with each beat; and analytics itself may stand still.
 *
 * model                 code (core/failover.c)
 * state                 StoreWatch.state; SUSPECT answers as ALIVE does and is left out
 * missed, good          since last_good, in beats; good_beats
 * dwelt                 since `changed`
 * a stall               a late failover_tick(): deadlines begin again
 * able_for, unable_for  the truth, which the watch does not know
 *
 * Times are in beats and small: dead after DEAD, back after RETURN good ones and a dwell of DWELL.
 *
 * Must fail, each with -D: NO_STALL_GUARD (a stall accuses the stores), BAD_BEAT_RENEWS (a store that cannot commit
 * counts as living), NO_DWELL, STAY_WITH_PRIMARY (queries go where they went), NO_RETURN. */
#define DEAD   2
#define RETURN 2
#define DWELL  3
#define LONG   (DEAD + DWELL + RETURN + 1)
#define MORE(counter, most) counter = (counter < most -> counter + 1 : most)

mtype = { ALIVE, DIED };
mtype = { ABLE, UNABLE, GONE };

mtype truth[2] = ABLE;
byte able_for[2], unable_for[2], awake_for;

mtype state[2] = ALIVE;
byte missed[2], good[2], dwelt[2];
byte stalled;
byte answering; /* 2: nobody */

inline choose(s) { /* the truth */
    if
    :: truth[s] = ABLE
    :: truth[s] = UNABLE
    :: truth[s] = GONE
    fi
}

inline live(s) {
    if
    :: truth[s] == ABLE -> MORE(able_for[s], LONG); unable_for[s] = 0
    :: else -> MORE(unable_for[s], DEAD + 1); able_for[s] = 0
    fi
}

inline hear(s) {
    if
    :: truth[s] == ABLE -> missed[s] = 0; MORE(good[s], RETURN)
#ifdef BAD_BEAT_RENEWS
    :: truth[s] == UNABLE -> missed[s] = 0
#endif
    :: else -> MORE(missed[s], DEAD); good[s] = 0
    fi
}

inline tick(s) {
    MORE(dwelt[s], DWELL);
    if
    :: state[s] == ALIVE && missed[s] == DEAD ->
        assert(able_for[s] == 0); /* never a store that answers */
        state[s] = DIED; dwelt[s] = 0; good[s] = 0
#ifndef NO_RETURN
#ifdef NO_DWELL
    :: state[s] == DIED && good[s] >= RETURN ->
#else
    :: state[s] == DIED && good[s] >= RETURN && dwelt[s] >= DWELL ->
#endif
        assert(dwelt[s] >= DWELL); /* at most one change in a dwell */
        state[s] = ALIVE; dwelt[s] = 0
#endif
    :: else
    fi
}

inline answer() {
#ifdef STAY_WITH_PRIMARY
    answering = 0;
#else
    answering = (state[0] == ALIVE -> 0 : (state[1] == ALIVE -> 1 : 2));
#endif
    /* Never a dead one while there is a living one; somebody while somebody lives. */
    assert(!(answering == 0 && unable_for[0] > DEAD && awake_for > DEAD && able_for[1] == LONG));
    assert(!(answering == 1 && unable_for[1] > DEAD && awake_for > DEAD && able_for[0] == LONG));
    assert(!(answering == 2 && awake_for == LONG && (able_for[0] == LONG || able_for[1] == LONG)))
}

/* A beat period in which analytics stands still: what the stores say waits unread. */
inline stall() {
    live(0);
    live(1);
    MORE(stalled, DEAD);
    awake_for = 0
}

/* Its timer comes before what waits in the sockets. */
inline wake() {
    if
    :: stalled == 0
    :: stalled > 0 ->
#ifdef NO_STALL_GUARD
        missed[0] = (missed[0] + stalled > DEAD -> DEAD : missed[0] + stalled);
        missed[1] = (missed[1] + stalled > DEAD -> DEAD : missed[1] + stalled);
#else
        missed[0] = 0;
        missed[1] = 0;
#endif
        stalled = 0;
        tick(0);
        tick(1)
    fi
}

active proctype World() {
    do
    :: atomic {
            choose(0);
            choose(1);
            if
            :: d_step { stall() }
            :: d_step {
                    wake();
                    live(0);
                    live(1);
                    MORE(awake_for, LONG);
                    hear(0);
                    hear(1);
                    tick(0);
                    tick(1);
                    answer() }
            fi }
    od
}
