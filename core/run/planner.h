/* The planner: once a tick it looks at the fleet, asks a policy (core/plan/plan.h) and tells the
 * roster how many workers to have; where prompts are computed by other workers than those that
 * decode, how many of either, out of one budget.  Where there are several models each has a planner
 * with its own roster, forecasts and costs, and all tick together, out of one budget.
 *
 * The observation is frozen: exact counts are the loop's own; what workers say of themselves comes
 * from their samples, each of which is lost with a stated probability, in a random stream of its
 * own.  A worker that was not heard at a tick is told of as it was heard last, for five ticks; then
 * its metrics are missing.  When it is heard again it says what it did since.
 */
#ifndef DYNO_CORE_RUN_PLANNER_H
#define DYNO_CORE_RUN_PLANNER_H

#include "core/plan/forecast.h"
#include "core/plan/plan.h"
#include "core/run/roster.h"
#include "core/run/sink.h"
#include "core/worker/worker.h"

/* Requests that will come, for a policy that knows: in time order.  Not owned. */
struct dyno_foresight {
    const dyno_ns *arrivals;                       /* [count] */
    const uint32_t *prompt_tokens, *output_tokens; /* [count] */
    uint64_t count;
};

struct dyno_planner_config {
    const struct dyno_plan_policy *policy;
    struct dyno_plan_config plan; /* of those who serve; workers_max at most the roster's places */
    struct dyno_plan_config prefill; /* of those who compute prompts, if there are any */
    uint32_t budget;                 /* of both together, and of those of other models */
    const struct dyno_predictor *predictor;
    struct dyno_forecast_config forecast; /* in ticks */
    dyno_ns every_ns;                     /* > 0: between ticks */
    dyno_ns startup_guess_ns;             /* how long a start takes, until one was seen ... */
    dyno_ns change_guess_ns;              /* ... and a change of role */
    dyno_ns warmup_ns;   /* a worker's first passes, which say little of the later ones */
    uint32_t late_ticks; /* what is heard at a tick was said so many ticks ago */
    double metric_loss;  /* probability that a worker is not heard at a tick */
    uint64_t seed;
    uint32_t worker_count;                  /* of one role: the roster's places */
    bool has_roles;                         /* the roster has */
    uint32_t first_worker;                  /* what the workers call place 0 of the roster */
    uint32_t model;                         /* whose workers they are */
    struct dyno_roster *roster;             /* not owned */
    const struct dyno_foresight *foresight; /* NULL: nobody knows */
};

struct dyno_planner;

/* Errors: DYNO_NO_MEMORY. */
dyno_status dyno_planner_open(struct dyno_planner **out, const struct dyno_planner_config *config);
void dyno_planner_close(struct dyno_planner *planner);

/* What the loop counts. */
void dyno_planner_arrived(struct dyno_planner *planner, const struct dyno_request *request);
void dyno_planner_ended(struct dyno_planner *planner, const struct dyno_request_record *record);

dyno_ns dyno_planner_next(const struct dyno_planner *planner); /* the next tick */

/* The tick that is due at `now`: decide for all models, and set the rosters.  Of each, `lobby`
 * requests wait for any worker.  `records` has room for one of each role of each planner; returns
 * how many were filled.  The budget is the first one's; without roles, of one model there is none.
 */
uint32_t dyno_planner_tick(struct dyno_planner *const planners[], uint32_t count, dyno_ns now,
                           struct dyno_workers *workers, const uint32_t lobby[],
                           struct dyno_plan_record records[]);

/* Ticks that changed something.  A GPU that moves is one decision, not two. */
uint64_t dyno_planner_decisions(const struct dyno_planner *planner);

/* [DYNO_PLAN_REASONS] how many ticks ended with each of them, of a role; the planner's. */
const uint64_t *dyno_planner_looks(const struct dyno_planner *planner, enum dyno_worker_role role);

#endif
