/* The engine profiles: what each engine does unless told otherwise.
 *
 * Sources: vLLM V1's scheduler (0.9 to 0.19: running before waiting, one token budget, blocks
 * hashed when scheduled, no watermark), SGLang's scheduler (prompts first, radix cache of single
 * tokens, admission by estimated need), TensorRT-LLM's GUARANTEED_NO_EVICT policy with chunked
 * context.  Where a profile only approximates its engine, docs/engines.md says how.  What vLLM
 * and SGLang take at once depends on the GPU (cli/scenario/engine_defaults.h); here it is what
 * other devices have.
 */
#include <string.h>

#include "core/worker/config.h"

const struct dyno_engine_profile dyno_engine_table[] = {
    {.name = "vllm",
     .help =
         "vLLM V1: decodes and prompt chunks share one pass; preempts the newest when blocks run "
         "out",
     .config = {.engine = "vllm",
                .order = DYNO_ORDER_MIXED,
                .admission = DYNO_ADMIT_CHUNK,
                .block_tokens = 16,
                .batch_tokens_max = 8192,
                .seqs_max = 256,
                .chunked_prefill = true,
                .reserve_prompt = true,
                .async_scheduling = true,
                .foresees_limit = true,
                .prefix_cache = true,
                .hit_when_scheduled = true}},
    {.name = "sglang",
     .help = "SGLang: a pass of prompts whenever one fits, else a decode pass; admits by estimate",
     .config = {.engine = "sglang",
                .order = DYNO_ORDER_PREFILL_FIRST,
                .admission = DYNO_ADMIT_ESTIMATE,
                .block_tokens = 1,
                .queue_order = DYNO_QUEUE_FCFS,
                .batch_tokens_max = 8192,
                .prefill_tokens_max = 16384,
                .seqs_max = 1024,
                .chunked_prefill = true,
                .async_scheduling = true,
                .prefix_cache = true,
                .hit_when_scheduled = false,
                .new_token_ratio = 0.7}},
    {.name = "trtllm",
     .help =
         "TensorRT-LLM: admits only what can finish without eviction; prompt chunks share passes",
     .config = {.engine = "trtllm",
                .order = DYNO_ORDER_MIXED,
                .admission = DYNO_ADMIT_NO_EVICT,
                .block_tokens = 32,
                .batch_tokens_max = 8192,
                .seqs_max = 2048,
                .chunked_prefill = true,
                .async_scheduling = true,
                .foresees_limit = true,
                .prefix_cache = true,
                .hit_when_scheduled = false}},
    {.name = NULL},
};

const char *dyno_admission_word(enum dyno_batch_admission admission)
{
    switch (admission) {
    case DYNO_ADMIT_CHUNK:
        return "pass";
    case DYNO_ADMIT_ESTIMATE:
        return "estimate";
    case DYNO_ADMIT_NO_EVICT:
        return "no-evict";
    }
    return "";
}

const struct dyno_engine_profile *dyno_engine_find(const char *name)
{
    for (const struct dyno_engine_profile *row = dyno_engine_table; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}
