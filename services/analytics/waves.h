/* The green waves that run: at once along a street (every light at the same time, for as long as was asked), or
 * progressive (each light when it is needed, with what core/route.h foresees, planned anew every second until the last
 * intersection is passed).
 *
 * Who is on the way may tell where it is; as long as it does, the wave goes with it and each intersection is given back
 * as soon as it is passed. Else its way is reckoned.
 *
 * Where waves cross core/claim.h says who goes first. A signal service that was started again in the middle of a wave
 * has forgotten it while an ambulance is still on its way: it is asked again for what is left.
 *
 * Knows neither traffic states nor records. */
#pragma once

#include "core/claim.h"
#include "signal-client.h"
#include "way.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WAVES_MAX = CLAIMS_MAX, WAVE_ID_MAX_BYTES = 31, WAVE_PRIORITY_USUAL = 5 };

typedef struct Waves Waves;

typedef enum WaveStopState {
    WAVE_STOP_AHEAD,   /* not asked for yet */
    WAVE_STOP_ASKED,   /* the lights were asked */
    WAVE_STOP_OVER,    /* passed, or its time is over */
    WAVE_STOP_REFUSED, /* another wave goes first for too long */
} WaveStopState;

typedef struct WaveStop {
    WayPoint point;
    WaveStopState state;
    Mono ask_at, passes_at, until;
    bool is_delayed;              /* or refused: somebody else goes first... */
    uint64_t because;             /* ... this wave... */
    Mono free_from;               /* ... until then */
    Mono asked_at;                /* ASKED: since then */
    bool is_told;                 /* the signal service knows... */
    Mono told_ask_at, told_until; /* ... these times */
} WaveStop;

typedef struct Wave {
    uint64_t number;
    char id[WAVE_ID_MAX_BYTES + 1];
    char target[64];
    char reason[256];
    bool is_progressive;
    unsigned priority;
    /* Progressive: the next stop, and how far it was from there when that was last known. */
    size_t next;
    Mono seen_at;
    double metres;
    double speed_mps; /* of travel; 0: what the lanes allow */
    bool is_followed; /* somebody tells where it is */
    size_t n_stops;
    WaveStop stops[];
} Wave;

/* What an operator wants; texts and points are copied. */
typedef struct WaveWish {
    const WayPoint *points;
    size_t n_points;
    bool is_progressive;
    unsigned priority;   /* a higher number goes first */
    double duration_sec; /* at once: from the green of each */
    double speed_mps;    /* progressive: of travel; 0: what the lanes allow */
    double eta_sec;      /* until it is at the first stop line; negative: the way along its lanes */
    const char *target;  /* "row_B" */
    const char *reason;
} WaveWish;

typedef struct WavesHandlers {
    /* An intersection is part of a wave for so long from now (again, not first: longer), or no more. */
    void (*on_begin)(size_t intersection, uint64_t usec, bool is_first, const char *reason, void *userdata);
    void (*on_over)(size_t intersection, void *userdata);
    /* How many vehicles will be before who comes to the intersection by one of `lanes` of this street in `sec`; false
     * when nobody sees. */
    bool (*ahead)(size_t intersection, Direction street, uint32_t lanes, double sec, double *ret_vehicles,
                  void *userdata);
} WavesHandlers;

/* `client` and `handlers` outlive it. */
int waves_new(Service *service, SignalClient *client, const WavesHandlers *handlers, void *userdata,
              Waves **ret);
Waves *waves_free(Waves *waves);
DEFINE_FREEP(Waves, waves_free)

/* 0; *ret lives until it is over, at the earliest until the next step. -EAGAIN: the signal service is away: stops that
 * were asked before that was seen are ASKED, nothing else will be. -EUSERS: WAVES_MAX run already. -ENOMEM. */
int waves_order(Waves *waves, const WaveWish *wish, const Wave **ret);

/* Of this id, or the newest one with this target; NULL. */
const Wave *waves_find(const Waves *waves, const char *what);

/* Gives its intersections back. */
void waves_cancel(Waves *waves, const Wave *wave);

/* It is `metres` before the stop line of one of its stops; `speed_mps`: as fast as it will be on average, 0 when that is
 * not known. */
void waves_move(Waves *waves, const Wave *wave, size_t stop, double metres, double speed_mps);

/* A report carried this epoch of the signal service; another one than before says that it was started again. */
void waves_hear(Waves *waves, int64_t epoch);

/* To be called every second. Costs nothing while there are none. */
void waves_step(Waves *waves);

/* Those that run, oldest first; NULL behind the last. */
const Wave *waves_at(const Waves *waves, size_t i);

/* The wave of this number, if it still runs. */
const Wave *waves_numbered(const Waves *waves, uint64_t number);
