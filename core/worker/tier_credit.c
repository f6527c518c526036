/* What a router may know of tiers: how much of a prompt lies in each. */
#include <stdlib.h>
#include <string.h>

#include "core/worker/tiers_parts.h"

/* ---- tiers with many pools ------------------------------------------------------------------- */

void dyno_tier_wide_close(struct dyno_tier_wide *wide)
{
    dyno_kv_index_close(wide->index);
    free(wide->blocks);
    free(wide->touched);
    memset(wide, 0, sizeof *wide);
}

/* Where memory is out the pools are asked one by one from now on. */
static void on_changed(void *context, uint32_t pool, dyno_ns at, uint64_t span, uint32_t blocks)
{
    const struct dyno_tier_ear *ear = context;
    struct dyno_tier_wide *wide = &ear->tiers->wide[ear->tier];

    (void)at;
    if (wide->index && dyno_kv_index_set(wide->index, span, pool, blocks) != DYNO_OK) {
        dyno_tier_wide_close(wide);
    }
}

dyno_status dyno_tier_wide_open(struct dyno_tiers *tiers, uint32_t tier)
{
    uint32_t count = tiers->config.tiers[tier].pool_count;
    uint32_t few = tiers->config.pools_few ? tiers->config.pools_few : DYNO_TIER_POOLS_FEW;
    struct dyno_tier_wide *wide = &tiers->wide[tier];

    if (count <= few) {
        return DYNO_OK;
    }
    wide->blocks = calloc(count, sizeof *wide->blocks);
    wide->touched = calloc(count, sizeof *wide->touched);
    tiers->ears[tier].listener.changed = on_changed;
    return wide->blocks && wide->touched ? dyno_kv_index_open(&wide->index, count) : DYNO_NO_MEMORY;
}

/* ---- what routers ask ------------------------------------------------------------------------ */

/* Leading blocks of the prompt being routed in a pool, which several workers may have. */
static inline uint32_t found_in(struct dyno_tiers *tiers, uint32_t tier, uint32_t pool,
                                const struct dyno_request *request, uint32_t blocks_max)
{
    struct dyno_tier_found *found = &tiers->found[tier][pool];

    if (found->prompt != tiers->prompts_routed) {
        found->prompt = tiers->prompts_routed;
        found->blocks = dyno_kv_count(&tiers->pools[tier][pool], request->spans,
                                      request->span_count, blocks_max);
    }
    return found->blocks;
}

/* `found` blocks lie in a tier: those beyond the first *end count. */
static inline void add_credit(uint32_t found, double credit, uint32_t *end, double *sum)
{
    if (found > *end) {
        *sum += credit * (found - *end);
        *end = found;
    }
}

/* A tier of many pools: its index tells which have any. */
static void credit_widely(struct dyno_tier_wide *wide, const uint32_t *pool_of, double credit,
                          const struct dyno_request *request, uint32_t blocks_max, uint32_t count,
                          uint32_t *ends, double *sums)
{
    uint32_t touched = dyno_kv_index_match(wide->index, request->spans, request->span_count,
                                           wide->blocks, wide->touched);

    for (uint32_t i = 0; touched > 0 && i < count; i++) {
        uint32_t found = wide->blocks[pool_of[i]];

        if (found > ends[i]) {
            add_credit(found < blocks_max ? found : blocks_max, credit, &ends[i], &sums[i]);
        }
    }
    for (uint32_t i = 0; i < touched; i++) {
        wide->blocks[wide->touched[i]] = 0;
    }
}

/* A tier of one pool, in which all find the same. */
static void credit_alike(uint32_t found, double credit, uint32_t count, uint32_t *ends,
                         double *sums)
{
    for (uint32_t i = 0; found > 0 && i < count; i++) {
        add_credit(found, credit, &ends[i], &sums[i]);
    }
}

/* What whoever else has most of the prompt has, in its own cache. */
static void credit_peers(uint32_t blocks_max, double credit, const uint32_t *overlap,
                         uint32_t count, uint32_t *ends, double *sums)
{
    uint32_t most = 0, next = 0, who = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (overlap[i] > most) {
            next = most;
            most = overlap[i];
            who = i;
        } else if (overlap[i] > next) {
            next = overlap[i];
        }
    }
    for (uint32_t i = 0; most > 0 && i < count; i++) {
        uint32_t found = i == who ? next : most;

        add_credit(found < blocks_max ? found : blocks_max, credit, &ends[i], &sums[i]);
    }
}

void dyno_tiers_credit(struct dyno_tiers *tiers, const struct dyno_request *request,
                       uint32_t block_tokens, const struct dyno_tier_credits *credits,
                       uint32_t first, uint32_t count, const uint8_t *eligible,
                       const uint32_t *overlap, double *credit)
{
    bool peers_first = tiers->config.tier_count == 0 || credits->peers >= credits->tiers[0];
    uint32_t blocks_max = (request->prompt_tokens - 1) / block_tokens;
    uint32_t *ends = tiers->ends;

    tiers->prompts_routed++;
    memcpy(ends, overlap, count * sizeof *ends);
    for (uint32_t i = 0; i < count; i++) {
        credit[i] = 0.0;
    }
    if (credits->peers > 0.0 && peers_first) {
        credit_peers(blocks_max, credits->peers, overlap, count, ends, credit);
    }
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        const uint32_t *pool_of = tiers->config.tiers[i].pool_of + first;

        if (tiers->wide[i].index) {
            credit_widely(&tiers->wide[i], pool_of, credits->tiers[i], request, blocks_max, count,
                          ends, credit);
            continue;
        }
        if (tiers->config.tiers[i].pool_count == 1) {
            credit_alike(found_in(tiers, i, 0, request, blocks_max), credits->tiers[i], count, ends,
                         credit);
            continue;
        }
        for (uint32_t j = 0; j < count; j++) {
            if (eligible[j]) {
                add_credit(found_in(tiers, i, pool_of[j], request, blocks_max), credits->tiers[i],
                           &ends[j], &credit[j]);
            }
        }
    }
    if (credits->peers > 0.0 && !peers_first) {
        credit_peers(blocks_max, credits->peers, overlap, count, ends, credit);
    }
}

uint64_t dyno_tiers_blocks(const struct dyno_tiers *tiers)
{
    uint64_t blocks = 0;

    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        blocks += (uint64_t)tiers->config.tiers[i].pool_count * tiers->config.tiers[i].pool_blocks;
    }
    return blocks;
}
