/* What a pass of a device that computes would take: an estimate for decisions, not for reports.
 *
 *   step = scale x (base + row x R + pair x P)
 *
 * R rows (prompt tokens and decoding sequences) and P (query, context) pairs.  The three costs are
 * measured once; the scale follows what passes really take, averaged over the last 16 or so that
 * had prompts, so that a machine with something else to do is seen to be slow.
 */
#ifndef DYNO_BACKENDS_ENGINE_PASS_COSTS_H
#define DYNO_BACKENDS_ENGINE_PASS_COSTS_H

#include "core/base/status.h"
#include "core/run/clock.h"
#include "core/worker/device.h"

struct dyno_pass_costs {
    double base_ns, row_ns, pair_ns; /* all 0: nobody knows */
    double scale;                    /* 0: as 1 */
};

/* Of the pass's first step, at scale 1, and as it is expected. */
double dyno_pass_costs_plain_ns(const struct dyno_pass_costs *costs, const struct dyno_pass *pass);
dyno_ns dyno_pass_costs_predict(const struct dyno_pass_costs *costs, const struct dyno_pass *pass);

/* A pass of one step whose plain cost is `plain_ns` took `took_ns`. */
void dyno_pass_costs_learn(struct dyno_pass_costs *costs, double plain_ns, dyno_ns took_ns);

/* From what passes of one slice took: of 1 token and of `tokens` > 1 without anything before them,
 * and of `tokens` behind `context` > 0 others. */
struct dyno_pass_costs dyno_pass_costs_from(double one_ns, double many_ns, double late_ns,
                                            uint32_t tokens, uint32_t context);

/* A worker whose passes can be tried, before any block of it holds something. */
struct dyno_pass_probe {
    /* Compute `tokens` tokens, whatever they are, behind `first` others; the block of each is in
     * `table`. */
    void (*run)(void *context, const uint32_t *table, uint32_t first, uint32_t tokens);
    void *context;
    uint32_t positions, rows_max, blocks, block_tokens;
    dyno_ns (*now)(const struct dyno_clock *clock);
    const struct dyno_clock *clock;
};

enum { DYNO_PASS_PROBE_TOKENS = 64, DYNO_PASS_PROBE_CONTEXT = 448 }; /* it is asked for, at most */

/* Its costs: of each kind of pass the fastest of a few.  A model or a memory too small to tell:
 * nobody knows, and *out is left as it is.  DYNO_NO_MEMORY. */
dyno_status dyno_pass_costs_measure(struct dyno_pass_costs *out,
                                    const struct dyno_pass_probe *probe, struct dyno_error *error);

#endif
