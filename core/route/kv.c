/* Policies that weigh what a worker has cached against what it has to do.
 *
 * For a prompt of n tokens, B tokens a block, and each eligible worker w:
 *
 *     cached  = overlap_w * B
 *     prefill = (prefill_tokens_w + max(n - cached, 0) + cached) / B
 *     decay   = 1 / (1 + overlap_decay * (prefill_tokens_w - least prefill_tokens) / B / blocks)
 *     todo    = max(prefill - overlap_credit * decay * overlap_w - tier_credit_w, 0)
 *     decode  = active_blocks_w + blocks - active_overlap_w
 *
 *     kv, kv_approx:  prefill_load_scale * todo + decode + decode_request_weight * inflight_w
 *     lmetric:        todo * (decode + 1)
 *
 * with blocks = ceil(n / B), and everything in blocks.  `prefill` counts the whole prompt, cached
 * or not; the credit takes off what need not be computed, so that with the default credit of 1
 * `todo` is the worker's queue of prompt tokens if it gets this request.  Without
 * track_prefill_tokens `prefill` is 0, without track_active_blocks `decode` is.  The cost is
 * Dynamo's, lmetric's that of arXiv 2603.15202.
 */
#include <stdbool.h>

#include "core/route/table.h"

/* Counts stay far below 2^63; converting from a signed integer is one instruction. */
static inline double real(uint64_t count)
{
    return (double)(int64_t)count;
}

/* What is the same for all workers. */
struct terms {
    double prompt_tokens;
    double prompt_blocks;
    double block_tokens;
    double least_prefill; /* tokens */
};

static struct terms terms_of(const struct dyno_route_config *config,
                             const struct dyno_route_request *request,
                             const struct dyno_route_view *view)
{
    struct terms terms = {.prompt_tokens = request->prompt_tokens,
                          .prompt_blocks = request->prompt_blocks,
                          .block_tokens = view->block_tokens};
    uint64_t least = UINT64_MAX;

    for (uint32_t w = 0; config->overlap_decay != 0 && w < view->worker_count; w++) {
        if (view->eligible[w] && view->prefill_tokens[w] < least) {
            least = view->prefill_tokens[w];
        }
    }
    terms.least_prefill = least == UINT64_MAX ? 0.0 : (double)least;
    return terms;
}

static double decay_of(const struct dyno_route_config *config, const struct terms *terms,
                       double prefill_tokens)
{
    double ahead = (prefill_tokens - terms->least_prefill) / terms->block_tokens;

    return 1.0 / (1.0 + config->overlap_decay * ahead / terms->prompt_blocks);
}

/* Blocks of prompt that `worker` would have to compute, less `below`: what its lower tiers save. */
static inline double todo_less(const struct dyno_route_config *config,
                               const struct dyno_route_view *view, const struct terms *terms,
                               uint32_t worker, double below)
{
    double overlap = view->overlap_blocks[worker];
    double prefill_tokens = real(view->prefill_tokens[worker]);
    double cached = overlap * terms->block_tokens;
    double prompt = terms->prompt_tokens > cached ? terms->prompt_tokens : cached;
    double credit = config->overlap_credit * overlap;
    double todo = 0.0;

    if (config->track_prefill_tokens) {
        todo = (prefill_tokens + prompt) / terms->block_tokens;
    }
    if (config->overlap_decay != 0) {
        credit *= decay_of(config, terms, prefill_tokens);
    }
    todo -= credit + below;
    return todo > 0.0 ? todo : 0.0;
}

static inline double todo_of(const struct dyno_route_config *config,
                             const struct dyno_route_view *view, const struct terms *terms,
                             uint32_t worker)
{
    return todo_less(config, view, terms, worker,
                     view->tier_credit ? view->tier_credit[worker] : 0.0);
}

static double decode_of(const struct dyno_route_config *config, const struct dyno_route_view *view,
                        const struct terms *terms, uint32_t worker)
{
    if (!config->track_active_blocks) {
        return 0.0;
    }
    return real(view->active_blocks[worker]) + terms->prompt_blocks -
           (double)view->active_overlap_blocks[worker];
}

/* What one worker costs. */
static inline double cost_of(const struct dyno_route_config *config,
                             const struct dyno_route_view *view, const struct terms *terms,
                             uint32_t worker)
{
    return config->prefill_load_scale * todo_of(config, view, terms, worker) +
           decode_of(config, view, terms, worker) +
           config->decode_request_weight * (double)view->inflight[worker];
}

/* Whether nothing of the prompt is in the worker's cache, and no prompt waits there. */
static inline bool is_plain(const struct dyno_route_view *view, uint32_t worker)
{
    return view->prefill_tokens[worker] == 0 &&
           (view->overlap_blocks[worker] | view->active_overlap_blocks[worker]) == 0;
}

/* What all workers cost, where most differ only by requests in flight and by what lies below them:
 * the rest of it is the same number, computed once. */
static void price_most_alike(const struct dyno_route_config *config,
                             const struct dyno_route_view *view, const struct terms *terms,
                             double *costs)
{
    double prompt = terms->prompt_tokens / terms->block_tokens;

    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        double todo = prompt;

        if (!is_plain(view, worker)) {
            costs[worker] = cost_of(config, view, terms, worker);
            continue;
        }
        if (view->tier_credit) {
            todo -= view->tier_credit[worker];
            todo = todo > 0.0 ? todo : 0.0;
        }
        costs[worker] = config->prefill_load_scale * todo +
                        (real(view->active_blocks[worker]) + terms->prompt_blocks);
    }
}

static uint32_t kv_pick(void *state, const struct dyno_route_config *config,
                        const struct dyno_route_request *request,
                        const struct dyno_route_view *view,
                        const struct dyno_route_services *services, struct dyno_route_dice *dice,
                        double *costs, int *scored)
{
    const struct dyno_route_config own = *config; /* no cost written can change it */
    struct terms terms = terms_of(config, request, view);

    (void)state;
    if (own.track_prefill_tokens && own.track_active_blocks && own.decode_request_weight == 0.0) {
        price_most_alike(&own, view, &terms, costs);
    } else {
        for (uint32_t worker = 0; worker < view->worker_count; worker++) {
            costs[worker] = cost_of(&own, view, &terms, worker);
        }
    }
    *scored = 1;
    return services->choose(dice, view, costs, config->temperature, config->temperature_absolute);
}

static uint32_t lmetric_pick(void *state, const struct dyno_route_config *config,
                             const struct dyno_route_request *request,
                             const struct dyno_route_view *view,
                             const struct dyno_route_services *services,
                             struct dyno_route_dice *dice, double *costs, int *scored)
{
    struct terms terms = terms_of(config, request, view);

    (void)state;
    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        costs[worker] =
            todo_of(config, view, &terms, worker) * (decode_of(config, view, &terms, worker) + 1.0);
    }
    *scored = 1;
    return services->choose(dice, view, costs, config->temperature, config->temperature_absolute);
}

const struct dyno_route_policy dyno_route_kv = {
    .abi = DYNO_ROUTE_ABI,
    .needs = DYNO_ROUTE_NEEDS_OVERLAP | DYNO_ROUTE_NEEDS_ACTIVE,
    .name = "kv",
    .help = "least prompt left to compute plus blocks in use, by the workers' cache events",
    .pick = kv_pick,
};

const struct dyno_route_policy dyno_route_kv_approx = {
    .abi = DYNO_ROUTE_ABI,
    .needs = DYNO_ROUTE_NEEDS_GUESSED | DYNO_ROUTE_NEEDS_ACTIVE,
    .name = "kv_approx",
    .help = "as kv, but guesses what is cached from what was routed where",
    .pick = kv_pick,
};

const struct dyno_route_policy dyno_route_lmetric = {
    .abi = DYNO_ROUTE_ABI,
    .needs = DYNO_ROUTE_NEEDS_OVERLAP | DYNO_ROUTE_NEEDS_ACTIVE,
    .name = "lmetric",
    .help = "prompt left to compute times blocks in use, by the workers' cache events",
    .pick = lmetric_pick,
};
