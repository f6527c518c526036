/* The runs of a comparison: every arm under every seed, as many at once as may be.
 *
 * Simulated runs go on threads of their own, which share nothing.  What runs by a real clock is run
 * one after another.  Runs are written to the database in order, each when it has ended. */
#ifndef DYNO_CLI_ARMS_ARM_RUNS_H
#define DYNO_CLI_ARMS_ARM_RUNS_H

#include <signal.h>

#include "cli/arms/arms.h"
#include "reports/store.h"
#include "reports/summary.h"

/* Why a run says nothing of the fleet. */
enum dyno_harness_limit {
    DYNO_HARNESS_FREE,
    DYNO_HARNESS_NULL, /* the null device serves without computing */
    DYNO_HARNESS_CPU,  /* the loop's thread computed for nine tenths of the time, or more */
};

enum { DYNO_ARM_PREFIXES = 8 }; /* spans that are kept of a request */

/* How long a worker was busy so far, at a look at it. */
struct dyno_arm_busy {
    dyno_ns at, busy_ns;
    uint32_t worker;
};

struct dyno_arm_run {
    struct dyno_arm_scenario with; /* its scenario */
    char title[256];
    struct dyno_summary summary;
    struct dyno_request_record *records; /* [record_count] in the order of their ids */
    uint32_t record_count;
    struct dyno_plan_record *plans; /* [plan_count] in the order of time */
    uint32_t plan_count;
    struct dyno_arm_busy *busy; /* [busy_count] in the order of time; only where energy is told */
    uint32_t busy_count;
    uint64_t (*prefixes)[DYNO_ARM_PREFIXES]; /* [prefix_count] by id: its first spans; 0: none */
    uint32_t prefix_count;
    int64_t run_id;      /* in the database; 0: none */
    bool cut;            /* interrupted, or at its longest duration */
    double cpu_fraction; /* of the loop's thread; by a real clock only */
    enum dyno_harness_limit limit;
};

struct dyno_arm_runs {
    uint32_t arms, seeds;
    struct dyno_arm_run *items; /* [arms * seeds], arm by arm */
    bool same_traffic;          /* a trace: seeds do not change it */
    bool by_order;              /* a closed loop */
    bool is_live;               /* by a real clock */
};

struct dyno_arm_plan {
    const struct dyno_arms *arms;
    int argc; /* [argc] of the scenario, without what is the comparison's own */
    char **argv;
    uint32_t seeds, jobs; /* jobs: at once; 0: as many as processors */
    const volatile sig_atomic_t *interrupted;
};

/* Load every scenario; nothing runs yet.  Errors are of wrong use. */
dyno_status dyno_arm_runs_open(struct dyno_arm_runs *out, const struct dyno_arm_plan *plan,
                               struct dyno_error *error);
/* Run them all. */
dyno_status dyno_arm_runs_run(struct dyno_arm_runs *runs, const struct dyno_arm_plan *plan,
                              struct dyno_error *error);
void dyno_arm_runs_close(struct dyno_arm_runs *runs);

#endif
