/* What every pass of every engine keeps to, over random fleets: a book beside the device follows
 * each sequence from slice to slice and step to step and judges every pass by it. */
#include "core/base/rng.h"
#include "tests/check_main.h"
#include "tests/core/worker/rig.h"

enum { SEEDS = 150, SLOTS = 16, REQUESTS = 80 };

struct slot {
    bool open, decoding;
    uint32_t context; /* tokens in KV */
};

/* What the device should know of its only worker.  A pass takes effect when the first thing after
 * its completion happens. */
struct book {
    struct dyno_device_ops ops;
    const struct dyno_device_ops *real;
    struct slot slots[SLOTS];
    struct dyno_slice slices[SLOTS];
    uint32_t slice_count;
    bool in_flight, decode;
    dyno_ns start;
    uint64_t passes, chunks, mixed, ghosts;
};

static struct rig rig;
static struct book book;

static void take_effect(void)
{
    uint64_t steps = (rig.now - book.start) / DYNO_MS; /* every step takes a millisecond */

    if (!book.in_flight) {
        return;
    }
    book.in_flight = false;
    for (uint32_t i = 0; book.decode && i < SLOTS; i++) {
        book.slots[i].context += book.slots[i].decoding ? (uint32_t)steps : 0;
    }
    for (uint32_t i = 0; i < book.slice_count; i++) {
        struct slot *slot = &book.slots[book.slices[i].slot];

        slot->context = book.slices[i].first + book.slices[i].tokens;
        slot->decoding = book.slices[i].yields;
    }
}

static void on_open(struct dyno_device *device, uint32_t worker, uint32_t slot, uint64_t id,
                    uint32_t generated, uint32_t tokens_max)
{
    take_effect();
    ck_assert_uint_lt(slot, rig.config.worker.seqs_max);
    ck_assert(!book.slots[slot].open);
    book.slots[slot] = (struct slot){.open = true};
    book.real->open(device, worker, slot, id, generated, tokens_max);
}

static void on_shut(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    take_effect();
    ck_assert(book.slots[slot].open);
    book.slots[slot] = (struct slot){.open = false};
    book.real->shut(device, worker, slot);
}

static void check_slices(const struct dyno_pass *pass)
{
    const struct dyno_worker_config *config = &rig.config.worker;
    uint64_t tokens = (pass->decode ? pass->decode_count : 0) + pass->ghost_count;

    for (uint32_t i = 0; i < pass->slice_count; i++) {
        const struct dyno_slice *slice = &pass->slices[i];
        const struct slot *slot = &book.slots[slice->slot];
        bool begins = slot->context == 0;

        ck_assert(slot->open && !slot->decoding && slice->tokens > 0);
        ck_assert_msg(slice->first == slot->context ||
                          (begins && slice->first % config->block_tokens == 0),
                      "a slice starts at %u, after %u", slice->first, slot->context);
        ck_assert_msg(slice->yields || i + 1 == pass->slice_count, "a prompt is cut, but not last");
        ck_assert(slice->yields || config->chunked_prefill);
        for (uint32_t j = 0; j < i; j++) {
            ck_assert_uint_ne(slice->slot, pass->slices[j].slot);
        }
        tokens += slice->tokens;
        book.chunks += !slice->yields;
    }
    ck_assert_msg(tokens <= config->batch_tokens_max, "%llu tokens in a pass of at most %u",
                  (unsigned long long)tokens, config->batch_tokens_max);
}

static void check_decodes(const struct dyno_pass *pass)
{
    uint64_t context = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < SLOTS; i++) {
        count += book.slots[i].decoding;
        context += book.slots[i].decoding ? book.slots[i].context + 1 : 0;
    }
    if (pass->decode) {
        ck_assert_uint_eq(pass->decode_count, count);
        ck_assert_msg(pass->decode_context == context, "contexts sum to %llu, not %llu",
                      (unsigned long long)pass->decode_context, (unsigned long long)context);
    } else {
        ck_assert(count == 0 || rig.config.worker.order == DYNO_ORDER_PREFILL_FIRST);
    }
}

static void on_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    take_effect();
    check_slices(pass);
    check_decodes(pass);
    ck_assert(pass->slice_count > 0 || pass->decode || pass->ghost_count > 0);
    ck_assert((pass->slice_count == 0 && pass->ghost_count == 0) || pass->steps_max == 1);
    ck_assert(pass->ghost_count == 0 || rig.config.worker.async_scheduling);
    book.ghosts += pass->ghost_count;
    if (rig.config.worker.order == DYNO_ORDER_PREFILL_FIRST) {
        ck_assert(pass->slice_count == 0 || !pass->decode);
    }
    for (uint32_t i = 0; i < pass->slice_count; i++) {
        book.slices[i] = pass->slices[i];
    }
    book.slice_count = pass->slice_count;
    book.decode = pass->decode;
    book.start = now;
    book.in_flight = true;
    book.passes++;
    book.mixed += pass->slice_count > 0 && pass->decode;
    rig.pass_count = 0; /* the rig's own notes are not needed */
    book.real->submit(device, now, pass);
}

static uint32_t below(struct dyno_rng *rng, uint32_t bound)
{
    return (uint32_t)dyno_rng_below(rng, bound);
}

static void draw_engine(struct dyno_rng *rng)
{
    static const uint32_t sizes[] = {1, 3, 4, 16};
    struct dyno_worker_config *config = &rig.config.worker;

    rig_init(&rig, 1);
    *config = dyno_engine_table[below(rng, 3)].config;
    config->block_tokens = sizes[below(rng, 4)];
    config->blocks = (60 + below(rng, 400)) / config->block_tokens + 2;
    config->seqs_max = 1 + below(rng, SLOTS);
    config->batch_tokens_max = config->seqs_max + below(rng, 60);
    config->steps_max = below(rng, 3) ? 1u << 20 : 1;
    config->watermark = below(rng, 2) ? 0.0 : 0.1;
    config->prefix_cache = below(rng, 4) != 0;
    config->hit_when_scheduled = below(rng, 2) != 0;
    config->chunked_prefill = true;
    if (below(rng, 4) == 0) { /* then a pass must hold whatever is recomputed */
        config->chunked_prefill = false;
        config->batch_tokens_max = config->blocks * config->block_tokens + config->seqs_max;
    }
}

static void wrap_device(void)
{
    memset(&book, 0, sizeof book);
    book.real = rig.device->ops;
    book.ops = *book.real;
    book.ops.open = on_open;
    book.ops.shut = on_shut;
    book.ops.submit = on_submit;
    rig.device->ops = &book.ops;
}

static void ask_at_random(struct dyno_rng *rng)
{
    dyno_ns at = 0;

    for (uint64_t id = 0; id < REQUESTS; id++) {
        uint32_t size = rig.config.worker.block_tokens, blocks = below(rng, 40 / size + 1);
        uint32_t prompt = blocks * size + 1 + below(rng, 30);
        uint32_t answer = 1 + below(rng, 40);

        at += below(rng, 3) ? 0 : below(rng, 20) * DYNO_MS / 2;
        if (blocks > 0) {
            rig_ask_shared(&rig, at, id, prompt, answer, 100 + below(rng, 3), blocks);
        } else {
            rig_ask(&rig, at, id, prompt, answer);
        }
    }
}

START_TEST(every_pass_keeps_the_rules)
{
    uint64_t passes = 0, chunks = 0, mixed = 0, ghosts = 0, preemptions = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct dyno_fleet_totals totals;
        struct dyno_rng rng;

        dyno_rng_init(&rng, seed, "batch rules");
        draw_engine(&rng);
        rig_open(&rig);
        wrap_device();
        ask_at_random(&rng);
        rig_run(&rig);
        ck_assert_msg(rig.ended_count == REQUESTS, "seed %llu: %u of %d ended",
                      (unsigned long long)seed, rig.ended_count, REQUESTS);
        rig.workers->ops->totals(rig.workers, &totals);
        ck_assert(totals.preemptions == 0 || rig.config.worker.admission != DYNO_ADMIT_NO_EVICT);
        preemptions += totals.preemptions;
        passes += book.passes;
        chunks += book.chunks;
        mixed += book.mixed;
        ghosts += book.ghosts;
        rig.device->ops = book.real;
        rig_close(&rig);
    }
    ck_assert_uint_gt(passes, 10000); /* the fleets were worth it */
    ck_assert_uint_gt(chunks, 1000);
    ck_assert_uint_gt(mixed, 1000);
    ck_assert_uint_gt(ghosts, 1000);
    ck_assert_uint_gt(preemptions, 100);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("batch rules");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, every_pass_keeps_the_rules);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("worker/batch rules", add_cases)
