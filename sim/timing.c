/* The cost of a pass from tables of ticks.
 *
 * All that depends on the number of tokens, or of sequences that yield, is computed once and then
 * looked up; decode attention is an integer number of ticks for every token of context, so that
 * the steps of a pass form an arithmetic series exactly.  What is left for a pass with prompts is
 * one sum over its slices. */
#include "sim/timing.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/usual.h"
#include "sim/timing_layers.h"

enum { TABLE_MAX = 1 << 17 };

struct dyno_timing {
    struct dyno_layers layers;
    uint64_t *body; /* [body_count] by tokens: GEMMs, elementwise, collectives, launches; 0: not yet
                       computed */
    uint64_t *head; /* [head_count] by sequences that yield: logits and sampling */
    uint32_t body_count, head_count;
    uint64_t host;            /* ticks per pass ... */
    uint64_t host_sequence;   /* ... and per sequence in it */
    uint64_t decode_pass;     /* ticks of decode attention per pass of decodes alone ... */
    uint64_t decode_sequence; /* ... per sequence ... */
    uint64_t decode_context;  /* ... and per token of context */
    uint32_t *padded;         /* [graphs.tokens_max + 1]: tokens of the graph that runs so many */
};

/* What a pass asks for, summed over its slices. */
struct demand {
    uint64_t tokens; /* all */
    uint64_t prefill_tokens;
    uint64_t sequences, yields;
    uint64_t pairs, window_pairs;
    uint32_t longest; /* slice, in tokens */
    uint64_t decodes; /* the decode set and those that ended unnoticed ... */
    uint64_t context; /* ... and their contexts, summed */
};

/* Saturates at 1,000 seconds, so that sums of a few parts stay within 64 bits. */
static uint64_t ticks_of(double us)
{
    double limit = 1e9;

    return (uint64_t)((us < limit ? us : limit) * 1000 * (double)DYNO_TICKS_PER_NS + 0.5);
}

static uint64_t body_ticks(const struct dyno_layers *layers, uint64_t tokens)
{
    double count = (double)tokens;

    if (tokens == 0) {
        return 0;
    }
    return ticks_of(dyno_layers_gemm_us(layers, count) + dyno_layers_elementwise_us(layers, count) +
                    dyno_layers_collective_us(layers, count) +
                    dyno_layers_attention_launch_us(layers));
}

/* Most runs see few of the sizes that a pass may have: an entry is filled when it is first read. */
static __attribute__((noinline)) uint64_t fill_body(const struct dyno_timing *timing,
                                                    uint64_t tokens)
{
    uint64_t ticks = body_ticks(&timing->layers, tokens);

    if (tokens < timing->body_count) {
        timing->body[tokens] = ticks;
    }
    return ticks;
}

static inline uint64_t body_of(const struct dyno_timing *timing, uint64_t tokens)
{
    uint64_t ticks = tokens < timing->body_count ? timing->body[tokens] : 0;

    return DYNO_RARELY(ticks == 0) ? fill_body(timing, tokens) : ticks;
}

/* What a pass's linear layers compute: more than it has where it runs as a captured graph. */
static uint64_t computed(const struct dyno_timing *timing, const struct dyno_pass *pass,
                         uint64_t tokens)
{
    const struct dyno_graphs *graphs = &timing->layers.config.graphs;

    if (tokens > graphs->tokens_max || (pass->slice_count > 0 && !graphs->prompts)) {
        return tokens;
    }
    return timing->padded[tokens];
}

static __attribute__((noinline)) uint64_t head_ticks(const struct dyno_layers *layers,
                                                     uint64_t sequences)
{
    return ticks_of(dyno_layers_sampling_us(layers, (double)sequences));
}

static uint64_t head_of(const struct dyno_timing *timing, uint64_t sequences)
{
    return sequences < timing->head_count ? timing->head[sequences]
                                          : head_ticks(&timing->layers, sequences);
}

/* (query, context) pairs of a slice, each query seeing at most `window` tokens (itself included):
 * the sum over i = 1..tokens of min(first + i, window). */
static uint64_t pairs_within(const struct dyno_slice *slice, uint64_t window)
{
    uint64_t tokens = slice->tokens;
    uint64_t growing = slice->first >= window ? 0 : window - slice->first;

    if (growing > tokens) {
        growing = tokens;
    }
    return growing * slice->first + growing * (growing + 1) / 2 + (tokens - growing) * window;
}

static struct demand demand_of(const struct dyno_timing *timing, const struct dyno_pass *pass)
{
    uint64_t window =
        timing->layers.window_layers > 0 ? timing->layers.config.model.sliding_window : 0;
    struct demand demand = {0};

    for (uint32_t i = 0; i < pass->slice_count; i++) {
        const struct dyno_slice *slice = &pass->slices[i];

        demand.prefill_tokens += slice->tokens;
        demand.yields += slice->yields;
        demand.longest = slice->tokens > demand.longest ? slice->tokens : demand.longest;
        demand.pairs += pairs_within(slice, UINT64_MAX);
        demand.window_pairs += window ? pairs_within(slice, window) : 0;
    }
    demand.tokens = demand.prefill_tokens;
    demand.decodes = pass->ghost_count + (pass->decode ? pass->decode_count : 0);
    demand.context = pass->ghost_context + (pass->decode ? pass->decode_context : 0);
    demand.tokens += demand.decodes;
    demand.sequences = pass->slice_count + demand.decodes;
    demand.yields += demand.decodes;
    return demand;
}

/* Of a pass with prompts. */
static double attention_us(const struct dyno_timing *timing, const struct demand *demand)
{
    struct dyno_layers_attention attention = {
        .tokens = (double)demand->prefill_tokens,
        .pairs = (double)demand->pairs,
        .window_pairs = (double)demand->window_pairs,
        .longest = demand->longest,
        .decodes = (double)demand->decodes,
        .decode_context = (double)demand->context,
    };

    return dyno_layers_mixed_us(&timing->layers, &attention);
}

/* All but attention. */
static inline uint64_t rest_of(const struct dyno_timing *timing, uint64_t tokens, uint64_t yields,
                               uint64_t sequences)
{
    return body_of(timing, tokens) + head_of(timing, yields) + timing->host +
           sequences * timing->host_sequence;
}

/* Decodes alone, as most passes are. */
static void decode_cost(const struct dyno_timing *timing, const struct dyno_pass *pass,
                        struct dyno_pass_cost *out)
{
    uint64_t decodes = pass->ghost_count + (pass->decode ? pass->decode_count : 0);
    uint64_t context = pass->ghost_context + (pass->decode ? pass->decode_context : 0);

    out->first = rest_of(timing, computed(timing, pass, decodes), decodes, decodes);
    out->growth = decodes * timing->decode_context;
    out->steps_max = UINT32_MAX;
    if (decodes > 0) {
        out->first += timing->decode_pass + decodes * timing->decode_sequence +
                      context * timing->decode_context;
    }
}

void dyno_timing_cost(const struct dyno_timing *timing, const struct dyno_pass *pass,
                      struct dyno_pass_cost *out)
{
    struct demand demand;

    if (pass->slice_count == 0) {
        decode_cost(timing, pass, out);
        return;
    }
    demand = demand_of(timing, pass);
    out->first =
        rest_of(timing, computed(timing, pass, demand.tokens), demand.yields, demand.sequences) +
        ticks_of(attention_us(timing, &demand));
    out->growth = 0;
    out->steps_max = 1;
}

void dyno_timing_explain(const struct dyno_timing *timing, const struct dyno_pass *pass,
                         struct dyno_timing_parts *out)
{
    const struct dyno_layers *layers = &timing->layers;
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;
    struct demand demand = demand_of(timing, pass);
    double tokens = (double)computed(timing, pass, demand.tokens);
    double launch_us = dyno_layers_attention_launch_us(layers);

    *out = (struct dyno_timing_parts){0};
    out->host_us =
        parameters->host_us + (double)demand.sequences * parameters->host_us_per_sequence;
    out->sampling_us = dyno_layers_sampling_us(layers, (double)demand.yields);
    if (demand.tokens == 0) {
        return;
    }
    out->gemm_us = dyno_layers_gemm_us(layers, tokens);
    out->elementwise_us = dyno_layers_elementwise_us(layers, tokens);
    out->collective_us = dyno_layers_collective_us(layers, tokens);
    if (pass->slice_count) { /* one kernel serves both: counted with the prompts but for what the
                                decodes add */
        out->prefill_attention_us =
            dyno_layers_prefill_us(layers, (double)demand.prefill_tokens, (double)demand.pairs,
                                   (double)demand.window_pairs) +
            launch_us;
        out->decode_attention_us =
            attention_us(timing, &demand) + launch_us - out->prefill_attention_us;
    } else if (demand.decodes > 0) {
        out->decode_attention_us = (double)demand.decodes * dyno_layers_decode_sequence_us(layers) +
                                   (double)demand.context * dyno_layers_decode_context_us(layers) +
                                   launch_us + dyno_layers_combine_us(layers);
    }
}

static void fill_tables(struct dyno_timing *timing)
{
    const struct dyno_timing_parameters *parameters = &timing->layers.config.parameters;

    for (uint32_t tokens = 0; tokens <= timing->layers.config.graphs.tokens_max; tokens++) {
        timing->padded[tokens] = (uint32_t)dyno_graph_tokens(&timing->layers.config.graphs, tokens);
    }
    for (uint32_t sequences = 0; sequences < timing->head_count; sequences++) {
        timing->head[sequences] = head_ticks(&timing->layers, sequences);
    }
    timing->host = ticks_of(parameters->host_us);
    timing->host_sequence = ticks_of(parameters->host_us_per_sequence);
    timing->decode_pass = ticks_of(dyno_layers_combine_us(&timing->layers));
    timing->decode_sequence = ticks_of(dyno_layers_decode_sequence_us(&timing->layers));
    timing->decode_context = ticks_of(dyno_layers_decode_context_us(&timing->layers));
}

/* Kernels are measured one at a time, in bursts; a server multiplies for as long as it runs. */
static struct dyno_timing_config slowed_down(const struct dyno_timing_config *config)
{
    struct dyno_timing_config slow = *config;

    slow.parameters.gemm_flops_efficiency *= config->parameters.sustained_share;
    slow.parameters.prefill_attention_efficiency *= config->parameters.sustained_share;
    return slow;
}

/* Entries 0..max, or as many as a table may have; beyond them costs are computed. */
static uint32_t table_count(uint32_t max)
{
    return max < TABLE_MAX ? max + 1 : TABLE_MAX;
}

dyno_status dyno_timing_open(struct dyno_timing **out, const struct dyno_timing_config *config,
                             struct dyno_error *error)
{
    struct dyno_timing_config slow = slowed_down(config);
    struct dyno_timing *timing;

    DYNO_TRY(dyno_timing_check(config, error));
    timing = calloc(1, sizeof *timing);
    if (!timing) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the timing tables");
    }
    dyno_layers_init(&timing->layers, &slow);
    timing->body_count = table_count(config->batch_tokens_max);
    timing->head_count = table_count(config->seqs_max);
    timing->body = calloc(timing->body_count, sizeof *timing->body);
    timing->head = malloc(timing->head_count * sizeof *timing->head);
    timing->padded = malloc((config->graphs.tokens_max + (size_t)1) * sizeof *timing->padded);
    if (!timing->body || !timing->head || !timing->padded) {
        dyno_timing_close(timing);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the timing tables");
    }
    fill_tables(timing);
    *out = timing;
    return DYNO_OK;
}

void dyno_timing_close(struct dyno_timing *timing)
{
    if (timing) {
        free(timing->body);
        free(timing->head);
        free(timing->padded);
        free(timing);
    }
}
