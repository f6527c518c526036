#include "core/worker/paced.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alarms.h"
#include "core/base/array.h"
#include "core/base/heap.h"
#include "core/base/usual.h"

struct slot {
    uint64_t id;
    uint32_t generated;
    uint32_t tokens_max;
};

/* One worker's engine: its sequences and the pass in flight. */
struct engine {
    struct slot *slots; /* [slots_capacity] */
    uint32_t slots_capacity;
    struct dyno_heap ends; /* slots of the decode set, by the step that yields their last token */
    uint64_t step;         /* decode steps completed */
    bool busy, decode;
    dyno_ns start, end;
    uint64_t carry;      /* of the pass in flight at its start ... */
    uint64_t carry_left; /* ... and at its end */
    uint64_t first, growth;
    dyno_ns behind; /* what decode steps bear that follow the pass at once */
    uint32_t steps;
    uint32_t *yields; /* slots whose prompt ends in this pass */
    uint32_t yields_count, yields_capacity;
};

struct paced {
    struct dyno_device base;
    struct dyno_device_ops ops;
    struct dyno_paced_config config;
    void (*weather)(const void *context, uint32_t worker, dyno_ns now, struct dyno_weather *out);
    const void *weather_context; /* weather NULL: it is always fine */
    struct engine *engines;      /* [worker_count] */
    struct dyno_alarms passes;   /* by worker: when its pass ends */
    uint32_t *ended;             /* of the completion reaped last */
    uint32_t ended_capacity;
};

static struct engine *engine_of(struct dyno_device *device, uint32_t worker)
{
    return &((struct paced *)device)->engines[worker];
}

/* Devices return nothing from open and submit: out of memory ends the program, as it would in an
 * engine that preallocates. */
static void grow(void *array_place, uint32_t *capacity, uint32_t count, size_t size)
{
    if (DYNO_RARELY(count > *capacity) && !dyno_array_reserve(array_place, capacity, count, size)) {
        abort();
    }
}

static void paced_open_seq(struct dyno_device *device, uint32_t worker, uint32_t slot, uint64_t id,
                           uint32_t generated, uint32_t tokens_max)
{
    struct engine *engine = engine_of(device, worker);

    grow(&engine->slots, &engine->slots_capacity, slot + 1, sizeof *engine->slots);
    engine->slots[slot] = (struct slot){.id = id, .generated = generated, .tokens_max = tokens_max};
}

/* The sequence decodes from now on; false: it has all its tokens. */
static bool join_ends(struct paced *paced, struct engine *engine, uint32_t index)
{
    const struct slot *slot = &engine->slots[index];
    uint32_t answer = paced->config.answer(paced->config.answer_context, slot->id);
    uint32_t total = answer < slot->tokens_max ? answer : slot->tokens_max;

    if (slot->generated >= total) {
        return false;
    }
    if (DYNO_RARELY(dyno_heap_reserve(&engine->ends, engine->slots_capacity) != DYNO_OK)) {
        abort();
    }
    dyno_heap_set(&engine->ends, index, engine->step + (total - slot->generated));
    return true;
}

static void paced_join(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    bool joined = join_ends((struct paced *)device, engine_of(device, worker), slot);

    assert(joined && !engine_of(device, worker)->busy);
    (void)joined;
}

static void paced_shut(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    dyno_heap_remove(&engine_of(device, worker)->ends, slot);
}

static dyno_ns boundary(const struct engine *engine, uint32_t step)
{
    return dyno_step_boundary(engine->start, engine->carry, engine->first, engine->growth, step);
}

/* The pass in flight is to have `steps` steps. */
static inline void set_end(struct paced *paced, struct engine *engine, uint32_t worker,
                           uint32_t steps)
{
    unsigned __int128 ticks =
        engine->carry + (unsigned __int128)engine->first * steps +
        (unsigned __int128)engine->growth * ((uint64_t)steps * (steps - 1) / 2);

    engine->steps = steps;
    engine->end = engine->start + (dyno_ns)(ticks >> DYNO_TICK_BITS);
    engine->carry_left = (uint64_t)ticks & (DYNO_TICKS_PER_NS - 1);
    dyno_alarms_set(&paced->passes, worker, engine->end);
}

static void note_yields(struct engine *engine, const struct dyno_pass *pass)
{
    engine->yields_count = 0;
    if (pass->slice_count == 0) {
        return;
    }
    grow(&engine->yields, &engine->yields_capacity, pass->slice_count, sizeof *engine->yields);
    for (uint32_t i = 0; i < pass->slice_count; i++) {
        if (pass->slices[i].yields) {
            engine->yields[engine->yields_count++] = pass->slices[i].slot;
        }
    }
}

static uint32_t steps_of(const struct engine *engine, const struct dyno_pass *pass,
                         const struct dyno_pass_cost *cost)
{
    uint64_t steps = pass->steps_max < cost->steps_max ? pass->steps_max : cost->steps_max;
    uint64_t to_end = dyno_heap_key(&engine->ends) - engine->step;

    if (!engine->decode) {
        return 1;
    }
    return (uint32_t)(steps < to_end ? steps : to_end);
}

/* When a pass that is submitted now starts: engine->end and ->behind are of the one before. */
static dyno_ns start_of(const struct engine *engine, dyno_ns now, const struct dyno_pass *pass,
                        const struct dyno_pass_cost *cost)
{
    if (engine->end == now) {
        return pass->slice_count == 0 ? now + engine->behind : now;
    }
    if (!DYNO_RARELY(cost->idle > 0)) { /* as with every GPU: spare the division */
        return now;
    }
    return now + dyno_idle_after(cost->idle, now - engine->end);
}

/* About which boundary lies at `now`: one step of Newton's from what it would be without growth. */
static uint32_t guess_boundary(const struct engine *engine, dyno_ns now)
{
    double ticks = (double)(now - engine->start) * (double)DYNO_TICKS_PER_NS;
    double first = (double)engine->first, growth = (double)engine->growth;
    double steps = ticks / first;

    steps -= growth * steps * steps / 2 / (first + growth * steps);
    if (!(steps > 1)) {
        return 1;
    }
    return steps < (double)engine->steps ? (uint32_t)steps : engine->steps;
}

/* Whether boundary `guess` is the first at or after `now`, or the one after it is (then in *guess),
 * of a pass so short that its ticks are numbers of 64 bits, as they are within two hours. */
static inline bool is_guessed(const struct engine *engine, dyno_ns now, uint32_t *guess)
{
    uint64_t step = *guess, ticks = engine->first * step + engine->growth * (step * (step - 1) / 2);
    uint64_t reached = ((now - engine->start) << DYNO_TICK_BITS) - engine->carry;

    if (DYNO_RARELY((engine->end - engine->start) >> 43 != 0)) {
        return false;
    }
    if (ticks < reached) {
        ++*guess;
        return ticks + engine->first + engine->growth * step >= reached;
    }
    return step == 1 || ticks - (engine->first + engine->growth * (step - 1)) < reached;
}

/* The first step boundary at or after `now`, of those after the start: by bisection. */
static __attribute__((noinline)) uint32_t search_boundary(const struct engine *engine, dyno_ns now)
{
    uint32_t low = 1, high = engine->steps; /* boundary(high) >= now */

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (boundary(engine, middle) >= now) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* The same, for which a guess mostly does. */
static uint32_t first_boundary(const struct engine *engine, dyno_ns now)
{
    uint32_t guess;

    if (now <= engine->start) {
        return 1;
    }
    guess = guess_boundary(engine, now);
    return DYNO_RARELY(!is_guessed(engine, now, &guess)) ? search_boundary(engine, now) : guess;
}

static void paced_stop(struct dyno_device *device, uint32_t worker, dyno_ns now, uint32_t further)
{
    struct engine *engine = engine_of(device, worker);
    uint64_t steps;

    if (!engine->busy || engine->steps == 1 || now > engine->end) {
        return;
    }
    steps = (now > engine->start ? first_boundary(engine, now) : 0) + (uint64_t)further;
    if (steps >= engine->steps) {
        return;
    }
    set_end((struct paced *)device, engine, worker, steps > 0 ? (uint32_t)steps : 1);
}

/* A pass in bad weather: slower, or later; its steps go on until the weather changes. */
static void set_end_in_weather(struct paced *paced, struct engine *engine, uint32_t worker,
                               uint32_t steps, dyno_ns now)
{
    struct dyno_weather weather;

    paced->weather(paced->weather_context, worker, now, &weather);
    if (weather.slowness == 0) {
        engine->start = weather.until > engine->start ? weather.until : engine->start;
        engine->carry = 0;
        set_end(paced, engine, worker, 1);
        return;
    }
    engine->first *= weather.slowness;
    engine->growth *= weather.slowness;
    set_end(paced, engine, worker, steps);
    if (weather.until < engine->end) {
        paced_stop(&paced->base, worker, weather.until, 0);
    }
}

static void paced_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    struct paced *paced = (struct paced *)device;
    struct engine *engine = &paced->engines[pass->worker];
    struct dyno_pass_cost cost = {.idle = 0};
    uint32_t steps;

    assert(!engine->busy && (!pass->decode || engine->ends.count == pass->decode_count));
    paced->config.cost(paced->config.cost_context, pass, &cost);
    cost.first += pass->host_ticks;
    assert(cost.first >= DYNO_TICKS_PER_NS && cost.steps_max >= 1);
    engine->carry = engine->end == now ? engine->carry_left : 0;
    engine->busy = true;
    engine->decode = pass->decode;
    engine->start = start_of(engine, now, pass, &cost);
    engine->behind = cost.behind;
    engine->first = cost.first;
    engine->growth = cost.growth;
    steps = steps_of(engine, pass, &cost);
    assert(steps >= 1);
    if (DYNO_RARELY(paced->weather != NULL)) {
        set_end_in_weather(paced, engine, pass->worker, steps, now);
    } else {
        set_end(paced, engine, pass->worker, steps);
    }
    note_yields(engine, pass);
}

static void paced_progress(struct dyno_device *device, uint32_t worker, dyno_ns now,
                           uint32_t *started, uint32_t *completed)
{
    const struct engine *engine = engine_of(device, worker);
    uint32_t reached;

    *started = *completed = 0;
    if (!engine->busy || now <= engine->start) {
        return;
    }
    if (now >= engine->end) {
        *started = *completed = engine->steps;
        return;
    }
    reached = first_boundary(engine, now); /* the step that ends at or after now has started */
    *started = reached;
    *completed = boundary(engine, reached) == now ? reached : reached - 1;
}

static dyno_ns paced_step_start(struct dyno_device *device, uint32_t worker, uint32_t step)
{
    return boundary(engine_of(device, worker), step);
}

static int by_slot(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static void add_ended(struct paced *paced, struct dyno_completion *out, uint32_t slot)
{
    grow(&paced->ended, &paced->ended_capacity, out->ended_count + 1, sizeof *paced->ended);
    paced->ended[out->ended_count++] = slot;
}

/* Sequences whose last token this pass yielded; the others that yielded join the decode set. */
static void settle_ends(struct paced *paced, struct engine *engine, struct dyno_completion *out)
{
    while (dyno_heap_key(&engine->ends) <= engine->step) {
        uint32_t slot = dyno_heap_top(&engine->ends).id;

        dyno_heap_remove(&engine->ends, slot);
        add_ended(paced, out, slot);
    }
    for (uint32_t i = 0; i < engine->yields_count; i++) {
        uint32_t index = engine->yields[i];

        engine->slots[index].generated++;
        if (!join_ends(paced, engine, index)) {
            add_ended(paced, out, index);
        }
    }
    if (DYNO_RARELY(out->ended_count > 1)) {
        qsort(paced->ended, out->ended_count, sizeof *paced->ended, by_slot);
    }
    out->ended = paced->ended;
}

static __attribute__((noinline)) void reap(struct paced *paced, struct dyno_completion *out)
{
    uint32_t worker = dyno_alarms_owner(&paced->passes);
    struct engine *engine = &paced->engines[worker];

    dyno_alarms_set(&paced->passes, worker, DYNO_NEVER);
    *out = (struct dyno_completion){.worker = worker,
                                    .at = engine->end,
                                    .steps = engine->steps,
                                    .start = engine->start,
                                    .carry = engine->carry,
                                    .first = engine->first,
                                    .growth = engine->growth};
    engine->busy = false;
    engine->step += engine->decode ? engine->steps : 0;
    settle_ends(paced, engine, out);
}

/* Asked once more than there are passes to tell of. */
static bool paced_reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    struct paced *paced = (struct paced *)device;

    if (dyno_alarms_next(&paced->passes) > now) {
        return false;
    }
    reap(paced, out);
    return true;
}

static bool paced_drop(struct dyno_device *device, uint32_t worker, dyno_ns now,
                       struct dyno_completion *out)
{
    struct engine *engine = engine_of(device, worker);

    (void)out;
    if (engine->busy) {
        engine->busy = false;
        engine->end = now; /* it was not idle */
        engine->carry_left = 0;
        engine->behind = 0;
        dyno_alarms_set(&((struct paced *)device)->passes, worker, DYNO_NEVER);
    }
    return false;
}

static dyno_ns paced_next(const struct dyno_device *device)
{
    return dyno_alarms_next(&((const struct paced *)device)->passes);
}

static dyno_ns paced_predict(const struct dyno_device *device, const struct dyno_pass *pass)
{
    const struct paced *paced = (const struct paced *)device;
    struct dyno_pass_cost cost = {0};

    paced->config.cost(paced->config.cost_context, pass, &cost);
    return cost.first >> DYNO_TICK_BITS;
}

static void paced_close(struct dyno_device *device)
{
    struct paced *paced = (struct paced *)device;

    for (uint32_t i = 0; paced->engines && i < paced->config.worker_count; i++) {
        free(paced->engines[i].slots);
        free(paced->engines[i].yields);
        dyno_heap_release(&paced->engines[i].ends);
    }
    dyno_alarms_release(&paced->passes);
    free(paced->engines);
    free(paced->ended);
    free(paced);
}

dyno_status dyno_paced_device_open(struct dyno_device **out, const struct dyno_paced_config *config)
{
    struct paced *paced = calloc(1, sizeof *paced);

    if (!paced) {
        return DYNO_NO_MEMORY;
    }
    paced->config = *config;
    paced->ops = (struct dyno_device_ops){.name = config->name,
                                          .help = config->help,
                                          .open = paced_open_seq,
                                          .join = paced_join,
                                          .shut = paced_shut,
                                          .submit = paced_submit,
                                          .stop = paced_stop,
                                          .progress = paced_progress,
                                          .step_start = paced_step_start,
                                          .reap = paced_reap,
                                          .next = paced_next,
                                          .predict = paced_predict,
                                          .drop = paced_drop,
                                          .close = paced_close};
    paced->base.ops = &paced->ops;
    paced->engines = calloc(config->worker_count, sizeof *paced->engines);
    if (!paced->engines || dyno_alarms_init(&paced->passes, config->worker_count) != DYNO_OK) {
        paced_close(&paced->base);
        return DYNO_NO_MEMORY;
    }
    paced->base.due = dyno_alarms_next_place(&paced->passes);
    *out = &paced->base;
    return DYNO_OK;
}

void dyno_paced_device_expect(struct dyno_device *device,
                              void (*weather)(const void *context, uint32_t worker, dyno_ns now,
                                              struct dyno_weather *out),
                              const void *context)
{
    struct paced *paced = (struct paced *)device;

    paced->weather = weather;
    paced->weather_context = context;
}
