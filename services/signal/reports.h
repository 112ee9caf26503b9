/* The reports link: what the lights show and what became of each request, for whoever subscribes.
 *
 * The lights never wait for it. While it is full the newest state of each intersection is kept and older
 * ones are given up (coalesced and counted: the lights did show them, the listener will not know);
 * outcomes of requests wait in a short queue, and what does not fit is counted as lost. Nobody subscribed
 * means that nothing is kept: a new subscriber is sent every intersection's state. */
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
