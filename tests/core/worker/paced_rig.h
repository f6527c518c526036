/* A paced device for tests by hand.  Costs are written in ticks; half a nanosecond is 2^19 of them.
 */
#ifndef DYNO_TESTS_CORE_WORKER_PACED_RIG_H
#define DYNO_TESTS_CORE_WORKER_PACED_RIG_H

#include <string.h>

#include "core/worker/paced.h"
#include "tests/check_main.h"

enum { ANSWERS = 512, WORKERS = 4 };

#define NS(n)   ((uint64_t)(n)*DYNO_TICKS_PER_NS)
#define HALF_NS (DYNO_TICKS_PER_NS / 2)

/* What passes cost here: `first` and `growth` for every token of context beyond `context`. */
struct plan {
    uint64_t first, growth;
    uint64_t context;
    dyno_ns idle, behind;
    uint32_t steps_max;
    uint32_t answers[ANSWERS];
};

static struct plan plan;
static struct dyno_device *device;

static inline void cost(const void *context, const struct dyno_pass *pass,
                        struct dyno_pass_cost *out)
{
    const struct plan *is = context;

    out->first = is->first;
    out->growth = is->growth;
    out->steps_max = is->steps_max;
    out->idle = is->idle;
    out->behind = is->behind;
    if (pass->decode && is->context > 0) {
        out->first += (pass->decode_context - is->context) * is->growth;
    }
}

static inline uint32_t answer(void *context, uint64_t id)
{
    return ((const struct plan *)context)->answers[id];
}

static inline void set_up(void)
{
    memset(&plan, 0, sizeof plan);
    plan.steps_max = UINT32_MAX;
    plan.first = NS(1000);
    ck_assert_int_eq(
        dyno_paced_device_open(&device, &(struct dyno_paced_config){.name = "paced",
                                                                    .help = "for a test",
                                                                    .worker_count = WORKERS,
                                                                    .cost = cost,
                                                                    .cost_context = &plan,
                                                                    .answer = answer,
                                                                    .answer_context = &plan}),
        DYNO_OK);
}

static inline void tear_down(void)
{
    device->ops->close(device);
}

static inline void enter(uint32_t slot, uint64_t id, uint32_t tokens)
{
    plan.answers[id] = tokens;
    device->ops->open(device, 0, slot, id, 0, tokens);
}

static inline void submit_prompts(uint32_t worker, dyno_ns now, const uint32_t *slots,
                                  uint32_t count, bool yields)
{
    struct dyno_slice slices[8];

    for (uint32_t i = 0; i < count; i++) {
        slices[i] = (struct dyno_slice){.slot = slots[i], .tokens = 4, .yields = yields};
    }
    device->ops->submit(
        device, now,
        &(struct dyno_pass){
            .worker = worker, .steps_max = 1, .slice_count = count, .slices = slices});
}

static inline void submit_prompt(dyno_ns now, uint32_t slot)
{
    submit_prompts(0, now, &slot, 1, true);
}

static inline void submit_decode(dyno_ns now, uint32_t steps_max, uint32_t count, uint64_t context)
{
    device->ops->submit(device, now,
                        &(struct dyno_pass){.steps_max = steps_max,
                                            .decode = true,
                                            .decode_count = count,
                                            .decode_context = context});
}

/* The next completion, which must be there at `now` and not a nanosecond earlier. */
static inline struct dyno_completion reap_at(dyno_ns now)
{
    struct dyno_completion completion;

    ck_assert_uint_eq(device->ops->next(device), now);
    ck_assert(!device->ops->reap(device, now - 1, &completion));
    ck_assert(device->ops->reap(device, now, &completion));
    ck_assert_uint_eq(completion.at, now);
    return completion;
}

/* One sequence of `tokens` tokens in slot 0, its prompt computed from 0 to 1000 ns. */
static inline void decode_from_1000(uint32_t tokens)
{
    enter(0, 0, tokens);
    submit_prompt(0, 0);
    (void)reap_at(1000);
}

/* Steps of 1000.5 ns and a quarter more each: S(j) = 1000.5 j + 0.25 j (j - 1) / 2 is 1000.5,
 * 2001.25, 3002.25, 4003.5, 5005, 6006.75, 7008.75. */
static const dyno_ns growing[8] = {0, 1000, 2001, 3002, 4003, 5005, 6006, 7008};

static inline void set_growing(void)
{
    decode_from_1000(8);
    plan.first = NS(1000) + HALF_NS;
    plan.growth = DYNO_TICKS_PER_NS / 4;
    plan.context = 5;
}

#endif
