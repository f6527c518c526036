/* What can be seen of a run of a random world, as one hash and a few counts. */
#ifndef DYNO_TESTS_SYSTEM_WORLD_DIGEST_H
#define DYNO_TESTS_SYSTEM_WORLD_DIGEST_H

#include "core/base/histogram.h"
#include "core/run/planner.h"
#include "core/run/roster.h"
#include "core/run/sink.h"
#include "tests/check_main.h"

struct world_digest {
    uint64_t hash;
    uint64_t in_halves; /* requests whose prompt another worker computed */
    uint64_t records, completed, cancelled, preemptions, evicted, hits, unfinished, gaps;
    uint64_t left_lobby, turned_away; /* gave up, or waited too long, before any worker had it */
    uint64_t held;                    /* waited until a worker might take it, and was served */
    uint64_t plans, starts, start_failures, drains, lobby; /* lobby: ticks with somebody in it */
    struct dyno_fault_totals faults;
    struct dyno_fleet_totals totals;
    dyno_ns end_ns;
};

struct world_sink {
    struct dyno_sink base;
    struct world_digest *digest;
};

static inline void world_mix(struct world_digest *digest, const void *data, size_t bytes)
{
    const unsigned char *from = data;

    for (size_t i = 0; i < bytes; i++) {
        digest->hash = (digest->hash ^ from[i]) * 0x100000001b3ULL;
    }
}

#define WORLD_MIX(digest, value)                                                                   \
    do {                                                                                           \
        uint64_t world_value = (uint64_t)(value);                                                  \
        world_mix(digest, &world_value, sizeof world_value);                                       \
    } while (0)

/* The phases of a request sum to its whole time, each with the stamps it has. */
static inline void world_check_phases(const struct dyno_request_record *record)
{
    if (record->last_token_ns == DYNO_NEVER) {
        ck_assert_uint_eq(record->transfer_ns, 0);
        return;
    }
    ck_assert_uint_le(record->arrival_ns + record->held_ns, record->ready_ns);
    ck_assert_uint_le(record->ready_ns + record->onboard_ns, record->admitted_ns);
    ck_assert_uint_le(record->onboarded_tokens, record->cached_tokens);
    ck_assert_uint_le(record->admitted_ns, record->first_token_ns);
    ck_assert_uint_le(record->first_token_ns + record->transfer_ns, record->last_token_ns);
}

static inline dyno_status world_on_request(struct dyno_sink *sink,
                                           const struct dyno_request_record *record)
{
    struct world_digest *digest = ((struct world_sink *)sink)->digest;

    digest->records++;
    digest->completed += record->outcome == DYNO_COMPLETED;
    digest->cancelled += record->outcome == DYNO_CANCELLED_BY_CLIENT;
    if (record->worker == DYNO_NO_WORKER) {
        digest->left_lobby += record->outcome == DYNO_CANCELLED_BY_CLIENT;
        digest->turned_away += record->outcome == DYNO_REJECTED_QUEUE_TIMEOUT;
    }
    digest->held += record->outcome == DYNO_COMPLETED && record->held_ns > 0;
    WORLD_MIX(digest, record->held_ns);
    digest->preemptions += record->preemptions;
    digest->hits += record->cached_tokens;
    WORLD_MIX(digest, record->id);
    WORLD_MIX(digest, record->worker);
    WORLD_MIX(digest, record->outcome);
    WORLD_MIX(digest, record->output_tokens);
    WORLD_MIX(digest, record->cached_tokens);
    WORLD_MIX(digest, record->preemptions);
    WORLD_MIX(digest, record->arrival_ns);
    WORLD_MIX(digest, record->ready_ns);
    WORLD_MIX(digest, record->admitted_ns);
    WORLD_MIX(digest, record->first_token_ns);
    WORLD_MIX(digest, record->last_token_ns);
    digest->in_halves += record->prefill_worker != 0;
    WORLD_MIX(digest, record->prefill_worker);
    WORLD_MIX(digest, record->transfer_ns);
    WORLD_MIX(digest, record->onboard_ns);
    WORLD_MIX(digest, record->onboarded_tokens);
    world_check_phases(record);
    return DYNO_OK;
}

static inline dyno_status world_on_decision(struct dyno_sink *sink,
                                            const struct dyno_decision_record *record)
{
    struct world_digest *digest = ((struct world_sink *)sink)->digest;

    WORLD_MIX(digest, record->request);
    WORLD_MIX(digest, record->at);
    WORLD_MIX(digest, record->worker);
    WORLD_MIX(digest, record->router);
    WORLD_MIX(digest, record->overlap_blocks);
    WORLD_MIX(digest, record->view_age);
    for (uint32_t i = 0; record->scores && i < record->candidate_count; i++) {
        world_mix(digest, &record->scores[i], sizeof record->scores[i]);
    }
    return DYNO_OK;
}

static inline dyno_status world_on_sample(struct dyno_sink *sink,
                                          const struct dyno_sample_record *record)
{
    struct world_digest *digest = ((struct world_sink *)sink)->digest;

    WORLD_MIX(digest, record->at);
    WORLD_MIX(digest, record->running);
    WORLD_MIX(digest, record->waiting);
    WORLD_MIX(digest, record->blocks_used);
    WORLD_MIX(digest, record->blocks_idle);
    WORLD_MIX(digest, record->tokens_out);
    WORLD_MIX(digest, record->busy_ns);
    return DYNO_OK;
}

static inline dyno_status world_on_plan(struct dyno_sink *sink,
                                        const struct dyno_plan_record *record)
{
    struct world_digest *digest = ((struct world_sink *)sink)->digest;

    digest->plans++;
    digest->lobby += record->lobby > 0;
    WORLD_MIX(digest, record->at);
    WORLD_MIX(digest, record->asked);
    WORLD_MIX(digest, record->desired);
    WORLD_MIX(digest, record->ready);
    WORLD_MIX(digest, record->starting);
    WORLD_MIX(digest, record->draining);
    WORLD_MIX(digest, record->heard);
    WORLD_MIX(digest, record->lobby);
    WORLD_MIX(digest, record->rate * 1e6);
    WORLD_MIX(digest, record->forecast_rate * 1e6);
    return DYNO_OK;
}

static const struct dyno_sink_ops world_sink_ops = {.name = "digest",
                                                    .request = world_on_request,
                                                    .decision = world_on_decision,
                                                    .plan = world_on_plan,
                                                    .sample = world_on_sample};

static inline void world_mix_gaps(struct world_digest *digest, const struct dyno_histogram *itl)
{
    digest->gaps = itl->count;
    WORLD_MIX(digest, itl->count);
    WORLD_MIX(digest, itl->min);
    WORLD_MIX(digest, itl->max);
    WORLD_MIX(digest, itl->sum);
    WORLD_MIX(digest, itl->squares_low);
    for (int i = 1; i < 100; i++) {
        WORLD_MIX(digest, dyno_histogram_quantile(itl, i / 100.0));
    }
}

static inline void world_mix_totals(struct world_digest *digest,
                                    const struct dyno_fleet_totals *totals)
{
    digest->totals = *totals; /* passes may differ: a leap is one pass */
    digest->evicted = totals->evicted_blocks;
    WORLD_MIX(digest, totals->steps);
    WORLD_MIX(digest, totals->prefill_tokens);
    WORLD_MIX(digest, totals->decode_tokens);
    WORLD_MIX(digest, totals->attention_pairs);
    WORLD_MIX(digest, totals->kv_tokens_read);
    WORLD_MIX(digest, totals->preemptions);
    WORLD_MIX(digest, totals->evicted_blocks);
    WORLD_MIX(digest, totals->prompt_blocks_hit);
    WORLD_MIX(digest, totals->transfers);
    WORLD_MIX(digest, totals->transfer_bytes);
    WORLD_MIX(digest, totals->transfer_wait_ns);
    WORLD_MIX(digest, totals->transfers_given_up);
    WORLD_MIX(digest, totals->busy_ns);
    WORLD_MIX(digest, totals->block_ns_used);
    for (uint32_t i = 0; i < totals->tier_count; i++) {
        WORLD_MIX(digest, totals->tiers[i].blocks_idle);
        WORLD_MIX(digest, totals->tiers[i].hit_blocks);
        WORLD_MIX(digest, totals->tiers[i].loaded_blocks);
        WORLD_MIX(digest, totals->tiers[i].stored_blocks);
        WORLD_MIX(digest, totals->tiers[i].evicted_blocks);
        WORLD_MIX(digest, totals->tiers[i].skipped_blocks);
        WORLD_MIX(digest, totals->tiers[i].slow_blocks);
        WORLD_MIX(digest, totals->tiers[i].load_wait_ns);
        WORLD_MIX(digest, totals->tiers[i].store_wait_ns);
    }
}

#endif
