/* What is known of both fleets: when it is decided whether a request is served in halves, and in
 * the end. */
#include "core/worker/handoff_parts.h"

#define LOOK_EVERY_NS DYNO_S /* what workers did in between teaches what things cost */

static void look_at(struct dyno_handoff *handoff, struct dyno_workers *fleet, uint32_t worker,
                    struct dyno_sample_record *last, struct dyno_capacity *capacity)
{
    struct dyno_sample_record sample;

    fleet->ops->sample(fleet, handoff->now, worker, &sample);
    dyno_capacity_learn(
        capacity, &(struct dyno_capacity_work){
                      .busy_s = (double)(sample.busy_ns - last->busy_ns) / 1e9,
                      .steps = (double)(sample.steps - last->steps),
                      .prefill_tokens = (double)(sample.prefill_tokens - last->prefill_tokens),
                      .decode_tokens = (double)(sample.tokens_out - last->tokens_out)});
    *last = sample;
}

void dyno_handoff_look(struct dyno_handoff *handoff)
{
    uint32_t decoders = dyno_handoff_decoders(handoff);

    if (handoff->now < handoff->look_at_ns) {
        return;
    }
    handoff->look_at_ns = handoff->now + LOOK_EVERY_NS;
    for (uint32_t i = 0; i < decoders; i++) {
        look_at(handoff, handoff->decode, i, &handoff->heard[i], &handoff->decode_capacity);
    }
    for (uint32_t i = 0; i < handoff->config.prefill.worker_count; i++) {
        look_at(handoff, handoff->prefill, i, &handoff->heard[decoders + i],
                &handoff->prefill_capacity);
    }
}

/* Who computes prompts now. */
static uint32_t prefill_workers(const struct dyno_handoff *handoff)
{
    const struct dyno_handoff_router *router = &handoff->config.router;
    uint32_t open = router->open_count ? router->open_count(router->context)
                                       : handoff->config.prefill.worker_count;

    return open > 0 ? open : 1;
}

struct dyno_handoff_view dyno_handoff_view_of(struct dyno_handoff *handoff, uint32_t worker,
                                              const struct dyno_request *request)
{
    struct dyno_handoff_view view = {
        .prompt_tokens = request->prompt_tokens,
        .cached_tokens = dyno_half_cached_tokens(handoff->decode, handoff->now, worker, request),
        .tokens_ahead = handoff->tokens_ahead / prefill_workers(handoff),
        .pass_tokens = handoff->config.prefill.worker.batch_tokens_max};

    if (!handoff->config.policy->predicts) {
        return view;
    }
    dyno_handoff_look(handoff);
    dyno_half_load(handoff->decode, worker, &view.decoding, &view.waiting);
    view.costs_known = dyno_capacity_costs(&handoff->decode_capacity, &view.decode) &&
                       dyno_capacity_costs(&handoff->prefill_capacity, &view.prefill);
    view.move_s = handoff->moved_blocks > 0
                      ? (double)handoff->wait_ns / 1e9 / (double)handoff->moved_blocks *
                            ((double)(request->prompt_tokens - view.cached_tokens) /
                             handoff->config.decode.worker.block_tokens)
                      : 0.0;
    return view;
}

bool dyno_handoff_is_in_halves(struct dyno_handoff *handoff, uint32_t worker,
                               const struct dyno_request *request)
{
    struct dyno_handoff_view view;

    if (!handoff->config.policy->in_halves_ever ||
        !dyno_half_could_hold(handoff->prefill, request) || !dyno_handoff_is_anybody(handoff) ||
        (request->before && request->before->record.output_tokens > 0)) {
        return false; /* whoever goes on with an answer recomputes it where it goes on */
    }
    view = dyno_handoff_view_of(handoff, worker, request);
    return handoff->config.policy->in_halves(handoff->config.policy_tokens, &view);
}

void dyno_handoff_totals_of(const struct dyno_workers *workers, struct dyno_fleet_totals *decode,
                            struct dyno_fleet_totals *prefill)
{
    const struct dyno_handoff *handoff = (const void *)workers; /* its first member */

    handoff->decode->ops->totals(handoff->decode, decode);
    handoff->prefill->ops->totals(handoff->prefill, prefill);
}

void dyno_handoff_totals(const struct dyno_workers *workers, struct dyno_fleet_totals *out)
{
    const struct dyno_handoff *handoff = (const void *)workers; /* its first member */
    struct dyno_fleet_totals prefill;

    dyno_handoff_totals_of(workers, out, &prefill);
    dyno_fleet_totals_add(out, &prefill);
    if (handoff->config.same_gpus) { /* they were counted in both roles */
        out->workers -= prefill.workers;
        out->gpus -= prefill.gpus;
        out->blocks_total -= prefill.blocks_total;
    }
    out->transfers = handoff->transfers;
    out->transfer_bytes = handoff->bytes;
    out->transfer_wait_ns = handoff->wait_ns;
    out->transfers_given_up = handoff->given_up;
    out->transfers_sent_again = handoff->sent_again;
}
