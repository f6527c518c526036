/* The names of outcomes. */
#include "core/model/record.h"

#include <assert.h>

static const char *const names[DYNO_OUTCOMES] = {
    [DYNO_COMPLETED] = "completed",
    [DYNO_REJECTED_PROMPT_TOO_LONG] = "rejected_prompt_too_long",
    [DYNO_REJECTED_QUEUE_FULL] = "rejected_queue_full",
    [DYNO_CANCELLED_BY_CLIENT] = "cancelled_by_client",
    [DYNO_CANCELLED_AT_END] = "cancelled_at_end",
    [DYNO_FAILED] = "failed",
    [DYNO_REJECTED_QUEUE_TIMEOUT] = "rejected_queue_timeout",
};

const char *dyno_outcome_name(enum dyno_outcome outcome)
{
    assert((unsigned)outcome < DYNO_OUTCOMES);
    return names[outcome];
}

bool dyno_outcome_is_rejected(enum dyno_outcome outcome)
{
    return outcome == DYNO_REJECTED_PROMPT_TOO_LONG || outcome == DYNO_REJECTED_QUEUE_FULL ||
           outcome == DYNO_REJECTED_QUEUE_TIMEOUT;
}

const char *dyno_fault_name(enum dyno_fault_kind kind)
{
    static const char *const kinds[DYNO_FAULT_KINDS] = {
        [DYNO_FAULT_DEATH] = "death", [DYNO_FAULT_STALL] = "stall", [DYNO_FAULT_LINK] = "link"};

    assert((unsigned)kind < DYNO_FAULT_KINDS);
    return kinds[kind];
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void add_tier(struct dyno_tier_totals *tier, const struct dyno_tier_totals *more)
{
    tier->level = larger(tier->level, more->level);
    tier->pools += more->pools;
    tier->blocks_total += more->blocks_total;
    tier->blocks_idle += more->blocks_idle;
    tier->hit_blocks += more->hit_blocks;
    tier->loaded_blocks += more->loaded_blocks;
    tier->stored_blocks += more->stored_blocks;
    tier->skipped_blocks += more->skipped_blocks;
    tier->declined_blocks += more->declined_blocks;
    tier->evicted_blocks += more->evicted_blocks;
    tier->slow_blocks += more->slow_blocks;
    tier->load_wait_ns += more->load_wait_ns;
    tier->store_wait_ns += more->store_wait_ns;
    tier->loads += more->loads;
    tier->stores += more->stores;
    tier->lost_blocks += more->lost_blocks;
    tier->loaded_bytes += more->loaded_bytes;
    tier->stored_bytes += more->stored_bytes;
}

void dyno_fleet_totals_add(struct dyno_fleet_totals *totals, const struct dyno_fleet_totals *more)
{
    totals->workers += more->workers;
    totals->gpus += more->gpus;
    totals->blocks_total += more->blocks_total;
    totals->passes += more->passes;
    totals->steps += more->steps;
    totals->prefill_tokens += more->prefill_tokens;
    totals->decode_tokens += more->decode_tokens;
    totals->attention_pairs += more->attention_pairs;
    totals->kv_tokens_read += more->kv_tokens_read;
    totals->preemptions += more->preemptions;
    totals->tokens_recomputed += more->tokens_recomputed;
    totals->evicted_blocks += more->evicted_blocks;
    totals->pass_tokens_max = larger(totals->pass_tokens_max, more->pass_tokens_max);
    totals->sequences_max = larger(totals->sequences_max, more->sequences_max);
    totals->context_max = larger(totals->context_max, more->context_max);
    totals->prompt_blocks += more->prompt_blocks;
    totals->prompt_blocks_hit += more->prompt_blocks_hit;
    totals->transfers += more->transfers;
    totals->transfer_bytes += more->transfer_bytes;
    totals->transfer_wait_ns += more->transfer_wait_ns;
    totals->transfers_given_up += more->transfers_given_up;
    totals->transfers_sent_again += more->transfers_sent_again;
    totals->tier_count = larger(totals->tier_count, more->tier_count);
    for (uint32_t i = 0; i < more->tier_count; i++) {
        add_tier(&totals->tiers[i], &more->tiers[i]);
    }
    add_tier(&totals->peers, &more->peers);
    totals->tier_block_bytes =
        more->tier_block_bytes > 0 ? more->tier_block_bytes : totals->tier_block_bytes;
    totals->busy_ns += more->busy_ns;
    totals->block_ns_used += more->block_ns_used;
    totals->end_ns = totals->end_ns > more->end_ns ? totals->end_ns : more->end_ns;
}

uint64_t dyno_tier_block_bytes(const struct dyno_fleet_totals *totals,
                               const struct dyno_tier_totals *tier)
{
    uint64_t blocks = tier->loaded_blocks + tier->stored_blocks;

    return blocks > 0 ? (tier->loaded_bytes + tier->stored_bytes) / blocks
                      : totals->tier_block_bytes;
}
