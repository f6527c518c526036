/* Any bytes as a trace: every outcome is rows or a refusal of one sentence, never a crash.
 *
 * LLVMFuzzerTestOneInput is libFuzzer's entry (clang -fsanitize=fuzzer,address,undefined);
 * tests/traces/test_fuzz.c drives the same function with seeded mutations, so that it runs with any
 * compiler.  The first byte chooses how to read the rest. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "traces/traces.h"

enum { FUZZ_REQUESTS_MAX = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static dyno_status fuzz_expect(struct dyno_answers *answers, uint64_t id, uint32_t output_tokens)
{
    (void)answers;
    (void)id;
    assert(output_tokens >= 1);
    return DYNO_OK;
}

static void fuzz_check_request(const struct dyno_request *request, uint32_t block_tokens,
                               dyno_ns now)
{
    uint64_t blocks = 0;

    assert(request->prompt_tokens >= 1 && request->max_tokens >= 1);
    assert(request->scheduled_ns <= request->arrival_ns && request->arrival_ns <= now);
    for (uint32_t i = 0; i < request->span_count; i++) {
        assert(request->spans[i].id != 0 && request->spans[i].id != UINT64_MAX);
        assert(request->spans[i].blocks >= 1);
        blocks += request->spans[i].blocks;
    }
    assert(blocks <= request->prompt_tokens / block_tokens);
}

static void fuzz_check_refusal(const struct dyno_error *error)
{
    assert(error->status != DYNO_OK);
    assert(error->text[0] != '\0' && !strchr(error->text, '\n'));
}

static void fuzz_drain(struct dyno_source *source, uint32_t block_tokens)
{
    dyno_ns now = 0, next;

    for (uint64_t count = 0; count < FUZZ_REQUESTS_MAX; count++) {
        struct dyno_request request;
        struct dyno_error error;

        next = source->ops->next(source);
        if (next == DYNO_NEVER) {
            assert(source->ops->finished(source)); /* everything that was sent has ended */
            return;
        }
        assert(next >= now);
        now = next;
        if (source->ops->take(source, now, &request, &error) != DYNO_OK) {
            fuzz_check_refusal(&error);
            return;
        }
        assert(request.id == count);
        fuzz_check_request(&request, block_tokens, now);
        source->ops->ended(source, request.id, now + request.id % 7);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = {NULL, "mooncake", "azure", "burstgpt", "bailian"};
    uint8_t how = size > 0 ? data[0] : 0;
    const struct dyno_trace_config config = {.path = "fuzz",
                                             .data = size > 0 ? data + 1 : (const uint8_t *)"",
                                             .data_size = size > 0 ? size - 1 : 0,
                                             .format = formats[how % 5],
                                             .skip_bad_max = how & 8 ? 2 : 0,
                                             .sort_window = how & 16 ? 3 : 0,
                                             .ignore_unknown = how & 32,
                                             .trace_block_tokens = how & 64 ? 5 : 0};
    const struct dyno_pacing_config pacing = {.pacing =
                                                  how & 128 ? DYNO_CLOSED_LOOP : DYNO_OPEN_LOOP,
                                              .speedup = how & 8 ? 0.01 : 1,
                                              .concurrency = 2,
                                              .inflight_max = how & 16 ? 1 : 0,
                                              .block_tokens = 16};
    struct dyno_answers_ops ops = {.expect = fuzz_expect};
    struct dyno_answers answers = {.ops = &ops};
    struct dyno_source *source, *loaded;
    struct dyno_error error;

    if (dyno_trace_open(&source, &config, &pacing, &answers, &error) != DYNO_OK) {
        fuzz_check_refusal(&error);
        return 0;
    }
    if (how & 4 && dyno_source_preload(&loaded, source, &answers, &error) != DYNO_OK) {
        fuzz_check_refusal(&error);
    }
    fuzz_drain(source, pacing.block_tokens);
    source->ops->close(source);
    return 0;
}
