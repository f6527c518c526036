/* The loop under the wall clock with devices that compute in threads of their own: a stage on which
 * a random world runs.  The engine of the stage stores every token it is handed where the block
 * table says, and answers with a digest of all tokens of the sequence as it finds them there, so a
 * token that is not where it should be changes what comes after it.  Blocks that move are copied
 * between those stores. */
#ifndef DYNO_TESTS_SYSTEM_LIVE_RIG_H
#define DYNO_TESTS_SYSTEM_LIVE_RIG_H

#include "backends/engine/copier.h"
#include "backends/engine/failures.h"
#include "backends/engine/prompts.h"
#include "backends/engine/threaded.h"
#include "backends/posix/wall_clock.h"
#include "tests/check_main.h"
#include "tests/system/live_deaths.h"
#include "tests/system/live_engine.h"
#include "tests/system/live_starts.h"
#include "tests/system/world.h"

enum { SPEEDUP = 40, STEPS_MAX = 8 };

struct live_sink {
    struct dyno_sink base;
    struct live *live;
};

static inline dyno_status on_request(struct dyno_sink *sink,
                                     const struct dyno_request_record *record)
{
    struct live *live = ((struct live_sink *)sink)->live;

    live->records[record->id] = *record;
    live->ends[record->id]++;
    live->hits += record->cached_tokens;
    live->preemptions += record->preemptions;
    return DYNO_OK;
}

static const struct dyno_sink_ops sink_ops = {.name = "live", .request = on_request};

/* A source in front that looks at a transcript before it is forgotten. */
struct looker {
    struct dyno_source base;
    struct dyno_source *below;
    struct live *live;
};

static inline dyno_ns looker_next(struct dyno_source *source)
{
    struct dyno_source *below = ((struct looker *)source)->below;

    return below->ops->next(below);
}

static inline dyno_status looker_take(struct dyno_source *source, dyno_ns now,
                                      struct dyno_request *out, struct dyno_error *error)
{
    struct dyno_source *below = ((struct looker *)source)->below;

    return below->ops->take(below, now, out, error);
}

static inline void looker_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    struct looker *looker = (struct looker *)source;
    const struct dyno_transcript *transcript = dyno_transcripts_find(looker->live->transcripts, id);

    for (uint32_t i = transcript ? transcript->prompt_tokens : 0;
         transcript && i < transcript->count; i++) {
        ck_assert_msg(transcript->tokens[i] == expected(transcript, i),
                      "world %llu: token %u of request %llu is %u, not %u",
                      (unsigned long long)looker->live->world->seed, i, (unsigned long long)id,
                      transcript->tokens[i], expected(transcript, i));
    }
    looker->below->ops->ended(looker->below, id, at);
}

static inline bool looker_finished(const struct dyno_source *source)
{
    const struct dyno_source *below = ((const struct looker *)source)->below;

    return below->ops->finished(below);
}

static const struct dyno_source_ops looker_ops = {.name = "looker",
                                                  .next = looker_next,
                                                  .take = looker_take,
                                                  .ended = looker_ended,
                                                  .finished = looker_finished};

static inline void world_source_close(struct dyno_source *source)
{
    (void)source;
}

/* What is open while a world runs live. */
struct stage {
    struct dyno_clock *clock;
    struct dyno_answers *answers;
    struct dyno_device *device;
    struct live_engines engines, prefill_engines;
    struct world_other other;  /* of those who compute prompts */
    struct dyno_links *copier; /* NULL: nothing moves, or tiers have it */
    struct world_tiering tiering;
    struct dyno_dispatch *dispatch;
    struct dyno_roster *roster; /* NULL: nobody ever goes */
    struct dyno_faults *faults;
    struct dyno_planner *planner;
    struct live_starting starting[2];
    struct dyno_starter starters[2];
    struct dyno_workers *workers;
    struct dyno_loop *loop;
    struct dyno_source *prompts;
    struct dyno_histogram itl;
    struct dyno_source_ops source_ops;
    struct world_source source;
    struct looker looker;
    struct live_sink sink;
};

static inline void open_source(struct stage *stage, struct live *live)
{
    const struct world *world = live->world;

    ck_assert_int_eq(dyno_answers_open(&stage->answers), DYNO_OK);
    ck_assert_int_eq(dyno_transcripts_open(&live->transcripts), DYNO_OK);
    stage->source_ops = world_source_ops;
    stage->source_ops.close = world_source_close;
    stage->source = (struct world_source){
        .base.ops = &stage->source_ops, .world = world, .answers = stage->answers};
    ck_assert_int_eq(
        dyno_prompts_open(&stage->prompts,
                          &(struct dyno_prompts_config){.source = &stage->source.base,
                                                        .transcripts = live->transcripts,
                                                        .block_tokens = world->worker.block_tokens,
                                                        .vocab = VOCAB,
                                                        .context_max = 1u << 20}),
        DYNO_OK);
    stage->looker = (struct looker){.base.ops = &looker_ops, .below = stage->prompts, .live = live};
}

static inline void open_memory(struct live *live, uint32_t endpoint, uint32_t blocks)
{
    live->stored[endpoint] =
        calloc((size_t)blocks * live->world->worker.block_tokens, 4 * layers_of(live));
    ck_assert_ptr_nonnull(live->stored[endpoint]);
}

static inline bool is_gone(void *context, uint32_t worker)
{
    const struct live_engines *engines = context;

    return !live_survives(engines->live->deaths, engines->first + worker);
}

static inline struct dyno_device *open_engines(struct stage *stage, struct live_engines *engines,
                                               uint32_t workers,
                                               const struct dyno_worker_config *worker,
                                               bool are_pulled)
{
    struct dyno_device *device;

    engines->blocks = worker->blocks;
    for (uint32_t i = 0; i < workers; i++) {
        open_memory(engines->live, engines->first + i, worker->blocks);
    }
    ck_assert_int_eq(
        dyno_threaded_device_open(
            &device,
            &(struct dyno_threaded_config){.name = "live",
                                           .worker_count = workers,
                                           .ends_only = are_pulled,
                                           .seqs_max = worker->seqs_max,
                                           .steps_max = STEPS_MAX,
                                           .transcripts = engines->live->transcripts,
                                           .step = step,
                                           .start = start,
                                           .stop = stop,
                                           .is_gone = engines->live->deaths ? is_gone : NULL,
                                           .survives = true,
                                           .costs = engines->live->passes,
                                           .context = engines,
                                           .answer = dyno_answers_get,
                                           .answer_context = stage->answers,
                                           .now = dyno_wall_clock_now,
                                           .wake = dyno_wall_clock_wake,
                                           .clock = stage->clock},
            NULL),
        DYNO_OK);
    engines->device = device;
    return device;
}

static inline void open_copier(struct stage *stage, struct live *live)
{
    struct dyno_copier_config config = {.path_count = 1,
                                        .copy = copy,
                                        .context = live,
                                        .speeds = {live->copies},
                                        .now = dyno_wall_clock_now,
                                        .wake = dyno_wall_clock_wake,
                                        .clock = stage->clock};
    struct dyno_error error = {0};

    if (live->prefill && layers_of(live) > 1) {
        config.pass_of = pass_of;
        config.copy_layers = copy_layers;
        config.layer_path_count = 2;
    }
    ck_assert_msg(dyno_copier_open(&stage->copier, &config, &error) == DYNO_OK, "%s", error.text);
}

/* Memory for every pool; its links are shared with those who hand over. */
static inline void open_tiers(struct stage *stage, struct live *live,
                              struct dyno_local_config *local)
{
    const struct world *world = live->world;
    const struct world_tiers *tiers = &world->tiers;

    if (tiers->count == 0 && !tiers->peers) {
        return;
    }
    for (uint32_t i = 0; i < tiers->count; i++) {
        for (uint32_t pool = 0; pool < tiers->tiers[i].pool_count; pool++) {
            open_memory(live, tiers->endpoint_of[i][pool], tiers->tiers[i].pool_blocks);
        }
    }
    if (!stage->copier) {
        open_copier(stage, live);
    }
    stage->tiering.links = stage->copier;
    world_open_tiers(tiers,
                     local->worker_count + (world->halves.same_gpus ? 0 : world->halves.workers),
                     local, stage->dispatch, &stage->tiering);
    stage->copier = stage->tiering.parts[1];
}

static inline void open_device(struct stage *stage, struct live *live)
{
    const struct world *world = live->world;
    uint32_t workers = world->dispatch.worker_count;

    ck_assert_int_eq(dyno_wall_clock_open(&stage->clock, SPEEDUP), DYNO_OK);
    stage->engines = (struct live_engines){.live = live};
    stage->device = open_engines(stage, &stage->engines, workers, &world->worker, false);
    if (world->halves.workers > 0) {
        stage->prefill_engines = (struct live_engines){.live = live, .first = workers};
        live->prefill = &stage->prefill_engines;
        stage->other.device =
            open_engines(stage, &stage->prefill_engines, world->halves.workers,
                         &world->halves.worker, world->halves.style == DYNO_HANDOFF_PULL);
        open_copier(stage, live);
    }
}

/* Into the configuration of the loop: who is gone is not started again. */
static inline void open_deaths(struct stage *stage, struct live *live,
                               struct dyno_loop_config *config)
{
    static const struct world_faults nobody_starts = {.count = 0};
    const struct world_halves *halves = &live->world->halves;
    struct dyno_error error = {0};

    live->deaths->clock = stage->clock;
    config->faults = &live->deaths->base;
    config->migrations_max = UINT32_MAX;
    world_faults_roster(&nobody_starts, live->world->dispatch.worker_count, NULL, stage->dispatch,
                        &stage->roster);
    config->roster = stage->roster;
    if (halves->workers > 0) {
        ck_assert_int_eq(dyno_dispatch_open(&stage->other.dispatch, &halves->dispatch, &error),
                         DYNO_OK);
        world_faults_roster(&nobody_starts, halves->workers, NULL, stage->other.dispatch,
                            &stage->other.roster);
        config->roster_behind = stage->other.roster;
    }
}

/* Who serves when: workers are started and stopped in their threads. */
static inline void open_fleet(struct stage *stage, struct live *live,
                              struct dyno_loop_config *config)
{
    const struct world *world = live->world;
    struct world_faults faults = world->faults;
    struct world_plan plan = world->plan;
    struct dyno_error error = {0};

    stage->starting[0] = (struct live_starting){{&stage->device, &stage->other.device},
                                                world->dispatch.worker_count};
    stage->starting[1] = (struct live_starting){{&stage->other.device}, UINT32_MAX};
    for (uint32_t i = 0; i < 2; i++) {
        stage->starters[i] = (struct dyno_starter){.start = begin_start,
                                                   .look = look_at_start,
                                                   .stop = begin_stop,
                                                   .context = &stage->starting[i]};
        faults.starters[i] = &stage->starters[i];
    }
    plan.starter = &stage->starters[0];
    if (world->halves.same_gpus) {
        ck_assert_int_eq(
            dyno_dispatch_open(&stage->other.dispatch, &world->halves.dispatch, &error), DYNO_OK);
        plan.prefill = stage->other.dispatch;
    }
    world_plan_open(&plan, stage->dispatch, &stage->roster, &stage->planner);
    config->roster = stage->roster;
    config->planner = stage->planner;
    if (world->plan.planned || world->faults.count > 0) {
        config->lobby = world->lobby;
    }
    world_faults_open(&faults, &world->halves, NULL, &stage->roster, &stage->other, config);
    if (config->faults) {
        ck_assert_int_eq(dyno_failures_open(&config->faults,
                                            (struct dyno_failing[]){{stage->device, 0},
                                                                    {stage->other.device,
                                                                     world->dispatch.worker_count}},
                                            2, config->faults),
                         DYNO_OK);
    }
    stage->faults = config->faults;
}

static inline void open_loop(struct stage *stage, struct live *live)
{
    const struct world *world = live->world;
    struct dyno_error error = {0};
    struct dyno_loop_config config;
    struct dyno_local_config local = {.worker = world->worker,
                                      .worker_count = world->dispatch.worker_count,
                                      .gpus_per_worker = 1,
                                      .device = stage->device,
                                      .itl = &stage->itl};

    stage->sink = (struct live_sink){.base.ops = &sink_ops, .live = live};
    ck_assert_int_eq(dyno_histogram_init(&stage->itl), DYNO_OK);
    ck_assert_int_eq(dyno_dispatch_open(&stage->dispatch, &world->dispatch, &error), DYNO_OK);
    stage->other.leader = stage->dispatch;
    config = (struct dyno_loop_config){.clock = stage->clock,
                                       .source = &stage->looker.base,
                                       .answers = stage->answers,
                                       .dispatch = stage->dispatch,
                                       .worker_count = local.worker_count + world->halves.workers,
                                       .sinks = &stage->sink.base,
                                       .sample_every_ns = world->sample_every_ns,
                                       .duration_max_ns = world->duration_max_ns};
    if (live->deaths) {
        open_deaths(stage, live, &config);
    } else {
        open_fleet(stage, live, &config);
    }
    ck_assert_int_eq(dyno_loop_open(&stage->loop, &config), DYNO_OK);
    local.listener = dyno_loop_listener(stage->loop);
    open_tiers(stage, live, &local);
    local.worker.steps_max = STEPS_MAX;
    local.worker.async_scheduling = false;
    if (world->halves.workers > 0) {
        stage->workers = world_open_halves(&world->halves, &local, stage->copier, &stage->other);
    } else {
        ck_assert_msg(dyno_local_open(&stage->workers, &local, &error) == DYNO_OK, "%s",
                      error.text);
    }
}

static inline void close_stage(struct stage *stage, struct live *live)
{
    stage->workers->ops->close(stage->workers);
    if (stage->copier && !stage->tiering.tiers) {
        stage->copier->ops->close(stage->copier);
    }
    world_close_tiers(&stage->tiering);
    stage->device->ops->close(stage->device);
    world_close_halves(&stage->other);
    dyno_loop_close(stage->loop);
    dyno_planner_close(stage->planner);
    dyno_roster_close(stage->roster);
    world_faults_close(stage->faults);
    dyno_dispatch_close(stage->dispatch);
    stage->prompts->ops->close(stage->prompts);
    dyno_wall_clock_close(stage->clock);
    dyno_answers_close(stage->answers);
    dyno_transcripts_close(live->transcripts);
    dyno_histogram_release(&stage->itl);
    for (uint32_t i = 0; i < WORLD_ENDPOINTS_MAX; i++) {
        free(live->stored[i]);
    }
}

static inline void run_live(struct live *live, struct dyno_loop_result *result)
{
    struct stage stage = {0};
    struct dyno_error error = {0};

    open_source(&stage, live);
    open_device(&stage, live);
    open_loop(&stage, live);
    ck_assert_msg(dyno_loop_run(stage.loop, stage.workers, result, &error) == DYNO_OK, "%s",
                  error.text);
    if (live->world->halves.workers > 0) {
        dyno_handoff_check(stage.workers);
    } else {
        dyno_local_check(stage.workers);
    }
    world_totals(stage.workers, &stage.tiering, &live->totals);
    live->faults = *dyno_loop_fault_totals(stage.loop);
    live->changes = stage.roster ? dyno_roster_totals(stage.roster, result->end_ns).changes : 0;
    live->many_steps = live->totals.steps - live->totals.passes;
    close_stage(&stage, live);
}

/* As many tokens as were recorded, or as there is room for. */
static inline uint32_t answer_of(const struct world *world, uint64_t id)
{
    uint64_t room =
        (uint64_t)world->worker.blocks * world->worker.block_tokens - world->worker.lookahead;

    room = world->worker.context_max > 0 && world->worker.context_max < room
               ? world->worker.context_max
               : room;
    room -= world->requests[id].prompt_tokens;
    return world->answers[id] < room ? world->answers[id] : (uint32_t)room;
}

/* Stamps in the order in which a life has them, and as many tokens as were recorded. */
static inline void check_record(const struct live *live, uint64_t id)
{
    const struct dyno_request_record *record = &live->records[id];

    if (record->outcome == DYNO_COMPLETED) {
        ck_assert_uint_le(record->arrival_ns, record->ready_ns);
        ck_assert_uint_le(record->ready_ns, record->admitted_ns);
        ck_assert_uint_le(record->admitted_ns, record->first_token_ns);
        ck_assert_uint_le(record->first_token_ns, record->last_token_ns);
        ck_assert_msg(record->output_tokens == answer_of(live->world, id),
                      "request %llu has %u tokens, not %u", (unsigned long long)id,
                      record->output_tokens, answer_of(live->world, id));
    }
}

#endif
