/* A random world: one seed draws the fleet, the engine, the traffic and the router, and a run of it
 * leaves a digest of everything that can be seen.  Used by the tests of the promises. */
#ifndef DYNO_TESTS_SYSTEM_WORLD_H
#define DYNO_TESTS_SYSTEM_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/rng.h"
#include "core/route/route.h"
#include "core/run/loop.h"
#include "core/run/metrics.h"
#include "core/worker/local.h"
#include "core/worker/paced.h"
#include "sim/answers.h"
#include "sim/vclock.h"
#include "tests/system/world_digest.h"
#include "tests/system/world_faults.h"
#include "tests/system/world_halves.h"
#include "tests/system/world_plan.h"
#include "tests/system/world_tiers.h"

enum { WORLD_REQUESTS_MAX = 256, WORLD_SPANS_MAX = 6 };

struct world {
    uint64_t seed;
    struct dyno_rng rng;
    struct dyno_worker_config worker;
    struct dyno_dispatch_config dispatch;
    dyno_ns sample_every_ns, duration_max_ns;
    uint64_t cost_base, cost_token, cost_context; /* ticks */
    uint64_t slope_context; /* beyond this many context tokens, reading one costs twice as much */
    uint32_t graph_tokens;  /* a pass computes a multiple of so many tokens, as graphs do */
    dyno_ns cost_idle;      /* a pass costs so much more after a while without work */
    uint32_t concurrency;   /* 0: open loop */
    uint32_t request_count;
    struct dyno_request requests[WORLD_REQUESTS_MAX];
    struct dyno_span spans[WORLD_REQUESTS_MAX][WORLD_SPANS_MAX];
    uint32_t answers[WORLD_REQUESTS_MAX];
    bool impatient[WORLD_REQUESTS_MAX];     /* the client gives up ... */
    dyno_ns patience[WORLD_REQUESTS_MAX];   /* ... so long after it arrived */
    const struct dyno_sink_ops *extra_sink; /* hears the run too; NULL: nobody */
    struct world_plan plan;
    struct world_faults faults;
    struct dyno_lobby_config lobby;
    struct world_halves halves;
    struct world_tiers tiers;
    bool trie; /* rewrite chains as few long spans */
    /* What stands before the device; on success closes it with itself.  NULL: nothing. */
    struct dyno_device *(*wrap)(const struct world *world, struct dyno_device *device);
};

static inline uint32_t world_below(struct world *world, uint32_t bound)
{
    return (uint32_t)dyno_rng_below(&world->rng, bound);
}

/* ---- drawing --------------------------------------------------------------------------------- */

static inline void world_draw_engine(struct world *world)
{
    static const uint32_t sizes[] = {1, 3, 4, 16, 64};
    struct dyno_worker_config *config = &world->worker;

    *config = dyno_engine_table[world_below(world, 3)].config;
    config->block_tokens = sizes[world_below(world, 5)];
    config->blocks = (200 + world_below(world, 1500)) / config->block_tokens + 2;
    config->seqs_max = 1 + world_below(world, 24);
    config->batch_tokens_max = config->seqs_max + world_below(world, 200);
    config->steps_max = 1u << 20;
    config->context_max = world_below(world, 2) ? 0 : 400;
    config->queue_max = world_below(world, 8) ? 0 : 5;
    config->watermark = world_below(world, 2) ? 0.0 : 0.05;
    config->chunked_prefill = world_below(world, 5) != 0;
    config->reserve_prompt = world_below(world, 2) != 0;
    config->prefix_cache = world_below(world, 4) != 0;
    config->async_scheduling = world_below(world, 2) == 0;
    config->foresees_limit = world_below(world, 2) == 0;
    config->hit_when_scheduled = world_below(world, 2) != 0;
    config->ingest_ns = world_below(world, 2) ? 0 : world_below(world, 3) * DYNO_MS;
    config->ingest_token_ticks = config->ingest_ns ? world_below(world, 1 << 30) : 0;
    config->response_ns = world_below(world, 2) * 137 * DYNO_US;
    if (world_below(world, 4) == 0) {
        config->admission = (enum dyno_batch_admission)world_below(world, 3);
        if (config->order == DYNO_ORDER_PREFILL_FIRST && config->admission == DYNO_ADMIT_CHUNK) {
            config->admission = DYNO_ADMIT_NO_EVICT; /* a cut prompt has to be able to go on */
        }
    }
    if (config->order == DYNO_ORDER_MIXED && world_below(world, 3) == 0) {
        config->prefill_interval = 1 + world_below(world, 6);
    }
    if (config->order == DYNO_ORDER_PREFILL_FIRST) {
        config->queue_order = world_below(world, 2) ? DYNO_QUEUE_LPM : DYNO_QUEUE_FCFS;
        config->prefill_tokens_max =
            world_below(world, 2) ? 0 : config->batch_tokens_max + world_below(world, 100);
        config->new_token_ratio = world_below(world, 8) / 7.0;
    }
}

/* What was added later, from a stream of its own: the worlds stay otherwise as they were. */
static inline void world_draw_options(struct world *world, uint64_t seed)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "options");
    if (dyno_rng_below(&rng, 3) == 0) {
        world->worker.lookahead = (uint32_t)(1 + dyno_rng_below(&rng, 20));
    }
    world->worker.mixed_chunk = world->worker.order == DYNO_ORDER_PREFILL_FIRST &&
                                world->worker.chunked_prefill && dyno_rng_below(&rng, 2) == 0;
}

/* Whole milliseconds make ties at one instant common; odd costs exercise the carried remainder. */
static inline void world_draw_costs(struct world *world)
{
    if (world_below(world, 2)) {
        world->cost_base = DYNO_MS * DYNO_TICKS_PER_NS * (1 + world_below(world, 3));
        world->cost_token = 0;
        world->cost_context = 0;
    } else {
        world->cost_base = 1000000ULL * (DYNO_TICKS_PER_NS + world_below(world, 999983));
        world->cost_token = 10000ULL * DYNO_TICKS_PER_NS + world_below(world, 1000003);
        world->cost_context = world_below(world, 1000003) * 40ULL;
    }
    world->graph_tokens = world_below(world, 2) ? 0 : 1 + world_below(world, 8);
    world->slope_context = world_below(world, 2) ? UINT64_MAX : 100 + world_below(world, 2000);
}

/* From a stream of its own, so that it moves no other part of a world. */
static inline void world_draw_idle(struct world *world)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, world->seed, "idle");
    world->cost_idle = dyno_rng_below(&rng, 2) ? 0 : dyno_rng_below(&rng, 3 * DYNO_MS);
}

static inline void world_draw_router(struct world *world)
{
    uint32_t policies = 0;

    while (dyno_route_table[policies]) {
        policies++;
    }
    world->dispatch = (struct dyno_dispatch_config){
        .policy = dyno_route_table[world_below(world, policies)],
        .route = {.temperature = world_below(world, 3) ? 0.0 : 0.5,
                  .overlap_credit = 1.0,
                  .prefill_load_scale = 1.0,
                  .track_prefill_tokens = 1,
                  .track_active_blocks = 1,
                  .session_replicas = 8,
                  .args = ""},
        .seed = world->seed,
        .worker_count = 1 + world_below(world, 5),
        .block_tokens = world->worker.block_tokens,
        .event_delay_ns = world_below(world, 2) ? 0 : world_below(world, 20) * DYNO_MS,
        .event_loss = world_below(world, 4) ? 0.0 : 0.1,
        .guess_ttl_ns = 200 * DYNO_MS,
        .guess_blocks_max = 64,
    };
}

static inline void world_draw_request(struct world *world, uint32_t index, dyno_ns arrival)
{
    struct dyno_request *request = &world->requests[index];
    uint32_t size = world->worker.block_tokens, blocks = 0;
    uint64_t parent = 1;

    *request = (struct dyno_request){.id = index,
                                     .session = world_below(world, 6),
                                     .spans = world->spans[index],
                                     .span_count = world_below(world, WORLD_SPANS_MAX + 1),
                                     .scheduled_ns = arrival,
                                     .arrival_ns = arrival};
    for (uint32_t i = 0; i < request->span_count; i++) {
        parent = dyno_chain(parent, world_below(world, 3));
        world->spans[index][i] =
            (struct dyno_span){.id = parent, .blocks = 1 + (uint32_t)(parent % (1 + 64 / size))};
        blocks += world->spans[index][i].blocks;
    }
    request->prompt_tokens = blocks * size + world_below(world, 40) + (blocks == 0);
    world->answers[index] = 1 + world_below(world, world_below(world, 4) ? 30 : 200);
    request->max_tokens = world->answers[index] + world_below(world, 2) * 50;
}

/* In some worlds some clients give up, some of them at the very instant of something else. */
static inline void world_draw_patience(struct world *world)
{
    struct dyno_rng rng;
    bool some_give_up;

    dyno_rng_init(&rng, world->seed, "patience");
    some_give_up = dyno_rng_below(&rng, 2) != 0;
    for (uint32_t i = 0; i < world->request_count; i++) {
        if (some_give_up && dyno_rng_below(&rng, 3) == 0) {
            world->impatient[i] = true;
            world->patience[i] = dyno_rng_below(&rng, 300) * DYNO_MS +
                                 dyno_rng_below(&rng, 2) * dyno_rng_below(&rng, DYNO_MS);
        }
    }
}

/* In half of the worlds workers may be busy, so that requests wait for them by some policy. */
static inline void world_draw_queue(struct world *world)
{
    struct dyno_rng rng;
    uint32_t policies = 0;

    dyno_rng_init(&rng, world->seed, "queue");
    while (dyno_admit_table[policies].name) {
        policies++;
    }
    world->lobby = (struct dyno_lobby_config){
        .admit = {.policy = &dyno_admit_table[dyno_rng_below(&rng, policies)],
                  .classes = {.count = 2, .of = {{0, 3}, {2, 1}}},
                  .quantum = 1 + (uint32_t)dyno_rng_below(&rng, 200)},
        .wait_ns = world->plan.lobby_wait_ns,
        .count_max = dyno_rng_below(&rng, 4) ? 64 : 3,
        .tokens_max = dyno_rng_below(&rng, 4) ? 0 : 1000,
        .output_cost = dyno_rng_below(&rng, 2) ? 0.0 : 1.7,
    };
    for (uint32_t i = 0; i < world->request_count; i++) {
        world->requests[i].tenant = (uint32_t)dyno_rng_below(&rng, 4);
        world->requests[i].priority = (int32_t)dyno_rng_below(&rng, 4) - 1;
    }
    if (dyno_rng_below(&rng, 2) == 0) {
        return;
    }
    world->dispatch.busy = (struct dyno_dispatch_busy){
        .inflight = dyno_rng_below(&rng, 2) ? 1 + (uint32_t)dyno_rng_below(&rng, 12) : 0,
        .prefill_tokens = dyno_rng_below(&rng, 2) ? 1 + dyno_rng_below(&rng, 300) : 0,
        .blocks = dyno_rng_below(&rng, 2) ? 1 + dyno_rng_below(&rng, world->worker.blocks) : 0,
    };
}

/* In a third of the worlds several routers decide. */
static inline void world_draw_routers(struct world *world)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, world->seed, "routers");
    if (dyno_rng_below(&rng, 3) == 0) {
        world->dispatch.router_count = 2 + (uint32_t)dyno_rng_below(&rng, 3);
        world->dispatch.routers_by_session = dyno_rng_below(&rng, 2) == 0;
        world->dispatch.sync_delay_ns =
            dyno_rng_below(&rng, 3) ? dyno_rng_below(&rng, 40) * DYNO_MS : DYNO_NEVER;
    }
    world->dispatch.route.session_sticky = dyno_rng_below(&rng, 2) == 0;
}

static inline void world_draw(struct world *world, uint64_t seed)
{
    struct dyno_rng rng;
    dyno_ns arrival = 0;
    uint32_t gap_ms;

    memset(world, 0, sizeof *world);
    world->seed = seed;
    dyno_rng_init(&world->rng, seed, "world");
    world_draw_engine(world);
    world_draw_options(world, seed);
    world_draw_costs(world);
    world_draw_idle(world);
    world_draw_router(world);
    world->sample_every_ns = world_below(world, 2) ? 10 * DYNO_MS : 7777777;
    world->duration_max_ns = 0;
    world->concurrency = world_below(world, 3) ? 0 : 1 + world_below(world, 20);
    world->request_count = 20 + world_below(world, WORLD_REQUESTS_MAX - 20);
    gap_ms = 1 + world_below(world, 30);
    for (uint32_t i = 0; i < world->request_count; i++) {
        world_draw_request(world, i, arrival);
        arrival += world_below(world, gap_ms) * DYNO_MS;
    }
    world_draw_patience(world);
    world_plan_draw(&world->plan, seed, &world->worker, world->dispatch.worker_count);
    world_draw_queue(world);
    world_draw_routers(world);
    if (world->plan.planned) {
        dyno_rng_init(&rng, seed, "planner.first");
        world->worker.first_passes = (uint32_t)(dyno_rng_below(&rng, 2) * dyno_rng_below(&rng, 6));
        world->worker.first_pass_ticks = dyno_rng_below(&rng, 20) * DYNO_MS * DYNO_TICKS_PER_NS;
    }
}

/* ---- the seams ------------------------------------------------------------------------------- */

struct world_source {
    struct dyno_source base;
    const struct world *world;
    struct dyno_answers *answers;
    uint32_t taken, open;
    dyno_ns ready[WORLD_REQUESTS_MAX]; /* closed loop: when the slots of ended requests are free */
    uint32_t ready_count;
    dyno_ns gives_up[WORLD_REQUESTS_MAX]; /* of those that were taken */
};

static inline dyno_ns world_source_next(struct dyno_source *source)
{
    const struct world_source *self = (const struct world_source *)source;
    dyno_ns next = DYNO_NEVER;

    if (self->taken == self->world->request_count) {
        return DYNO_NEVER;
    }
    if (self->world->concurrency == 0) {
        return self->world->requests[self->taken].arrival_ns;
    }
    if (self->open + self->ready_count < self->world->concurrency) {
        return 0;
    }
    for (uint32_t i = 0; i < self->ready_count; i++) {
        next = self->ready[i] < next ? self->ready[i] : next;
    }
    return next;
}

static inline dyno_status world_source_take(struct dyno_source *source, dyno_ns now,
                                            struct dyno_request *out, struct dyno_error *error)
{
    struct world_source *self = (struct world_source *)source;

    (void)error;
    *out = self->world->requests[self->taken];
    if (self->world->concurrency > 0) {
        for (uint32_t i = 0; i < self->ready_count; i++) {
            if (self->ready[i] <= now) {
                self->ready[i] = self->ready[--self->ready_count];
                break;
            }
        }
        out->scheduled_ns = out->arrival_ns = now;
    }
    self->open++;
    self->gives_up[self->taken] =
        self->world->impatient[self->taken] ? now + self->world->patience[self->taken] : DYNO_NEVER;
    return self->answers->ops->expect(self->answers, out->id, self->world->answers[self->taken++]);
}

static inline dyno_ns world_source_cancelled(struct dyno_source *source, dyno_ns now, uint64_t *id)
{
    struct world_source *self = (struct world_source *)source;
    dyno_ns next = DYNO_NEVER;

    for (uint32_t i = 0; i < self->taken; i++) {
        if (self->gives_up[i] < next) {
            next = self->gives_up[i];
            *id = i;
        }
    }
    if (next <= now) {
        self->gives_up[*id] = DYNO_NEVER;
    }
    return next;
}

static inline void world_source_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    struct world_source *self = (struct world_source *)source;

    self->gives_up[id] = DYNO_NEVER;
    self->open--;
    if (self->world->concurrency > 0) {
        self->ready[self->ready_count++] = at;
    }
}

static inline bool world_source_finished(const struct dyno_source *source)
{
    const struct world_source *self = (const struct world_source *)source;

    return self->taken == self->world->request_count;
}

static const struct dyno_source_ops world_source_ops = {.name = "world",
                                                        .next = world_source_next,
                                                        .take = world_source_take,
                                                        .cancelled = world_source_cancelled,
                                                        .ended = world_source_ended,
                                                        .finished = world_source_finished};

static inline void world_cost(const void *context, const struct dyno_pass *pass,
                              struct dyno_pass_cost *out)
{
    const struct world *world = context;
    uint64_t tokens = pass->decode_count + pass->ghost_count;
    uint64_t contexts = pass->decode_context + pass->ghost_context;

    for (uint32_t i = 0; i < pass->slice_count; i++) {
        tokens += pass->slices[i].tokens;
    }
    if (world->graph_tokens > 0) {
        tokens = (tokens + world->graph_tokens - 1) / world->graph_tokens * world->graph_tokens;
    }
    out->first = world->cost_base + tokens * world->cost_token + contexts * world->cost_context;
    out->growth = pass->decode_count * world->cost_context;
    out->steps_max = UINT32_MAX;
    out->idle = world->cost_idle;
    if (pass->decode_context > world->slope_context) {
        out->first += (pass->decode_context - world->slope_context) * world->cost_context;
        out->growth *= 2;
    } else if (pass->decode_count > 0 && world->slope_context != UINT64_MAX) {
        out->steps_max =
            (uint32_t)((world->slope_context - pass->decode_context) / pass->decode_count) + 1;
    }
}

static inline struct dyno_device *world_device(const struct world *world,
                                               struct dyno_answers *answers, uint32_t workers)
{
    struct dyno_device *device = NULL;
    struct dyno_paced_config config = {.name = "world",
                                       .worker_count = workers,
                                       .cost = world_cost,
                                       .cost_context = world,
                                       .answer = dyno_answers_get,
                                       .answer_context = answers};

    ck_assert_int_eq(dyno_paced_device_open(&device, &config), DYNO_OK);
    return world->wrap ? world->wrap(world, device) : device;
}

static inline void world_mix_roster(struct world_digest *digest, const struct dyno_roster *roster,
                                    const struct dyno_loop *loop)
{
    struct dyno_roster_totals totals;

    digest->faults = *dyno_loop_fault_totals(loop);

    if (roster) {
        totals = dyno_roster_totals(roster, digest->end_ns);
        digest->starts = totals.starts;
        digest->start_failures = totals.start_failures;
        digest->drains = totals.drains;
        WORLD_MIX(digest, totals.worker_ns);
        WORLD_MIX(digest, totals.starts);
    }
}

static inline struct dyno_loop_config world_loop_config(const struct world *world)
{
    return (struct dyno_loop_config){.clock = dyno_virtual_clock(),
                                     .worker_count =
                                         world->dispatch.worker_count + world->halves.workers,
                                     .lobby = world->lobby,
                                     .sample_every_ns = world->sample_every_ns,
                                     .duration_max_ns = world->duration_max_ns,
                                     .decisions = true,
                                     .candidates = true};
}

static inline void world_close(struct dyno_loop *loop, struct dyno_planner *planner,
                               struct dyno_roster *roster, struct dyno_dispatch *dispatch,
                               struct dyno_faults *faults)
{
    dyno_loop_close(loop);
    world_faults_close(faults);
    dyno_planner_close(planner);
    dyno_roster_close(roster);
    dyno_dispatch_close(dispatch);
}

/* The workers of the world; `other` is what stands beside them where requests are served in halves.
 */
static inline struct dyno_workers *world_workers(const struct world *world,
                                                 struct dyno_answers *answers,
                                                 const struct dyno_local_config *local,
                                                 struct dyno_links *shared,
                                                 struct world_other *other)
{
    struct dyno_workers *workers = NULL;
    struct dyno_error error = {0};

    if (world->halves.workers > 0) {
        other->device = world_device(world, answers, world->halves.workers);
        return world_open_halves(&world->halves, local, shared, other);
    }
    ck_assert_msg(dyno_local_open(&workers, local, &error) == DYNO_OK, "%s", error.text);
    return workers;
}

/* Run the world with at most `steps_max` decode steps a pass. */
static inline struct world_digest world_run(const struct world *world, uint32_t steps_max)
{
    struct world_digest digest = {.hash = 0xcbf29ce484222325ULL};
    struct world_sink sink = {.base.ops = &world_sink_ops, .digest = &digest};
    struct dyno_sink extra = {.ops = world->extra_sink};
    struct world_source source = {.base.ops = &world_source_ops, .world = world};
    struct dyno_histogram itl;
    struct dyno_answers *answers = NULL;
    struct dyno_device *device;
    struct dyno_dispatch *dispatch = NULL;
    struct dyno_workers *workers = NULL;
    struct dyno_loop *loop = NULL;
    struct dyno_loop_config config;
    struct dyno_kv_trie *trie = NULL;
    struct dyno_roster *roster = NULL;
    struct dyno_planner *planner = NULL;
    struct world_other other = {0};
    struct world_tiering tiering = {0};
    struct dyno_loop_result result = {0};
    struct dyno_error error = {0};
    struct dyno_local_config local = {.worker = world->worker,
                                      .worker_count = world->dispatch.worker_count,
                                      .gpus_per_worker = 1,
                                      .warm_count =
                                          world->plan.planned ? world->plan.ready_first : 0,
                                      .itl = &itl};

    ck_assert_int_eq(dyno_histogram_init(&itl), DYNO_OK);
    ck_assert_int_eq(dyno_answers_open(&answers), DYNO_OK);
    source.answers = answers;
    if (world->trie) {
        ck_assert_int_eq(dyno_kv_trie_open(&trie, world->dispatch.event_delay_ns), DYNO_OK);
    }
    sink.base.next = world->extra_sink ? &extra : NULL;
    device = world_device(world, answers, local.worker_count);
    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &world->dispatch, &error), DYNO_OK);
    world_plan_open(&world->plan, dispatch, &roster, &planner);
    config = world_loop_config(world);
    config.source = &source.base;
    config.answers = answers;
    other.leader = config.dispatch = dispatch;
    config.trie = trie;
    config.roster = roster, config.planner = planner;
    config.sinks = &sink.base;
    world_faults_open(&world->faults, &world->halves, device, &roster, &other, &config);
    ck_assert_int_eq(dyno_loop_open(&loop, &config), DYNO_OK);
    local.worker.steps_max = steps_max;
    local.device = device;
    local.listener = dyno_loop_listener(loop);
    world_open_tiers(&world->tiers, local.worker_count + world->halves.workers, &local, dispatch,
                     &tiering);
    workers = world_workers(world, answers, &local, tiering.parts[1], &other);
    ck_assert_msg(dyno_loop_run(loop, workers, &result, &error) == DYNO_OK, "%s", error.text);
    (other.device ? dyno_handoff_check : dyno_local_check)(workers);
    world_totals(workers, &tiering, &digest.totals);
    world_mix_totals(&digest, &digest.totals);
    world_mix_gaps(&digest, &itl);
    digest.unfinished = result.unfinished;
    digest.end_ns = result.end_ns;
    WORLD_MIX(&digest, result.end_ns);
    world_mix_roster(&digest, roster, loop);
    workers->ops->close(workers);
    device->ops->close(device);
    world_close_halves(&other);
    world_close_tiers(&tiering);
    world_close(loop, planner, roster, dispatch, config.faults);
    dyno_kv_trie_close(trie);
    dyno_answers_close(answers);
    dyno_histogram_release(&itl);
    return digest;
}

#endif
