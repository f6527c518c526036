/* The golden matrices: trace x policy x cluster, every result pinned in tests/golden/matrix.csv,
 * and engine x trace x GPU in tests/golden/engines.csv.
 *
 * A difference is not a failure of the code but a change of behaviour that somebody must look at:
 * the diff of the files is the review.  DYNO_GOLDEN=write rewrites them.
 */
#include <stdio.h>

#include "core/model/gpu.h"
#include "core/route/route.h"
#include "core/worker/config.h"
#include "tests/check_main.h"
#include "tests/system/rig.h"

/* A matrix and the file that it is kept in. */
struct golden {
    const char *path, *header; /* of its rows, before what all have */
    void (*make)(FILE *out);
};

enum { LINE_MAX_BYTES = 512 };

#define TRAFFIC                                                                                    \
    "--arrival concurrency:48 --input-tokens lognormal:800,1 --output-tokens exponential:200 "     \
    "--requests 400 --set generate.prefix_groups=6"

static const char *const traces[] = {
    "--trace traces/samples/chat-prefix.jsonl --requests 800",
    "--trace traces/samples/agent-sessions.jsonl --requests 400",
    "--trace traces/samples/azure-like.csv --requests 800",
    "--trace traces/samples/burst.jsonl.gz --requests 800 --max-concurrency 200",
    TRAFFIC,
};

static const char *const clusters[] = {
    "--model llama-3.1-8b --gpu h100 --workers 4 --engine vllm",
    "--model llama-3.1-8b --gpu rtx4090 --workers 6 --engine vllm --block-size 64",
    "--model llama-3.1-70b --weights fp8 --gpu h200 --tp 2 --workers 2 --engine sglang",
    "--model qwen3-32b --gpu a100 --tp 4 --workers 2 --engine trtllm",
    "--model mixtral-8x7b --gpu mi300x --workers 3 --engine vllm --set router.event_delay=50ms",
};

#define FIGURES_HEADER                                                                             \
    "completed,rejected,ttft_mean_us,ttft_p99_us,itl_p50_us,tpot_mean_us,e2e_p99_us,"              \
    "cached_tokens,evicted,preemptions,busy_ms,end_ms\n"

static void write_figures(struct rig *rig, FILE *out)
{
    const struct dyno_metrics *metrics = &rig->assembly.metrics;
    const struct dyno_fleet_totals *totals = &rig->assembly.totals;

    (void)fprintf(
        out, "%llu,%llu,%.0f,%llu,%llu,%.0f,%llu,%llu,%llu,%llu,%llu,%llu\n",
        (unsigned long long)metrics->completed, (unsigned long long)metrics->rejected,
        dyno_histogram_mean(&metrics->ttft) / 1e3,
        (unsigned long long)dyno_histogram_quantile(&metrics->ttft, 0.99) / 1000,
        (unsigned long long)dyno_histogram_quantile(&metrics->itl, 0.5) / 1000,
        dyno_histogram_mean(&metrics->tpot) / 1e3,
        (unsigned long long)dyno_histogram_quantile(&metrics->e2e, 0.99) / 1000,
        (unsigned long long)metrics->cached_tokens, (unsigned long long)totals->evicted_blocks,
        (unsigned long long)totals->preemptions, (unsigned long long)(totals->busy_ns / DYNO_MS),
        (unsigned long long)(totals->end_ns / DYNO_MS));
}

static void make_matrix(FILE *out)
{
    for (size_t trace = 0; trace < sizeof traces / sizeof traces[0]; trace++) {
        for (size_t policy = 0; dyno_route_table[policy]; policy++) {
            for (size_t cluster = 0; cluster < sizeof clusters / sizeof clusters[0]; cluster++) {
                char line[LINE_MAX_BYTES];
                struct rig rig;

                (void)snprintf(line, sizeof line, "replay %s %s --router %s --db none",
                               traces[trace], clusters[cluster], dyno_route_table[policy]->name);
                rig_run(&rig, line, NULL);
                (void)fprintf(out, "%zu,%s,%zu,", trace, dyno_route_table[policy]->name, cluster);
                write_figures(&rig, out);
                rig_close(&rig);
            }
        }
    }
}

/* Two workers of each GPU that dyno knows, from those that idle to those that drown. */
static void make_engines(FILE *out)
{
    for (size_t engine = 0; dyno_engine_table[engine].name; engine++) {
        for (size_t trace = 0; trace < sizeof traces / sizeof traces[0]; trace++) {
            for (size_t gpu = 0; dyno_gpu_table[gpu].name[0]; gpu++) {
                const char *names[] = {dyno_engine_table[engine].name, dyno_gpu_table[gpu].name};
                char line[LINE_MAX_BYTES];
                struct rig rig;

                (void)snprintf(line, sizeof line,
                               "replay %s --requests 200 --model llama-3.1-8b --gpu %s --workers 2 "
                               "--engine %s --router kv --db none",
                               traces[trace], names[1], names[0]);
                rig_run(&rig, line, NULL);
                (void)fprintf(out, "%s,%zu,%s,", names[0], trace, names[1]);
                write_figures(&rig, out);
                rig_close(&rig);
            }
        }
    }
}

static const struct golden goldens[] = {
    {"tests/golden/matrix.csv", "trace,router,cluster," FIGURES_HEADER, make_matrix},
    {"tests/golden/engines.csv", "engine,trace,gpu," FIGURES_HEADER, make_engines},
};

/* Compare line by line, so that the first difference can be read. */
static void compare(const struct golden *golden, FILE *made, FILE *kept)
{
    char made_line[LINE_MAX_BYTES], kept_line[LINE_MAX_BYTES];

    rewind(made);
    while (fgets(made_line, sizeof made_line, made)) {
        ck_assert_msg(fgets(kept_line, sizeof kept_line, kept) != NULL, "%s ends before: %s",
                      golden->path, made_line);
        ck_assert_msg(strcmp(made_line, kept_line) == 0,
                      "results changed (DYNO_GOLDEN=write rewrites %s; its diff is the "
                      "review)\n%skept: %smade: %s",
                      golden->path, golden->header, kept_line, made_line);
    }
    ck_assert_msg(!fgets(kept_line, sizeof kept_line, kept), "%s goes on: %s", golden->path,
                  kept_line);
}

START_TEST(every_result_of_a_matrix_is_as_it_was)
{
    const struct golden *golden = &goldens[_i];
    const char *mode = getenv("DYNO_GOLDEN");
    bool writing = mode && strcmp(mode, "write") == 0;
    FILE *made = writing ? fopen(golden->path, "w+") : tmpfile();
    FILE *kept;

    ck_assert_ptr_nonnull(made);
    (void)fputs(golden->header, made);
    golden->make(made);
    if (!writing) {
        kept = fopen(golden->path, "r");
        ck_assert_msg(kept != NULL, "%s cannot be read", golden->path);
        compare(golden, made, kept);
        (void)fclose(kept);
    }
    (void)fclose(made);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("golden");

    tcase_set_timeout(cases, 280);
    tcase_add_loop_test(cases, every_result_of_a_matrix_is_as_it_was, 0,
                        (int)(sizeof goldens / sizeof goldens[0]));
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/golden", add_cases)
