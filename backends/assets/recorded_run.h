/* What a benchmark of a real server left behind: its configuration and the life of each request. */
#ifndef DYNO_BACKENDS_ASSETS_RECORDED_RUN_H
#define DYNO_BACKENDS_ASSETS_RECORDED_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

/* One request.  Seconds; arrivals are on a clock of their own, the others on the engine's. */
struct dyno_recorded_request {
    uint32_t input_tokens, output_tokens;
    double arrival_s;
    double queued_s, scheduled_s, first_token_s, last_token_s;
};

struct dyno_recorded_run {
    char model[64], version[32]; /* as the server names them */
    char started_at[32];         /* ISO 8601; may be empty */
    uint32_t tp, seqs_max, batch_tokens_max;
    uint32_t context_max; /* 0: the model's */
    uint32_t blocks;      /* KV blocks that the engine found room for; 0: not recorded */
    uint32_t block_tokens;
    struct dyno_recorded_request *requests; /* [request_count], in the file's order */
    size_t request_count;
};

/* Read meta.json and requests.jsonl in `folder`: an engine's resolved configuration, and a request
 * a line (input_toks, output_toks, arrival_time, queued_ts, scheduled_ts, first_token_ts,
 * last_token_ts).  On success released by dyno_recorded_run_release; on failure there is nothing to
 * release.  Errors: DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT, DYNO_NO_MEMORY. */
dyno_status dyno_recorded_run_read(struct dyno_recorded_run *out, const char *folder,
                                   struct dyno_error *error);
void dyno_recorded_run_release(struct dyno_recorded_run *run);

/* A prompt in tokens, as one line of JSON: input_toks, output_toks, arrival_time_ns (or
 * arrival_time, in seconds), input_tok_ids. */
struct dyno_token_prompt {
    uint64_t arrival_ns;
    uint32_t output_tokens;
    uint32_t *tokens; /* [token_count]; free() it */
    size_t token_count;
};

/* Errors: DYNO_BAD_INPUT (the sentence lacks the place: the caller knows the line),
 * DYNO_NO_MEMORY. */
dyno_status dyno_token_prompt_read(struct dyno_token_prompt *out, const char *text, size_t length,
                                   struct dyno_error *error);

#endif
