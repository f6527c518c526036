/* What the loop has seen of its workers and decided of their number, left for the door, which looks
 * when it likes: of every worker the latest look, of the planner the ticks that changed something.
 */
#ifndef DYNO_BACKENDS_DOOR_LOOKS_H
#define DYNO_BACKENDS_DOOR_LOOKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/record.h"

enum { DYNO_LOOKS_PLANS_MAX = 32 };

struct dyno_looks {
    pthread_mutex_t lock; /* over all below */
    uint32_t worker_count;
    struct dyno_sample_record *samples; /* [worker_count] the latest look at each ... */
    bool *is_sampled;                   /* ... that was not taken yet */
    struct dyno_plan_record plans[DYNO_LOOKS_PLANS_MAX]; /* [plan_count], not taken yet */
    uint32_t plan_count;
};

/* Released with dyno_looks_release, also after a failure.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_looks_init(struct dyno_looks *looks, uint32_t worker_count);
void dyno_looks_release(struct dyno_looks *looks);

/* The loop's. */
void dyno_looks_leave_sample(struct dyno_looks *looks, const struct dyno_sample_record *record);
void dyno_looks_leave_plan(struct dyno_looks *looks, const struct dyno_plan_record *record);

/* The door's: what was not taken yet, into out[worker_count] or out[DYNO_LOOKS_PLANS_MAX]; returns
 * how many.  Of the planner's ticks the latest of each model and role, and before it those that
 * changed the fleet's size, the oldest first; of very many that nobody took the oldest are
 * forgotten. */
uint32_t dyno_looks_take_samples(struct dyno_looks *looks, struct dyno_sample_record *out);
uint32_t dyno_looks_take_plans(struct dyno_looks *looks, struct dyno_plan_record *out);

#endif
