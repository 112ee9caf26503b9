/* The reports link: what the lights show and what became of each request, for whoever subscribes.
 *
 * The lights never wait for it. Reports are numbered; a change has its number whether it could be told or not, so
 * that who was away, or slower than the link, sees a gap and asks: the last changes are kept (past-changes.h). While
 * the link is full each intersection's state waits to be told once more; outcomes of requests wait in a short
 * queue, and what does not fit is counted as lost. A new subscriber is sent every intersection's state. */
#pragma once

#include "base/macro.h"
#include "core/signal-plan.h"
#include "lights.h"
#include "shell/service.h"
#include "wire/messages.h"

typedef struct Reports Reports;

/* `lights` is asked for what each intersection shows, whenever that can be sent. */
int reports_new(Service *service, const CityLights *lights, Reports **ret, Problem *problem);
Reports *reports_free(Reports *reports);
DEFINE_FREEP(Reports, reports_free)

/* The lights of an intersection changed. */
void reports_changed(Reports *reports, size_t intersection);

/* Somebody has missed reports. */
void reports_missed(Reports *reports, const Missed *missed);

/* A step of lock-step, which goes out behind everything reported before it. The newest is told to each new
 * subscriber too. */
void reports_step(Reports *reports, const Step *step);

/* What became of a request that had a command_id. */
typedef struct ReportedOutcome {
    SignalReportKind kind; /* REPORT_ACCEPTED or REPORT_REFUSED */
    size_t intersection;   /* CITY_NO_INDEX: unknown, and `named` is what the request said */
    char named[32];
    char command_id[64];
    char reason[256];
    bool is_answered; /* it came as far as the plan, and this is what the plan said */
    SignalAnswer answer;
} ReportedOutcome;
void reports_outcome(Reports *reports, const ReportedOutcome *outcome);
