/* Drawing paths through prefix trees. */
#include "traces/prefix.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/map.h"
#include "core/base/math.h"

enum { GROUPS_MAX = 10000000, DEPTH_MAX = 32, BRANCHES_MAX = 65536 };

static const uint64_t forest_root = 0x666f72657374; /* "forest": identities of the trees' nodes */

static dyno_status check(const struct dyno_generator_config *config, struct dyno_error *error)
{
    if (config->prefix_groups > GROUPS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "prefix_groups is %" PRIu32 "; expected at most %d",
                         config->prefix_groups, GROUPS_MAX);
    }
    if (config->prefix_depth > DEPTH_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "prefix_depth is %" PRIu32 "; expected at most %d levels",
                         config->prefix_depth, DEPTH_MAX);
    }
    if (config->prefix_depth > 0 &&
        (config->prefix_branches == 0 || config->prefix_branches > BRANCHES_MAX)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "prefix_branches is %" PRIu32 "; expected 1 to %d children of a node",
                         config->prefix_branches, BRANCHES_MAX);
    }
    if (!(config->prefix_zipf >= 0 && config->prefix_zipf <= 10)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "prefix_zipf is %g; expected 0 to 10",
                         config->prefix_zipf);
    }
    return DYNO_OK;
}

static bool weigh(struct dyno_prefixes *prefixes, double exponent)
{
    double sum = 0;

    if (exponent == 0) {
        return true;
    }
    prefixes->cumulative = malloc(prefixes->groups * sizeof *prefixes->cumulative);
    if (!prefixes->cumulative) {
        return false;
    }
    for (uint32_t i = 0; i < prefixes->groups; i++) {
        sum += dyno_pow((double)i + 1, -exponent);
        prefixes->cumulative[i] = sum;
    }
    return true;
}

dyno_status dyno_prefixes_init(struct dyno_prefixes *prefixes,
                               const struct dyno_generator_config *config, struct dyno_error *error)
{
    *prefixes = (struct dyno_prefixes){.groups = config->prefix_groups,
                                       .depth = config->prefix_depth,
                                       .branches = config->prefix_branches,
                                       .seed = config->seed};
    if (prefixes->groups == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(check(config, error));
    DYNO_TRY(
        dyno_law_parse_tokens(&prefixes->tokens, "prefix_tokens", config->prefix_tokens, error));
    dyno_rng_init(&prefixes->rng, config->seed, "prefixes");
    if (!weigh(prefixes, config->prefix_zipf)) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %" PRIu32 " prefix groups",
                         prefixes->groups);
    }
    return DYNO_OK;
}

void dyno_prefixes_release(struct dyno_prefixes *prefixes)
{
    free(prefixes->cumulative);
    prefixes->cumulative = NULL;
}

/* The first group whose cumulative weight exceeds a uniform draw. */
static uint32_t draw_group(struct dyno_prefixes *prefixes)
{
    uint32_t low = 0, high = prefixes->groups - 1;
    double draw;

    if (!prefixes->cumulative) {
        return (uint32_t)dyno_rng_below(&prefixes->rng, prefixes->groups);
    }
    draw = dyno_rng_unit(&prefixes->rng) * prefixes->cumulative[high];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (prefixes->cumulative[middle] > draw) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static uint32_t tokens_of(const struct dyno_prefixes *prefixes, uint64_t node)
{
    struct dyno_rng rng;

    if (prefixes->tokens.kind == DYNO_LAW_FIXED) {
        return dyno_law_tokens(&prefixes->tokens, NULL);
    }
    dyno_rng_init(&rng, prefixes->seed ^ node, "prefix tokens");
    return dyno_law_tokens(&prefixes->tokens, &rng);
}

bool dyno_prefixes_draw(struct dyno_prefixes *prefixes, struct dyno_row *row)
{
    uint64_t node = forest_root, end = 0;

    for (uint32_t level = 0; prefixes->groups > 0 && level <= prefixes->depth; level++) {
        uint64_t child =
            level == 0 ? draw_group(prefixes) : dyno_rng_below(&prefixes->rng, prefixes->branches);

        node = dyno_chain(node, child);
        end += tokens_of(prefixes, node);
        end = end < DYNO_ROW_TOKENS_MAX ? end : DYNO_ROW_TOKENS_MAX - 1;
        if (!dyno_row_add_segment(row, node, (uint32_t)end)) {
            return false;
        }
    }
    return true;
}
