/* The search: expand every kept sequence by every phase that may follow, let the vehicles of the slot go, keep the
 * best. What a sequence costs so far is exact; what orders them adds the waits of those still there. */
#include "core/planner.h"

#include <stddef.h>
#include <string.h>

#define HORIZON_SEC    45.F
#define SLOT_SEC       2.5F
#define FIRST_SLOT_SEC 4.F
/* Between two vehicles of a queue that dissolves, and what the first of them loses. */
#define HEADWAY_SEC  2.F
#define START_UP_SEC 1.F
/* Of a vehicle still there at the horizon, beyond its wait so far: somebody will have to serve it. */
#define LEFT_SEC 10.F
/* The same while sequences are compared before their end. */
#define WAITING_SEC 8.F
/* Vehicles and phases that all sequences of a slot look at together: bounds the time of a decision. */
#define WORK_MAX 1200

/* A change that nobody gains by is not made. */
#define CHANGE_SEC 0.01F

#define NOWHERE UINT16_MAX

/* Odd, and its powers have nothing in common. */
#define HASH_FACTOR 2654435761U

/* --- what follows from a model --- */

static float longest_min_green_sec(const SignalModel *model, GroupSet groups) {
    uint64_t longest_usec = 0;
    for (unsigned g = 0; g < model->n_groups; g++)
        if (set_has(groups, g) && model->min_green_usec[g] > longest_usec)
            longest_usec = model->min_green_usec[g];
    return (float)longest_usec / (float)USEC_PER_SEC;
}

/* Those of `begins` that conflict with one of `ends`. */
static GroupSet waiting_for(const SignalModel *model, GroupSet begins, GroupSet ends) {
    GroupSet waiting = 0;
    for (unsigned g = 0; g < model->n_groups; g++)
        if (set_has(begins, g) && (model->conflicts[g] & ends))
            waiting |= (GroupSet)1 << g;
    return waiting;
}

static void fill_change(PlannerTable *table, const SignalModel *model, const Layout *layout, unsigned from,
                        unsigned to) {
    GroupSet ends = model->phases[from] & ~model->phases[to],
             begins = model->phases[to] & ~model->phases[from];
    GroupSet stays = model->phases[from] & model->phases[to], waiting = waiting_for(model, begins, ends);
    table->min_green_sec[from][to] = longest_min_green_sec(model, ends);
    table->has_clearance[from][to] = waiting != 0;
    for (unsigned l = 0; l < layout->n_lanes; l++) {
        GroupSet groups = layout->lanes[l].groups;
        if (!set_has(table->serves[to], l) || (groups & stays & ~model->permitted[to]))
            continue;
        table->begins[from][to] |= (LaneSet)1 << l;
        if (!(groups & begins & ~waiting))
            table->clears[from][to] |= (groups & stays) ? 0 : (LaneSet)1 << l;
    }
}

void planner_table_init(PlannerTable *table, const SignalModel *model, const Layout *layout) {
    memset(table, 0, sizeof *table);
    table->n_phases = model->n_phases;
    table->n_lanes = layout->n_lanes;
    table->intergreen_sec = (float)(model->yellow_usec + model->all_red_usec) / (float)USEC_PER_SEC;
    table->always = ~(LaneSet)0;
    for (unsigned p = 0; p < model->n_phases; p++) {
        table->phases[p] = model->phases[p];
        for (unsigned l = 0; l < layout->n_lanes; l++) {
            GroupSet groups = layout->lanes[l].groups & model->phases[p];
            table->serves[p] |= groups ? (LaneSet)1 << l : 0;
            table->yields[p] |= groups && !(groups & ~model->permitted[p]) ? (LaneSet)1 << l : 0;
        }
        table->always &= table->serves[p] & ~table->yields[p];
        for (unsigned l = 0; l < layout->n_lanes; l++)
            for (unsigned o = 0; set_has(table->yields[p], l) && o < layout->n_lanes; o++)
                if (set_has(table->serves[p] & ~table->yields[p], o) &&
                    layout->lanes[o].approach != layout->lanes[l].approach)
                    table->opposes[p][l] |= (LaneSet)1 << o;
    }
    for (unsigned p = 0; p < model->n_phases; p++)
        for (unsigned q = 0; q < model->n_phases; q++)
            if (p != q)
                fill_change(table, model, layout, p, q);
}

/* --- one step of one sequence --- */

/* Lets go who can of the stream before `end_sec`; whether anybody could. */
static inline bool let_go(const PlannerScratch *scratch, PlannerNode *node, unsigned s, float end_sec) {
    const PlannerStream *stream = &scratch->task.streams[s];
    PlannerQueue *queue = &node->queues[s];
    float ready = queue->ready_sec, left_sec = 0;
    unsigned gone = queue->n_gone;
    while (gone < stream->n) {
        float arrives = stream->arrives_sec[gone], leaves = arrives > ready ? arrives : ready;
        if (leaves >= end_sec)
            break;
        left_sec += leaves;
        ready = leaves + HEADWAY_SEC;
        gone++;
    }
    unsigned n = gone - queue->n_gone;
    if (n == 0)
        return false;
    *queue = (PlannerQueue){gone, ready};
    node->left_sec += left_sec;
    node->n_gone += n;
    node->vehicles += n * scratch->factors[s];
    return true;
}

/* The stream of the first of `lanes`, which it is taken out of. */
static unsigned take_stream(const PlannerScratch *scratch, LaneSet *lanes) {
    unsigned lane = (unsigned)__builtin_ctz(*lanes);
    *lanes &= *lanes - 1;
    return scratch->stream_of[lane];
}

/* The lanes that yield go when those with priority have gone. */
static void let_slot_go(const PlannerTable *table, const PlannerScratch *scratch, PlannerNode *node,
                        float end_sec) {
    const PlannerStream *streams = scratch->task.streams;
    LaneSet serves = table->serves[node->phase] & scratch->lanes, yields = table->yields[node->phase];
    LaneSet busy = 0;
    for (LaneSet left = serves & ~yields; left;) {
        unsigned s = take_stream(scratch, &left);
        if (let_go(scratch, node, s, end_sec))
            busy |= (LaneSet)1 << streams[s].lane;
    }
    for (LaneSet left = serves & yields; left;) {
        unsigned s = take_stream(scratch, &left);
        for (LaneSet before = busy & table->opposes[node->phase][streams[s].lane]; before;) {
            unsigned o = take_stream(scratch, &before);
            if (node->queues[s].ready_sec < node->queues[o].ready_sec)
                node->queues[s].ready_sec = node->queues[o].ready_sec;
        }
        (void)let_go(scratch, node, s, end_sec);
    }
}

/* What those who have arrived have waited, and WAITING_SEC more for each that is still there, is
 *
 *     sum(left - arrived) over those gone + sum(end + WAITING - arrived) over the others
 *   = sum(left) - n_gone * (end + WAITING) + what is the same for all sequences of the slot. */
static float rank_of(const PlannerNode *node, float end_sec) {
    return node->left_sec - (float)node->n_gone * (end_sec + WAITING_SEC);
}

static uint32_t hash_of(const PlannerNode *node) {
    return node->vehicles ^ (node->phase + 1U) * HASH_FACTOR;
}

static void change_phase(const PlannerTable *table, const PlannerScratch *scratch, PlannerNode *node,
                         unsigned phase, float now_sec) {
    unsigned from = node->phase;
    LaneSet clears = table->clears[from][phase];
    for (LaneSet left = table->begins[from][phase] & scratch->lanes; left;) {
        unsigned s = take_stream(scratch, &left);
        bool has_to_wait = set_has(clears, scratch->task.streams[s].lane);
        float green = now_sec + START_UP_SEC + (has_to_wait ? table->intergreen_sec : 0);
        if (node->queues[s].ready_sec < green)
            node->queues[s].ready_sec = green;
    }
    node->left_sec += CHANGE_SEC;
    node->fresh = table->phases[phase] & ~table->phases[from];
    node->served |= table->phases[phase];
    node->begun_sec = now_sec + (table->has_clearance[from][phase] ? table->intergreen_sec : 0);
    node->phase = (uint8_t)phase;
    node->is_root_phase = false;
}

/* Minimum greens. */
static bool may_follow(const PlannerTable *table, const PlannerTask *task, const PlannerNode *node,
                       unsigned phase, float now_sec) {
    if (phase == node->phase)
        return true;
    if (node->is_root_phase)
        return now_sec >= task->may_leave_sec[phase];
    GroupSet ends = table->phases[node->phase] & ~table->phases[phase];
    return !(ends & node->fresh) || now_sec >= node->begun_sec + table->min_green_sec[node->phase][phase];
}

/* The phases that the guard of the maximum red leaves: those with the group that is owed a green longest. While minimum
 * greens keep all of them from following, the present phase stays: another one would begin minimum greens of its own,
 * and so could the next. */
static PhaseSet allowed_by_guard(const PlannerTable *table, const PlannerTask *task, const PlannerNode *node,
                                 float now_sec) {
    for (unsigned i = 0; i < task->n_owed && task->owed[i].sec <= now_sec; i++) {
        unsigned group = task->owed[i].group;
        PhaseSet with_group = 0, allowed = 0;
        if (set_has(node->served, group))
            continue;
        for (unsigned p = 0; p < table->n_phases; p++) {
            PhaseSet phase = set_has(table->phases[p], group) ? (PhaseSet)1 << p : 0;
            with_group |= phase;
            allowed |= may_follow(table, task, node, p, now_sec) ? phase : 0;
        }
        if (with_group)
            return allowed ? allowed : (PhaseSet)1 << node->phase;
    }
    return (PhaseSet)((1U << table->n_phases) - 1);
}

/* --- the search --- */

/* Without the queues that there are not: they are most of a node. */
static void copy_node(PlannerNode *to, const PlannerNode *from, unsigned n_streams) {
    memcpy(to, from, offsetof(PlannerNode, queues) + n_streams * sizeof *from->queues);
}

static unsigned expand(const PlannerTable *table, PlannerScratch *scratch, const PlannerNode *node,
                       float begin_sec, float end_sec, PlannerNode *into, unsigned n_into) {
    PhaseSet allowed = allowed_by_guard(table, &scratch->task, node, begin_sec);
    for (unsigned p = 0; p < table->n_phases; p++) {
        if (!set_has(allowed, p) || !may_follow(table, &scratch->task, node, p, begin_sec))
            continue;
        PlannerNode *next = &into[n_into];
        copy_node(next, node, scratch->task.n_streams);
        if (p != node->phase)
            change_phase(table, scratch, next, p, begin_sec);
        if (begin_sec <= 0)
            next->first = (uint8_t)p;
        let_slot_go(table, scratch, next, end_sec);
        scratch->marks[n_into++] = (PlannerMark){rank_of(next, end_sec), hash_of(next)};
    }
    return n_into;
}

/* Of nodes with the same phase that let the same vehicles go only the best is worth keeping. Returns how many are
 * left in `kept`. */
static unsigned drop_twins(PlannerScratch *scratch, unsigned n) {
    const PlannerMark *marks = scratch->marks;
    unsigned n_kept = 0, places = 64;
    while (places < 2 * n)
        places *= 2;
    const unsigned mask = places - 1;
    memset(scratch->twins, 0xFF, places * sizeof *scratch->twins);
    for (unsigned i = 0; i < n; i++) {
        unsigned at = marks[i].hash & mask;
        while (scratch->twins[at] != NOWHERE &&
               marks[scratch->kept[scratch->twins[at]]].hash != marks[i].hash)
            at = (at + 1) & mask;
        uint16_t twin = scratch->twins[at];
        if (twin == NOWHERE) {
            scratch->twins[at] = (uint16_t)n_kept;
            scratch->kept[n_kept++] = (uint16_t)i;
        } else if (marks[i].rank < marks[scratch->kept[twin]].rank) {
            scratch->kept[twin] = (uint16_t)i;
        }
    }
    return n_kept;
}

/* Hoare's selection: the `n_best` of lowest rank come first, in no order. */
static void select_best(PlannerScratch *scratch, unsigned n, unsigned n_best) {
    const PlannerMark *marks = scratch->marks;
    uint16_t *kept = scratch->kept;
    int low = 0, high = (int)n - 1, want = (int)n_best - 1;
    while (low < high) {
        float pivot = marks[kept[(low + high) / 2]].rank;
        int i = low, j = high;
        while (i <= j) {
            while (marks[kept[i]].rank < pivot)
                i++;
            while (marks[kept[j]].rank > pivot)
                j--;
            if (i > j)
                break;
            uint16_t swapped = kept[i];
            kept[i++] = kept[j];
            kept[j--] = swapped;
        }
        if (want <= j)
            high = j;
        else if (want >= i)
            low = i;
        else
            break;
    }
}

/* Beside what is the same for all sequences, as in rank_of(). Who comes behind the horizon and goes in the last slot
 * has cost its wait. */
static float cost_at_horizon(const PlannerScratch *scratch, const PlannerNode *node) {
    const PlannerTask *task = &scratch->task;
    float cost = node->left_sec;
    for (unsigned s = 0; s < task->n_streams; s++) {
        const float *arrives_sec = task->streams[s].arrives_sec;
        unsigned gone = node->queues[s].n_gone;
        for (; gone > 0 && arrives_sec[gone - 1] >= HORIZON_SEC; gone--)
            cost -= arrives_sec[gone - 1];
        cost -= (float)gone * (HORIZON_SEC + LEFT_SEC);
    }
    return cost;
}

static void begin_search(PlannerScratch *scratch, PlannerNode *root) {
    const PlannerTask *task = &scratch->task;
    *root = (PlannerNode){.phase = (uint8_t)task->phase,
                          .first = (uint8_t)task->phase,
                          .is_root_phase = true,
                          .served = task->green};
    uint32_t factor = 1;
    scratch->lanes = 0;
    for (unsigned s = 0; s < task->n_streams; s++) {
        const PlannerStream *stream = &task->streams[s];
        root->queues[s].ready_sec = stream->ready_sec;
        scratch->lanes |= (LaneSet)1 << stream->lane;
        scratch->stream_of[stream->lane] = (uint8_t)s;
        scratch->factors[s] = factor *= HASH_FACTOR;
    }
    scratch->kept[0] = 0;
}

/* As many sequences as the intersection's size lets be looked at in the time. */
static unsigned beam_width(const PlannerTable *table, const PlannerTask *task) {
    unsigned width = WORK_MAX / (table->n_phases * (task->n_streams + 4));
    return width > PLANNER_BEAM_MAX ? PLANNER_BEAM_MAX : width < 8 ? 8 : width;
}

unsigned planner_plan(const PlannerTable *table, PlannerScratch *scratch) {
    const PlannerTask *task = &scratch->task;
    const unsigned width = beam_width(table, task);
    PlannerNode *from = scratch->nodes[0], *to = scratch->nodes[1];
    unsigned n_kept = 1;
    begin_search(scratch, &from[0]);
    for (float now = 0, length = FIRST_SLOT_SEC; now < HORIZON_SEC; now += length, length = SLOT_SEC) {
        unsigned n = 0;
        for (unsigned i = 0; i < n_kept; i++)
            n = expand(table, scratch, &from[scratch->kept[i]], now, now + length, to, n);
        n_kept = drop_twins(scratch, n);
        if (n_kept > width) {
            select_best(scratch, n_kept, width);
            n_kept = width;
        }
        PlannerNode *swapped = from;
        from = to;
        to = swapped;
    }

    const PlannerNode *best = NULL;
    float best_cost = 0;
    for (unsigned i = 0; i < n_kept; i++) {
        const PlannerNode *node = &from[scratch->kept[i]];
        float cost = cost_at_horizon(scratch, node);
        if (!best || cost < best_cost) {
            best = node;
            best_cost = cost;
        }
    }
    return best ? best->first : task->phase;
}
