/* A device that stores KV finds every token where the block tables say: over random worlds, a
 * device that remembers what was written into every place of every block checks, before each pass,
 * that all a sequence's earlier tokens lie where its table points, also after hits, evictions,
 * preemptions and steps that were looked ahead to and not done. */
#include "tests/check_main.h"
#include "tests/system/world.h"

enum { KEEPER_SEQS_MAX = 64 };

/* One sequence as a device knows it. */
struct keeper_seq {
    uint64_t id;
    uint32_t tokens; /* in KV */
    bool decodes;
};

struct keeper_engine {
    uint64_t *stored; /* [blocks][block_tokens]: what lies there */
    struct keeper_seq seqs[KEEPER_SEQS_MAX];
    const uint32_t *const *tables; /* of the pass in flight */
    uint32_t yields[KEEPER_SEQS_MAX], yield_count;
    bool decode;
};

struct keeper {
    struct dyno_device base;
    struct dyno_device_ops ops;
    struct dyno_device *below;
    const struct world *world;
    struct keeper_engine *engines;
    uint64_t checked, cached;
};

static uint64_t tokens_cached;  /* computed once more, and not stored */
static uint64_t tokens_checked; /* over all worlds, so that the test can say it tested something */

static struct keeper *keeper_of(const struct dyno_device *device)
{
    return (struct keeper *)(uintptr_t)device;
}

/* What token `position` of a request is: that of its span, or the request's own. */
static uint64_t token_of(const struct world *world, uint64_t id, uint32_t position)
{
    const struct dyno_request *request = &world->requests[id];
    uint32_t block = position / world->worker.block_tokens, start = 0;

    for (uint32_t i = 0; i < request->span_count; i++) {
        if (block < start + request->spans[i].blocks) {
            return dyno_chain(dyno_chain(request->spans[i].id, block - start),
                              position % world->worker.block_tokens);
        }
        start += request->spans[i].blocks;
    }
    return dyno_chain(~id, position);
}

static uint64_t *place(const struct keeper *keeper, struct keeper_engine *engine, uint32_t slot,
                       uint32_t position)
{
    uint32_t size = keeper->world->worker.block_tokens;

    ck_assert_uint_lt(engine->tables[slot][position / size], keeper->world->worker.blocks);
    return &engine->stored[(size_t)engine->tables[slot][position / size] * size + position % size];
}

/* What a sequence that was computed before reads, nobody writes. */
static void check_unread(const struct keeper *keeper, const struct keeper_engine *engine,
                         uint32_t slot, uint32_t position)
{
    uint32_t size = keeper->world->worker.block_tokens;
    uint32_t index = position / size, block = engine->tables[slot][index];

    for (uint32_t other = 0; other < KEEPER_SEQS_MAX; other++) {
        ck_assert_msg(other == slot || engine->seqs[other].tokens <= index * size ||
                          engine->tables[other][index] != block,
                      "world %llu: request %llu writes where request %llu reads",
                      (unsigned long long)keeper->world->seed,
                      (unsigned long long)engine->seqs[slot].id,
                      (unsigned long long)engine->seqs[other].id);
    }
}

static void write_tokens(struct keeper *keeper, struct keeper_engine *engine, uint32_t slot,
                         uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        check_unread(keeper, engine, slot, i);
        *place(keeper, engine, slot, i) = token_of(keeper->world, engine->seqs[slot].id, i);
    }
}

static void check_tokens(struct keeper *keeper, struct keeper_engine *engine, uint32_t slot,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_msg(
            *place(keeper, engine, slot, i) == token_of(keeper->world, engine->seqs[slot].id, i),
            "world %llu: token %u of request %llu is not where its table says",
            (unsigned long long)keeper->world->seed, i, (unsigned long long)engine->seqs[slot].id);
    }
    keeper->checked += count;
}

static void keeper_open(struct dyno_device *device, uint32_t worker, uint32_t slot, uint64_t id,
                        uint32_t generated, uint32_t tokens_max)
{
    struct keeper *keeper = keeper_of(device);

    keeper->engines[worker].seqs[slot] = (struct keeper_seq){.id = id};
    keeper->below->ops->open(keeper->below, worker, slot, id, generated, tokens_max);
}

static void keeper_shut(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    struct keeper *keeper = keeper_of(device);

    keeper->engines[worker].seqs[slot] = (struct keeper_seq){.id = 0};
    keeper->below->ops->shut(keeper->below, worker, slot);
}

static void keeper_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    struct keeper *keeper = keeper_of(device);
    struct keeper_engine *engine = &keeper->engines[pass->worker];

    ck_assert_ptr_nonnull(pass->tables);
    engine->tables = pass->tables;
    engine->decode = pass->decode;
    engine->yield_count = 0;
    for (uint32_t i = 0; i < pass->slice_count; i++) { /* all are written before any is read */
        const struct dyno_slice *slice = &pass->slices[i];

        write_tokens(keeper, engine, slice->slot, slice->first + slice->cached,
                     slice->tokens - slice->cached);
        keeper->cached += slice->cached;
    }
    for (uint32_t i = 0; i < pass->slice_count; i++) {
        const struct dyno_slice *slice = &pass->slices[i];

        check_tokens(keeper, engine, slice->slot, slice->first + slice->tokens);
        engine->seqs[slice->slot].tokens = slice->first + slice->tokens;
        if (slice->yields) {
            engine->yields[engine->yield_count++] = slice->slot;
        }
    }
    keeper->below->ops->submit(keeper->below, now, pass);
}

static void decode_steps(struct keeper *keeper, struct keeper_engine *engine, uint32_t steps)
{
    for (uint32_t slot = 0; slot < KEEPER_SEQS_MAX; slot++) {
        struct keeper_seq *seq = &engine->seqs[slot];

        if (seq->decodes) {
            check_tokens(keeper, engine, slot, seq->tokens);
            write_tokens(keeper, engine, slot, seq->tokens, steps);
            seq->tokens += steps;
        }
    }
}

static bool keeper_reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    struct keeper *keeper = keeper_of(device);
    struct keeper_engine *engine;

    if (!keeper->below->ops->reap(keeper->below, now, out)) {
        return false;
    }
    engine = &keeper->engines[out->worker];
    if (engine->decode) {
        decode_steps(keeper, engine, out->steps);
    }
    for (uint32_t i = 0; i < engine->yield_count; i++) {
        engine->seqs[engine->yields[i]].decodes = true;
    }
    for (uint32_t i = 0; i < out->ended_count; i++) {
        engine->seqs[out->ended[i]].decodes = false;
    }
    return true;
}

static void keeper_stop(struct dyno_device *device, uint32_t worker, dyno_ns now, uint32_t further)
{
    keeper_of(device)->below->ops->stop(keeper_of(device)->below, worker, now, further);
}

static void keeper_progress(struct dyno_device *device, uint32_t worker, dyno_ns now,
                            uint32_t *started, uint32_t *completed)
{
    keeper_of(device)->below->ops->progress(keeper_of(device)->below, worker, now, started,
                                            completed);
}

static dyno_ns keeper_step_start(struct dyno_device *device, uint32_t worker, uint32_t step)
{
    return keeper_of(device)->below->ops->step_start(keeper_of(device)->below, worker, step);
}

static dyno_ns keeper_next(const struct dyno_device *device)
{
    return keeper_of(device)->below->ops->next(keeper_of(device)->below);
}

static void keeper_close(struct dyno_device *device)
{
    struct keeper *keeper = keeper_of(device);

    tokens_checked += keeper->checked;
    tokens_cached += keeper->cached;
    for (uint32_t i = 0; i < keeper->world->dispatch.worker_count; i++) {
        free(keeper->engines[i].stored);
    }
    keeper->below->ops->close(keeper->below);
    free(keeper->engines);
    free(keeper);
}

static struct dyno_device *keep(const struct world *world, struct dyno_device *below)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);

    ck_assert_ptr_nonnull(keeper);
    keeper->ops = (struct dyno_device_ops){.name = "keeper",
                                           .stores_kv = true,
                                           .open = keeper_open,
                                           .shut = keeper_shut,
                                           .submit = keeper_submit,
                                           .stop = keeper_stop,
                                           .progress = keeper_progress,
                                           .step_start = keeper_step_start,
                                           .reap = keeper_reap,
                                           .next = keeper_next,
                                           .close = keeper_close};
    keeper->base.ops = &keeper->ops;
    keeper->below = below;
    keeper->world = world;
    keeper->engines = calloc(world->dispatch.worker_count, sizeof *keeper->engines);
    for (uint32_t i = 0; i < world->dispatch.worker_count; i++) {
        keeper->engines[i].stored =
            calloc((size_t)world->worker.blocks * world->worker.block_tokens, sizeof(uint64_t));
        ck_assert_ptr_nonnull(keeper->engines[i].stored);
    }
    return &keeper->base;
}

/* Fifty worlds a test, so that a failure names few of them. */
START_TEST(every_token_lies_where_its_table_says)
{
    uint64_t preemptions = 0, evicted = 0, hits = 0;

    for (uint64_t seed = (uint64_t)_i * 50; seed < (uint64_t)_i * 50 + 50; seed++) {
        static const uint32_t steps[] = {1, 7, 1000};
        struct world world;
        struct world_digest with, without;

        world_draw(&world, seed);
        ck_assert_uint_le(world.worker.seqs_max, KEEPER_SEQS_MAX);
        without = world_run(&world, steps[seed % 3]);
        world.wrap = keep;
        with = world_run(&world, steps[seed % 3]);
        ck_assert_msg(with.hash == without.hash, "world %llu: storing KV changed a decision",
                      (unsigned long long)seed);
        preemptions += with.preemptions;
        evicted += with.evicted;
        hits += with.hits;
    }
    ck_assert_msg(
        tokens_checked > 10000 && tokens_cached > 0 && preemptions > 0 && evicted > 0 && hits > 0,
        "fifty worlds checked %llu tokens, of which %llu were there already, %llu "
        "preemptions, %llu evictions, %llu hits",
        (unsigned long long)tokens_checked, (unsigned long long)tokens_cached,
        (unsigned long long)preemptions, (unsigned long long)evicted, (unsigned long long)hits);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("tables");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, every_token_lies_where_its_table_says, 0, 10);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/tables", add_cases)
