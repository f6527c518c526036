/* How a worker batches and caches: plain data, filled from an engine profile and options. */
#ifndef DYNO_CORE_WORKER_CONFIG_H
#define DYNO_CORE_WORKER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/time.h"

enum dyno_batch_order {
    DYNO_ORDER_MIXED,         /* vLLM V1: running first, then waiting, one pass for both */
    DYNO_ORDER_PREFILL_FIRST, /* SGLang: a pass of prompts if any fits, else a decode pass */
};

enum dyno_batch_admission {
    DYNO_ADMIT_CHUNK,    /* vLLM: blocks for the tokens of this pass; preempt when they run out */
    DYNO_ADMIT_ESTIMATE, /* SGLang: prompt plus a share of what running sequences may still need */
    DYNO_ADMIT_NO_EVICT, /* TensorRT-LLM: blocks for prompt and max_tokens; never preempts */
};

enum dyno_queue_order {
    DYNO_QUEUE_FCFS, /* first come, first served */
    DYNO_QUEUE_LPM,  /* SGLang's: longest prefix match first; DYNO_ORDER_PREFILL_FIRST only */
};

struct dyno_worker_config {
    const char *engine; /* profile name */
    enum dyno_batch_order order;
    enum dyno_batch_admission admission;
    enum dyno_queue_order queue_order;
    uint32_t block_tokens;       /* tokens of a KV block */
    uint32_t blocks;             /* KV blocks of a worker */
    uint32_t batch_tokens_max;   /* token budget of a pass (max_num_batched_tokens) */
    uint32_t prefill_tokens_max; /* DYNO_ORDER_PREFILL_FIRST: a prompt longer than what is left of
                                    this begins no pass with others in it (SGLang's
                                    max_prefill_tokens); 0: it may */
    uint32_t prefill_interval;   /* DYNO_ORDER_MIXED: while anything decodes, prompts go into every
                                    so many steps only (vLLM's prefill_schedule_interval); 0 or 1:
                                    into all */
    uint32_t lookahead;          /* tokens beyond the next one that every running sequence has
                                    blocks for (vLLM's num_lookahead_tokens); 0: none */
    uint32_t seqs_max;           /* running sequences (max_num_seqs) */
    uint32_t context_max;        /* prompt and output tokens of one sequence (max_model_len) */
    uint32_t steps_max;          /* decode steps of one pass: a ceiling, 1 = single-stepping */
    uint32_t queue_max;          /* requests waiting at one worker before it refuses; 0: no limit */
    double watermark;            /* fraction of blocks an admission must leave free */
    bool chunked_prefill;
    bool mixed_chunk; /* DYNO_ORDER_PREFILL_FIRST: whoever decodes goes along in a pass of prompts
                         (SGLang's enable_mixed_chunk); needs chunked_prefill */
    /* DYNO_ADMIT_CHUNK: admit only if the whole prompt would fit, although only the blocks of this
     * pass are taken (vLLM's scheduler_reserve_full_isl). */
    bool reserve_prompt;
    bool async_scheduling; /* a pass is scheduled while the one before it runs: a request that
                              becomes ready during a step joins the step after the next, and a
                              sequence that ends in a step gives its memory back after the next */
    bool foresees_limit;   /* with it: that a sequence will reach its max_tokens is known, and the
                              next step leaves it out (vLLM, TensorRT-LLM); false: every one that
                              ended is computed once more (SGLang) */
    bool prefix_cache;
    bool hit_when_scheduled; /* a block may be hit once the pass that fills it is scheduled
                                (vLLM); false: once that pass has completed (SGLang) */
    double new_token_ratio;  /* DYNO_ADMIT_ESTIMATE: share of max_tokens reserved per sequence, at
                                first; it falls as decode steps go well (core/worker/estimate.c) */
    dyno_ns ingest_ns;       /* host time before a request can be scheduled, one at a time ... */
    uint64_t ingest_token_ticks; /* ... plus this for every prompt token, in ticks of 2^-20 ns */
    dyno_ns response_ns;         /* from a pass's end to the token's leaving the server */
    uint32_t first_passes;       /* of a worker that was started (graphs to capture, kernels to
                                    compile) ... */
    uint64_t first_pass_ticks;   /* ... and how much longer each of them takes */
    uint64_t fetch_block_ticks;  /* host time in a pass for every KV block that it asks another
                                    worker for (core/worker/halves.h), in ticks of 2^-20 ns */
};

/* The most tokens a sequence may have in all: by the model's context and by the worker's memory. */
static inline uint64_t dyno_worker_tokens_max(const struct dyno_worker_config *config)
{
    uint64_t memory = (uint64_t)config->blocks * config->block_tokens - config->lookahead;

    return config->context_max > 0 && config->context_max < memory ? config->context_max : memory;
}

/* Whether a worker could take a prompt of so many tokens, with one of its answer. */
static inline bool dyno_worker_could_hold(const struct dyno_worker_config *config,
                                          uint32_t prompt_tokens)
{
    return prompt_tokens < dyno_worker_tokens_max(config) &&
           (config->chunked_prefill || prompt_tokens <= config->batch_tokens_max);
}

/* "pass", "estimate" or "no-evict". */
const char *dyno_admission_word(enum dyno_batch_admission admission);

/* Rows: the engine profiles, NULL-terminated by name.  Values marked "0" mean "derived". */
struct dyno_engine_profile {
    const char *name;
    const char *help;
    struct dyno_worker_config config;
};

extern const struct dyno_engine_profile dyno_engine_table[];

/* The profile called `name`, or NULL. */
const struct dyno_engine_profile *dyno_engine_find(const char *name);

#endif
