/* Planning: how many workers a fleet should have.
 *
 * A policy is a row of a table and judges from one frozen observation a tick, never from the world:
 * the mechanism (core/run/planner.h) gathers it, keeps the books and does what was decided.  What
 * the loop counts itself is exact; what a worker says of itself may be missing, and then is so
 * marked: unknown is never zero.
 *
 *   static       as many as there are
 *   load         one more or one fewer, by thresholds on queues and on use, which lie apart
 *   throughput   the forecast rate over what one worker was measured to do, with headroom
 *   sla          the fewest for which TTFT and ITL, predicted from measured costs at the forecast
 *                rate, meet the objectives; to go down they must meet 4/5 of them
 *   hybrid       the larger of throughput and sla; without objectives, of throughput and load
 *   clairvoyant  as hybrid, for the requests that will come in truth; simulation only
 *
 * Whatever a policy asks for passes dyno_plan_settle:
 *   - it lies within the limits; a request that waits for any worker is worth one;
 *   - with a worker's metrics missing it does not go down, with all of them missing it holds;
 *   - it goes down only when fewer were asked for through a whole cool-down, to the most asked for
 *     in that time; so a load that does not change, or only trembles, is not followed;
 *   - while workers start it does not go down, and policies that count in steps do not go up.
 *
 * Several pools may share one budget (dyno_plan_tick_shared): one that computes prompts and one
 * that decodes, or the workers of several models, each with a policy's state, costs and limits of
 * its own, and workers of one or more GPUs each.  A pool of prompts is
 * asked as if each request were its prompt and one token of answer, and as many were in a pass as
 * fit (kv_tokens is then what a pass may compute); one that decodes, as if it computed of a prompt
 * only what was computed there.  Where they ask for more than the budget
 *   - by measured costs, each gets its share of it in whole workers, so that all are short in the
 *     same proportion, but for its least; what is left goes, worker by worker, to the one that
 *     lacks most GPUs of its share, if they suffice for one; where the least of some are more than
 *     their shares, workers are taken from the one with most GPUs above its least;
 *   - by thresholds, or while costs are not known, who wants more gets what nobody has: a step is
 *     no measure of need;
 *   - a pool whose share is less than it has goes down as if it had asked for fewer, after the
 *     cool-down; who is to have more waits for that.
 *
 * Until costs are known (capacity.h), sla, throughput, hybrid and clairvoyant go by thresholds, as
 * load does; but clairvoyant, which does not cool down, goes down by costs only.
 */
#ifndef DYNO_CORE_PLAN_PLAN_H
#define DYNO_CORE_PLAN_PLAN_H

#include <stdbool.h>

#include "core/base/time.h"
#include "core/plan/capacity.h"

/* One worker that is ready, as it said at this tick. */
struct dyno_plan_worker {
    bool known;     /* false: its metrics are missing or too old, and all below is 0 */
    dyno_ns age_ns; /* of what stands below; `work` is 0 where it was told of before */
    bool warm;      /* it has been ready for the warm-up, all the time that `work` covers */
    uint32_t running, waiting;      /* requests */
    double kv_use;                  /* of its blocks, held by requests; 0 to 1 */
    struct dyno_capacity_work work; /* since it was last heard */
};

struct dyno_plan_observation {
    dyno_ns now_ns;
    uint32_t starting;
    uint32_t ready;
    const struct dyno_plan_worker *workers; /* [ready] */
    /* Exact. */
    uint32_t lobby;       /* requests that wait for any worker */
    double rate;          /* requests per second since the last tick */
    double forecast_rate; /* when a worker started now would be ready */
    double input_tokens;  /* mean of a prompt; 0: none came yet */
    double output_tokens; /* mean of an answer; 0: none ended yet */
    double cached_share;  /* of prompt tokens, found in cache; 0 to 1 */
    bool ahead_known;     /* the future is: */
    double ahead_rate;    /* the most requests per second of any tick until a worker started now
                             would be ready and one tick more */
};

struct dyno_plan_config {
    uint32_t weight; /* of a worker in a budget that is shared: its GPUs; 0 is 1 */
    uint32_t workers_min, workers_max;
    double queue_up, queue_down; /* requests waiting, a worker: more above, fewer below */
    double use_up, use_down;     /* of the scarcer of batch places and KV blocks, likewise */
    double headroom;             /* throughput: share of a worker's capacity to plan with */
    dyno_ns cooldown_ns;
    double ttft_s, itl_s;   /* 0: no such objective */
    uint32_t sequences_max; /* of a worker's batch */
    double kv_tokens;       /* that a worker holds */
};

enum {
    DYNO_PLAN_COUNTS_STEPS = 1,    /* asks for one more or one fewer: waits for what it asked for */
    DYNO_PLAN_NEEDS_OBJECTIVE = 2, /* TTFT or ITL */
    DYNO_PLAN_NEEDS_FUTURE = 4,
};

struct dyno_plan {
    const struct dyno_plan_policy *policy;
    struct dyno_plan_config config;
    struct dyno_capacity capacity;
    uint32_t desired;
    dyno_ns changed_at;
    dyno_ns fewer_since; /* DYNO_NEVER: fewer are not asked for */
    uint32_t fewer_most;
};

struct dyno_plan_policy {
    const char *name;
    const char *help;
    uint32_t needs;
    /* How many it would have; any number. */
    uint32_t (*ask)(const struct dyno_plan *plan, const struct dyno_plan_observation *seen);
};

extern const struct dyno_plan_policy *const dyno_plan_table[];   /* NULL-terminated */
const struct dyno_plan_policy *dyno_plan_find(const char *name); /* NULL: no such */

/* What a decision was made of: why it is what it is. */
enum dyno_plan_reason {
    DYNO_PLAN_HELD, /* the policy asks for as many as there are */
    DYNO_PLAN_UP,
    DYNO_PLAN_DOWN,
    DYNO_PLAN_COOLING, /* fewer are asked for, but not for long enough */
    DYNO_PLAN_WAITING, /* for workers that start */
    DYNO_PLAN_BLIND,   /* metrics are missing */
    DYNO_PLAN_BUDGET,  /* it has less than it asks for: the budget, or another pool, has no more */
};

enum { DYNO_PLAN_REASONS = DYNO_PLAN_BUDGET + 1 };

const char *dyno_plan_reason_name(enum dyno_plan_reason reason);

struct dyno_plan_verdict {
    uint32_t asked; /* by the policy, within the limits */
    uint32_t desired;
    enum dyno_plan_reason reason;
};

void dyno_plan_init(struct dyno_plan *plan, const struct dyno_plan_policy *policy,
                    const struct dyno_plan_config *config, uint32_t desired);

/* One tick: learn from the observation, ask the policy, settle. */
struct dyno_plan_verdict dyno_plan_tick(struct dyno_plan *plan,
                                        const struct dyno_plan_observation *seen);

/* Several pools at once, whose workers weigh at most `budget` in all; before it, too, and so do the
 * least of each.  The order of the pools breaks ties. */
void dyno_plan_tick_shared(struct dyno_plan *const plans[],
                           const struct dyno_plan_observation seen[], uint32_t count,
                           uint32_t budget, struct dyno_plan_verdict verdicts[]);

/* What sla predicts for `workers` workers at `rate` requests per second in all; false: they cannot
 * keep up. */
bool dyno_plan_predict(const struct dyno_plan_observation *seen,
                       const struct dyno_capacity_costs *costs, double rate, uint32_t workers,
                       double *ttft_s, double *itl_s);

#endif
