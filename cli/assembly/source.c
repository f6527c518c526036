#include "cli/assembly/source.h"

#include <inttypes.h>

#include "backends/engine/prompts.h"
#include "cli/assembly/ahead.h"
#include "cli/assembly/models.h"
#include "cli/assembly/observed.h"
#include "cli/assembly/run_frame.h"
#include "sim/vclock.h"

static struct dyno_frame_source frame_source(const struct dyno_assembly *assembly)
{
    return (struct dyno_frame_source){.block_tokens = assembly->worker.block_tokens,
                                      .trace_data = assembly->trace_data,
                                      .trace_size = assembly->trace_size,
                                      .models = assembly->fleets ? &assembly->fleets->models.choice
                                                                 : NULL};
}

/* ---- whether any request fits ---------------------------------------------------------------- */

/* What was read. */
struct search {
    struct dyno_assembly *assembly;
    uint32_t shortest; /* of the prompts that fit nowhere; 0: none was read */
    uint32_t model;    /* ... and whose that is */
    bool any_fits;
};

static dyno_status see(void *context, dyno_ns at, const struct dyno_request *request,
                       uint32_t output_tokens, bool *enough)
{
    struct search *search = context;
    dyno_ns end = search->assembly->scenario->run.duration_max_ns;
    const struct dyno_worker_config *worker =
        &dyno_fleets_of(search->assembly, request->model)->worker;

    (void)output_tokens;
    if (end > 0 && at > end) {
        *enough = true;
        return DYNO_OK;
    }
    search->any_fits = dyno_worker_could_hold(worker, request->prompt_tokens);
    if (search->shortest == 0 || request->prompt_tokens < search->shortest) {
        search->shortest = request->prompt_tokens;
        search->model = request->model;
    }
    *enough = search->any_fits;
    return DYNO_OK;
}

static dyno_status refuse(const struct search *search, struct dyno_error *error)
{
    const struct dyno_worker_config *worker =
        &dyno_fleets_of(search->assembly, search->model)->worker;
    uint64_t most = dyno_worker_tokens_max(worker);

    if (!worker->chunked_prefill && worker->batch_tokens_max < most) {
        most = (uint64_t)worker->batch_tokens_max + 1;
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "no request fits: the shortest prompt has %u tokens, and a worker takes "
                     "%" PRIu64 " at most and one of the answer (batch.context_max, kv.blocks); "
                     "ask shorter ones, or a model with more context",
                     search->shortest, most > 0 ? most - 1 : 0);
}

static dyno_status check_fits(struct dyno_assembly *assembly, struct dyno_error *error)
{
    struct search search = {.assembly = assembly};
    struct dyno_frame_source from = frame_source(assembly);

    if (assembly->clock == dyno_virtual_clock() ||
        (!assembly->trace_data && dyno_ahead_is_once(assembly->scenario))) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_ahead_read(assembly->scenario, &from, see, &search, error));
    return search.any_fits || search.shortest == 0 ? DYNO_OK : refuse(&search, error);
}

/* ---- opening --------------------------------------------------------------------------------- */

static dyno_status see_bound(void *context, const struct dyno_request *request)
{
    return dyno_belady_add(context, request->spans, request->span_count, request->prompt_tokens);
}

/* Tokens that every model knows. */
static uint32_t least_vocab(struct dyno_assembly *assembly)
{
    uint32_t least = assembly->live.weights->model.vocab;

    for (uint32_t i = 1; i < dyno_fleets_count(assembly); i++) {
        uint32_t vocab = dyno_fleets_of(assembly, i)->live.weights->model.vocab;

        least = vocab < least ? vocab : least;
    }
    return least;
}

dyno_status dyno_assembly_open_source(struct dyno_assembly *assembly, unsigned flags,
                                      struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    uint64_t capacity =
        scenario->disagg.policy
            ? (uint64_t)assembly->worker.blocks * dyno_halves_decoders(scenario) +
                  (uint64_t)assembly->halves.worker.blocks * dyno_halves_prefillers(scenario)
            : (uint64_t)assembly->worker.blocks * scenario->fleet.workers;
    struct dyno_frame_source from;

    if (assembly->open_outside) {
        if (!assembly->live.transcripts) {
            DYNO_TRY(dyno_transcripts_open(&assembly->live.transcripts));
        }
        return assembly->open_outside(assembly->outside_context, assembly, &assembly->source,
                                      error);
    }
    DYNO_TRY(check_fits(assembly, error));
    from = frame_source(assembly);
    from.trace_copy = assembly->trace_copy;
    DYNO_TRY(
        dyno_frame_open_source(&assembly->recorded, scenario, &from, assembly->answers, error));
    if (flags & DYNO_PRELOAD) {
        DYNO_TRY(
            dyno_source_preload(&assembly->recorded, assembly->recorded, assembly->answers, error));
    }
    assembly->source = assembly->recorded;
    if (assembly->scenario->kv.bound_belady) {
        DYNO_TRY(dyno_belady_open(&assembly->belady, capacity, assembly->worker.block_tokens,
                                  DYNO_BELADY_REFS_MAX));
        DYNO_TRY(
            dyno_observed_open(&assembly->source, assembly->source, see_bound, assembly->belady));
    }
    if (assembly->see) {
        DYNO_TRY(dyno_observed_open(&assembly->source, assembly->source, assembly->see,
                                    assembly->see_context));
    }
    if (!assembly->live.weights) {
        return DYNO_OK;
    }
    return dyno_prompts_open(&assembly->source, &(struct dyno_prompts_config){
                                                    .source = assembly->source,
                                                    .transcripts = assembly->live.transcripts,
                                                    .block_tokens = assembly->worker.block_tokens,
                                                    .vocab = least_vocab(assembly),
                                                    .context_max = assembly->worker.context_max});
}
