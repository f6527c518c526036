/* One replica of a run: the same traffic on a fleet whose timing is drawn within its uncertainty,
 * and its figures over its requests drawn again.
 *
 * Requests are drawn in blocks of consecutive ones, as many as the root of their number, because
 * they are not independent: a queue remembers.  Replica 0 is the run itself: nothing is drawn.
 */
#ifndef DYNO_CLI_REPLAY_REPLICA_H
#define DYNO_CLI_REPLAY_REPLICA_H

#include "cli/scenario/scenario.h"
#include "core/run/metrics.h"

enum { DYNO_REPLICA_LATENCIES = 3, DYNO_REPLICA_STATISTICS = 3 };

/* The figures: mean, median and 99th percentile of TTFT, TPOT and E2E in ms; output tokens a
 * second; the share of prompt tokens found in cache; and the share of requests within the
 * objectives (NAN without any). */
enum {
    DYNO_REPLICA_RATE = DYNO_REPLICA_LATENCIES * DYNO_REPLICA_STATISTICS,
    DYNO_REPLICA_HITS,
    DYNO_REPLICA_GOOD,
    DYNO_REPLICA_FIGURES
};

/* What every replica is given. */
struct dyno_traffic {
    struct dyno_scenario scenario;
    const void *data; /* [size] of the trace; NULL: it is a file */
    size_t size;
};

struct dyno_replica {
    double figures[DYNO_REPLICA_FIGURES];
    double wait_spread; /* how much TTFT is off beside the timing: dyno_timing_wait_spread */
    struct dyno_slo slo;
    uint64_t completed;
    uint64_t begun; /* requests that came at one instant, the first of all */
};

/* Errors: as dyno_assembly_run. */
dyno_status dyno_replica_run(struct dyno_replica *out, const struct dyno_traffic *traffic,
                             uint32_t index, struct dyno_error *error);

#endif
