/* The ledger of a whole run: what the summary counts is the sum of what the requests' own records
 * say, gap for gap and token for token, under every engine and whatever went wrong on the way. */
#include "tests/check_main.h"
#include "tests/system/rig.h"

/* What a listener adds up by itself. */
struct books {
    struct dyno_sink base;
    uint64_t requests, completed, others, input, output, cached, preemptions, gaps, single;
    unsigned __int128 ttft, e2e, parts, client_wait;
};

static dyno_status on_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct books *books = (void *)sink; /* its first member */

    books->requests++;
    books->input += record->prompt_tokens;
    books->output += record->output_tokens;
    books->cached += record->cached_tokens;
    books->preemptions += record->preemptions;
    books->gaps += record->output_tokens > 0 ? record->output_tokens - 1 : 0;
    if (record->outcome != DYNO_COMPLETED) {
        books->others++;
        return DYNO_OK;
    }
    books->completed++;
    books->single += record->output_tokens == 1;
    ck_assert_uint_ge(record->output_tokens, 1);
    ck_assert_uint_lt(record->cached_tokens, record->prompt_tokens);
    ck_assert(record->scheduled_ns <= record->arrival_ns && record->arrival_ns <= record->ready_ns);
    ck_assert(record->ready_ns <= record->admitted_ns);
    ck_assert(record->admitted_ns < record->first_token_ns);
    ck_assert(record->first_token_ns <= record->last_token_ns);
    books->client_wait += record->arrival_ns - record->scheduled_ns;
    books->ttft += record->first_token_ns - record->arrival_ns;
    books->e2e += record->last_token_ns - record->arrival_ns;
    books->parts += (record->ready_ns - record->arrival_ns) +
                    (record->admitted_ns - record->ready_ns) +
                    (record->first_token_ns - record->admitted_ns) +
                    (record->last_token_ns - record->first_token_ns);
    return DYNO_OK;
}

static const struct dyno_sink_ops books_ops = {.name = "books", .request = on_request};

static const char *const lines[] = {
    "replay --arrival poisson:30 --requests 300 --workers 2 --router kv "
    "--set generate.prefix_groups=4 --db :memory:",
    /* short of memory: preempted, evicted */
    "replay --arrival poisson:60 --requests 300 --input-tokens uniform:50,150 "
    "--output-tokens uniform:50,300 --num-gpu-blocks-override 150 --set generate.prefix_groups=4 "
    "--set generate.prefix_depth=2 --db :memory:",
    /* a queue of three: most are refused */
    "replay --arrival gamma:200,4 --requests 300 --max-queue 3 --max-num-seqs 4 --workers 2 "
    "--db :memory:",
    /* prompts that do not fit the context */
    "replay --arrival concurrency:9 --requests 200 --input-tokens uniform:10,3000 "
    "--max-model-len 2000 --engine sglang --db :memory:",
    "replay --arrival poisson:100 --requests 300 --engine trtllm --num-gpu-blocks-override 300 "
    "--workers 3 --router power_of_two --set generate.session_turns=3 --db :memory:",
    /* a client that holds back */
    "replay --arrival constant:100 --requests 200 --max-concurrency 6 --db :memory:",
};

static void check_metrics(const struct books *books, const struct dyno_metrics *metrics)
{
    ck_assert_uint_eq(metrics->requests, books->requests);
    ck_assert_uint_eq(metrics->completed, books->completed);
    ck_assert_uint_eq(metrics->rejected + metrics->cancelled + metrics->failed, books->others);
    ck_assert_uint_eq(metrics->input_tokens, books->input);
    ck_assert_uint_eq(metrics->output_tokens, books->output);
    ck_assert_uint_eq(metrics->cached_tokens, books->cached);
    ck_assert_uint_eq(metrics->ttft.count, books->completed);
    ck_assert_uint_eq(metrics->e2e.count, books->completed);
    ck_assert_uint_eq(metrics->tpot.count, books->completed - books->single);
    ck_assert_uint_eq(metrics->itl.count, books->gaps); /* one gap for each token but the first */
    ck_assert(metrics->ttft.sum == books->ttft);
    ck_assert(metrics->e2e.sum == books->e2e);
    ck_assert(metrics->client_wait.sum == books->client_wait);
    ck_assert(books->parts == books->e2e);
    ck_assert(metrics->ingest.sum + metrics->queue.sum + metrics->prefill.sum +
                  metrics->decode.sum ==
              metrics->e2e.sum);
}

static void check_totals(const struct books *books, const struct dyno_assembly *assembly)
{
    const struct dyno_fleet_totals *totals = &assembly->totals;

    ck_assert_uint_eq(totals->preemptions, books->preemptions);
    ck_assert_uint_le(totals->prompt_blocks_hit, totals->prompt_blocks);
    ck_assert_uint_eq(totals->prompt_blocks_hit * assembly->worker.block_tokens, books->cached);
    ck_assert_uint_ge(totals->prefill_tokens + books->cached,
                      assembly->metrics.completed_input_tokens);
    /* A prompt yields one token each time it is computed to its end, decode steps the others. */
    ck_assert_uint_le(totals->decode_tokens + books->completed, books->output);
    ck_assert_uint_ge(totals->decode_tokens + books->completed + books->preemptions, books->output);
    ck_assert_uint_le(totals->passes, totals->steps);
    ck_assert(totals->busy_ns <= (unsigned __int128)totals->end_ns * totals->workers);
}

START_TEST(the_summary_is_the_sum_of_the_records)
{
    struct books books = {.base.ops = &books_ops};
    struct rig rig;

    rig_run(&rig, lines[_i], &books.base);
    check_metrics(&books, &rig.assembly.metrics);
    check_totals(&books, &rig.assembly);
    ck_assert_uint_eq(books.requests, rig.assembly.result.requests);
    dyno_local_check(rig.assembly.workers);
    rig_close(&rig);
}
END_TEST

/* The lines are worth it: what they say they are short of, they are. */
START_TEST(the_lines_reach_the_corners)
{
    static const int preempting = 1, refusing = 2, too_long = 3, waiting = 5;
    struct rig rig;

    rig_run(&rig, lines[preempting], NULL);
    ck_assert_uint_gt(rig.assembly.totals.preemptions, 10);
    ck_assert_uint_gt(rig.assembly.totals.evicted_blocks, 100);
    rig_close(&rig);
    rig_run(&rig, lines[refusing], NULL);
    ck_assert_uint_gt(rig.assembly.metrics.rejected, 10);
    rig_close(&rig);
    rig_run(&rig, lines[too_long], NULL);
    ck_assert_uint_gt(rig.assembly.metrics.rejected, 10);
    rig_close(&rig);
    rig_run(&rig, lines[waiting], NULL);
    ck_assert_uint_gt(rig.assembly.metrics.client_wait.max, 0);
    rig_close(&rig);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("sums");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, the_summary_is_the_sum_of_the_records, 0,
                        (int)(sizeof lines / sizeof lines[0]));
    tcase_add_test(cases, the_lines_reach_the_corners);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/sums", add_cases)
