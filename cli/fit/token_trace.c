/* Identities of a prompt's blocks: each is a hash of its tokens and of the identity before it. */
#include "cli/fit/token_trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/assets/recorded_run.h"
#include "core/base/map.h"
#include "traces/lines.h"

/* 53 bits, so that any reader of JSON keeps them whole. */
static uint64_t printed(uint64_t identity)
{
    return identity >> 11;
}

static void write_identities(FILE *out, const struct dyno_token_prompt *prompt,
                             uint32_t block_tokens)
{
    uint64_t identity = 0;

    for (size_t i = 0; i < prompt->token_count; i++) {
        identity = dyno_chain(identity, prompt->tokens[i]);
        if ((i + 1) % block_tokens == 0 || i + 1 == prompt->token_count) {
            (void)fprintf(out, "%s%" PRIu64, i < block_tokens ? "" : ",", printed(identity));
        }
    }
}

static void write_request(FILE *out, const struct dyno_token_prompt *prompt, uint32_t block_tokens,
                          uint64_t start_ns)
{
    uint64_t at = prompt->arrival_ns > start_ns ? prompt->arrival_ns - start_ns : 0;

    (void)fprintf(out,
                  "{\"timestamp\": %" PRIu64 ".%06" PRIu64
                  ", \"input_length\": %zu, \"output_length\": %" PRIu32 ", \"hash_ids\": [",
                  at / 1000000, at % 1000000, prompt->token_count, prompt->output_tokens);
    write_identities(out, prompt, block_tokens);
    (void)fputs("]}\n", out);
}

static dyno_status copy_all(FILE *out, struct dyno_lines *lines, uint32_t block_tokens,
                            uint64_t start_ns, struct dyno_error *error)
{
    struct dyno_token_prompt prompt;
    struct dyno_error cause;
    dyno_status status;
    const char *text;
    size_t length;
    bool got;

    for (;;) {
        DYNO_TRY(dyno_lines_next(lines, &text, &length, &got, error));
        if (!got) {
            return DYNO_OK;
        }
        status = dyno_token_prompt_read(&prompt, text, length, &cause);
        if (status != DYNO_OK) {
            return dyno_fail(error, status, "%s:%" PRIu64 ": %.200s", lines->name, lines->number,
                             cause.text);
        }
        write_request(out, &prompt, block_tokens, start_ns);
        free(prompt.tokens);
    }
}

dyno_status dyno_token_trace_read(char **text, size_t *size, const char *path,
                                  uint32_t block_tokens, uint64_t start_ns,
                                  struct dyno_error *error)
{
    struct dyno_lines lines;
    dyno_status status;
    FILE *out;

    *text = NULL;
    DYNO_TRY(dyno_lines_open(&lines, path, NULL, 0, error));
    out = open_memstream(text, size);
    if (!out) {
        dyno_lines_close(&lines);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = copy_all(out, &lines, block_tokens, start_ns, error);
    dyno_lines_close(&lines);
    if (fclose(out) != 0 && status == DYNO_OK) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    if (status != DYNO_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}
