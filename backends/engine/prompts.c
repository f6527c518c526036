#include "backends/engine/prompts.h"

#include <stdlib.h>

#include "core/base/map.h"

struct prompts {
    struct dyno_source base;
    struct dyno_prompts_config config;
};

static struct prompts *prompts_of(const struct dyno_source *source)
{
    return (struct prompts *)(uintptr_t)source;
}

/* The tokens at [from, to) of what stands under `name`, from index `at` of it on. */
static void write_tokens(const struct prompts *prompts, uint32_t *tokens, uint32_t from,
                         uint32_t to, uint64_t name)
{
    for (uint32_t i = from; i < to; i++) {
        tokens[i] = (uint32_t)(dyno_chain(name, i - from) % prompts->config.vocab);
    }
}

static void write_prompt(const struct prompts *prompts, const struct dyno_request *request,
                         uint32_t *tokens)
{
    static const uint64_t private_root = 0x5bd1e995c6a4a793ULL;
    uint32_t end = 0;

    for (uint32_t i = 0; i < request->span_count; i++) {
        uint32_t start = end;

        end += request->spans[i].blocks * prompts->config.block_tokens;
        write_tokens(prompts, tokens, start, end, request->spans[i].id);
    }
    write_tokens(prompts, tokens, end, request->prompt_tokens,
                 dyno_chain(private_root, request->id));
}

static dyno_ns prompts_next(struct dyno_source *source)
{
    struct dyno_source *below = prompts_of(source)->config.source;

    return below->ops->next(below);
}

static dyno_status prompts_take(struct dyno_source *source, dyno_ns now, struct dyno_request *out,
                                struct dyno_error *error)
{
    const struct prompts *prompts = prompts_of(source);
    struct dyno_source *below = prompts->config.source;
    struct dyno_transcript *transcript;
    uint32_t left;

    DYNO_TRY(below->ops->take(below, now, out, error));
    if (out->prompt_tokens >= prompts->config.context_max) {
        return DYNO_OK;
    }
    left = prompts->config.context_max - out->prompt_tokens;
    if (dyno_transcripts_add(prompts->config.transcripts, out->id, out->prompt_tokens,
                             out->max_tokens < left ? out->max_tokens : left,
                             &transcript) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the prompt of request %llu",
                         (unsigned long long)out->id);
    }
    write_prompt(prompts, out, transcript->tokens);
    return DYNO_OK;
}

static void prompts_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    const struct prompts *prompts = prompts_of(source);
    struct dyno_source *below = prompts->config.source;

    dyno_transcripts_forget(prompts->config.transcripts, id);
    if (below->ops->ended) {
        below->ops->ended(below, id, at);
    }
}

static bool prompts_finished(const struct dyno_source *source)
{
    const struct dyno_source *below = prompts_of(source)->config.source;

    return below->ops->finished(below);
}

static void prompts_close(struct dyno_source *source)
{
    struct prompts *prompts = prompts_of(source);

    prompts->config.source->ops->close(prompts->config.source);
    free(prompts);
}

static const struct dyno_source_ops prompts_ops = {
    .name = "prompts",
    .next = prompts_next,
    .take = prompts_take,
    .ended = prompts_ended,
    .finished = prompts_finished,
    .close = prompts_close,
};

dyno_status dyno_prompts_open(struct dyno_source **out, const struct dyno_prompts_config *config)
{
    struct prompts *prompts = calloc(1, sizeof *prompts);

    if (!prompts) {
        return DYNO_NO_MEMORY;
    }
    prompts->base.ops = &prompts_ops;
    prompts->config = *config;
    *out = &prompts->base;
    return DYNO_OK;
}
