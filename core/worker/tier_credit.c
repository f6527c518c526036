/* What a router may know of tiers: how much of a prompt lies in each. */
#include "core/worker/tiers_parts.h"

/* Leading blocks of the prompt in a pool. */
static uint32_t blocks_in(const struct dyno_kv_cache *pool, const struct dyno_request *request,
                          uint32_t blocks_max)
{
    uint32_t blocks = 0, idle;

    for (uint32_t i = 0; i < request->span_count && blocks < blocks_max; i++) {
        struct dyno_kv_link link = {.span = request->spans[i].id,
                                    .blocks = request->spans[i].blocks,
                                    .run = DYNO_KV_NO_RUN};
        uint32_t found = dyno_kv_find(pool, &link, 1, blocks_max - blocks, &idle);

        blocks += found;
        if (found < link.blocks) {
            break;
        }
    }
    return blocks;
}

/* The same, of the prompt being routed: several workers may have the pool. */
static uint32_t found_in(struct dyno_tiers *tiers, uint32_t tier, uint32_t pool,
                         const struct dyno_request *request, uint32_t blocks_max)
{
    struct dyno_tier_found *found = &tiers->found[tier][pool];

    if (found->prompt != tiers->prompts_routed) {
        found->prompt = tiers->prompts_routed;
        found->blocks = blocks_in(&tiers->pools[tier][pool], request, blocks_max);
    }
    return found->blocks;
}

void dyno_tiers_credit(struct dyno_tiers *tiers, const struct dyno_request *request,
                       uint32_t block_tokens, const double credits[DYNO_TIERS_MAX], uint32_t first,
                       uint32_t count, const uint32_t *overlap, double *credit)
{
    uint32_t blocks_max = (request->prompt_tokens - 1) / block_tokens;

    tiers->prompts_routed++;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = overlap[i];

        credit[i] = 0.0;
        for (uint32_t j = 0; j < tiers->config.tier_count; j++) {
            uint32_t pool = tiers->config.tiers[j].pool_of[first + i];
            uint32_t found = found_in(tiers, j, pool, request, blocks_max);

            if (found > end) {
                credit[i] += credits[j] * (found - end);
                end = found;
            }
        }
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
