/* What a router may know of tiers: how much of a prompt lies in each. */
#include "core/worker/tiers_parts.h"

/* Leading blocks of the prompt being routed in a pool, which several workers may have. */
static uint32_t found_in(struct dyno_tiers *tiers, uint32_t tier, uint32_t pool,
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
