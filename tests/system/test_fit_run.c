/* From a server to a calibration and back: in many worlds, a server whose timing was drawn within
 * its uncertainty serves some requests, a load generator writes down what it saw, and a fit to that
 * says what the server is.
 *
 * What was written down has errors: 5 % of every time by chance, and 2 % common to fifteen requests
 * that followed each other.
 *
 * A world's figures go together, so that 24 worlds are as good as about fifty intervals: the share
 * that covers has a standard error of about four points, and the bounds are at 80 %.
 */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/fit/request_listener.h"
#include "cli/fit/run.h"
#include "cli/replay/intervals.h"
#include "cli/scenario/calibration_file.h"
#include "core/base/math.h"
#include "core/base/rng.h"
#include "tests/check_main.h"
#include "tests/system/rig.h"

enum { WORLDS = 24, REQUESTS = 160, LONG = 4000, REPLICAS = 12, FIGURES = 6 };

static const char traffic[] = "--gpu rtx4090 --max-num-batched-tokens 2048 --arrival poisson:3 "
                              "--input-tokens uniform:100,1500 --output-tokens exponential:80 "
                              "--set run.sample_every=1h --db none";

/* Indices in struct dyno_intervals: means and 99th percentiles of TTFT and TPOT, mean and median of
 * E2E. */
static const uint32_t watched[FIGURES] = {0, 2, 3, 5, 6, 7};

/* ---- a world --------------------------------------------------------------------------------- */

static void load(struct rig *rig, uint64_t seed, uint32_t requests, const char *more)
{
    struct dyno_error error = {0};
    enum dyno_scenario_ask ask;
    char *rest = NULL;
    int argc = 0;

    memset(rig, 0, sizeof *rig);
    (void)snprintf(rig->words, sizeof rig->words, "replay %s --requests %u --seed %llu %s", traffic,
                   requests, (unsigned long long)seed, more);
    for (char *word = strtok_r(rig->words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        rig->argv[argc++] = word;
    }
    ck_assert_msg(
        dyno_scenario_load(&rig->scenario, &rig->options, argc, rig->argv, &ask, &error) == DYNO_OK,
        "%s", error.text);
}

static void run(struct rig *rig, struct dyno_sink *sink)
{
    struct dyno_error error = {0};

    ck_assert_msg(dyno_assembly_open(&rig->assembly, &rig->scenario, sink, NULL, 0, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    ck_assert_msg(dyno_assembly_run(&rig->assembly, &error) == DYNO_OK, "%s", error.text);
}

/* One list of the file: of every request, what `part` says. */
static void write_list(FILE *file, const char *name, const struct dyno_listener *heard,
                       const double *values)
{
    (void)fprintf(file, ", \"%s\": [", name);
    for (size_t i = 0; i < heard->record_count; i++) {
        (void)fprintf(file, "%s%.9g", i ? ", " : "", values[i]);
    }
    (void)fputs("]", file);
}

/* What `vllm bench serve --save-detailed` would have written. */
static void write_down(const struct dyno_listener *heard, uint64_t seed, const char *path)
{
    static double input[REQUESTS], output[REQUESTS], start[REQUESTS], ttft[REQUESTS], e2e[REQUESTS];
    double drift[2] = {0};
    struct dyno_rng rng;
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    dyno_rng_init(&rng, seed, "noise");
    for (size_t i = 0; i < heard->record_count; i++) {
        const struct dyno_request_record *record = &heard->records[i];

        for (int j = 0; j < 2; j++) {
            drift[j] = i % 15 == 0 ? 0.02 * dyno_rng_normal(&rng) : drift[j];
        }
        input[i] = record->prompt_tokens;
        output[i] = record->output_tokens;
        start[i] = 1e-9 * (double)record->arrival_ns;
        ttft[i] = 1e-9 * (double)(record->first_token_ns - record->arrival_ns) *
                  dyno_exp(0.05 * dyno_rng_normal(&rng) + drift[0]);
        e2e[i] = ttft[i] + 1e-9 * (double)(record->last_token_ns - record->first_token_ns) *
                               dyno_exp(0.05 * dyno_rng_normal(&rng) + drift[1]);
    }
    (void)fputs("{\"model_id\": \"llama-3.1-8b\", \"request_rate\": 3", file);
    write_list(file, "input_lens", heard, input);
    write_list(file, "output_lens", heard, output);
    write_list(file, "start_times", heard, start);
    write_list(file, "ttfts", heard, ttft);
    write_list(file, "latencies", heard, e2e);
    (void)fputs("}\n", file);
    (void)fclose(file);
}

/* Serve some requests and write them down.  Returns what the server is. */
static struct dyno_timing_parameters record(uint64_t seed, const char *path)
{
    struct dyno_timing_parameters truth;
    struct dyno_listener heard;
    static struct rig rig;

    dyno_listener_init(&heard);
    load(&rig, seed, REQUESTS, "");
    rig.assembly.replica = 1; /* draws its timing from the seed */
    run(&rig, &heard.sink);
    truth = rig.assembly.timing_config.parameters;
    rig_close(&rig);
    dyno_listener_sort(&heard);
    write_down(&heard, seed, path);
    dyno_listener_release(&heard);
    return truth;
}

/* What that server does in a long run of other traffic of the same kind. */
static void find_truth(const struct dyno_timing_parameters *truth, uint64_t seed,
                       double out[FIGURES])
{
    const struct dyno_metrics *metrics;
    static struct rig rig;

    load(&rig, seed, LONG, "");
    rig.assembly.parameters = truth;
    run(&rig, NULL);
    metrics = &rig.assembly.metrics;
    out[0] = dyno_histogram_mean(&metrics->ttft) * 1e-6;
    out[1] = (double)dyno_histogram_quantile(&metrics->ttft, 0.99) * 1e-6;
    out[2] = dyno_histogram_mean(&metrics->tpot) * 1e-6;
    out[3] = (double)dyno_histogram_quantile(&metrics->tpot, 0.99) * 1e-6;
    out[4] = dyno_histogram_mean(&metrics->e2e) * 1e-6;
    out[5] = (double)dyno_histogram_quantile(&metrics->e2e, 0.5) * 1e-6;
    rig_close(&rig);
}

/* ---- fitting it ------------------------------------------------------------------------------ */

struct count {
    uint32_t covered, all;
};

static double value_at(const struct dyno_timing_parameters *parameters, size_t place)
{
    double value;

    memcpy(&value, (const char *)parameters + dyno_timing_rows[place].offset, sizeof value);
    return value;
}

/* Fit the file, count the parameters within their standard errors, write the calibration. */
static void fit(const char *path, const char *output, const struct dyno_timing_parameters *truth,
                struct count *within)
{
    static char gpu[] = "--gpu", card[] = "rtx4090", tokens[] = "--max-num-batched-tokens",
                budget[] = "2048";
    char *words[] = {gpu, card, tokens, budget};
    static struct dyno_served_replay replay;
    static struct dyno_calibration calibration;
    static struct dyno_fit_run found;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_served_replay_open(&replay, path, NULL, words, 4, &error) == DYNO_OK, "%s",
                  error.text);
    ck_assert_msg(dyno_fit_run(&found, &replay, false, &error) == DYNO_OK, "%s", error.text);
    ck_assert_double_le(found.result.mean_error, found.result.start_error);
    for (uint32_t i = 0; i < found.candidates; i++) {
        if (found.result.determined[i] == DYNO_DETERMINED) {
            double off = log(value_at(truth, found.places[i])) - found.result.at[i];

            within->all++;
            within->covered += fabs(off) < 1.96 * sqrt(found.result.covariance[i][i]);
        }
    }
    dyno_fit_run_calibrate(&found, &replay, &calibration);
    ck_assert_int_eq(dyno_calibration_write(&calibration, output, &error), DYNO_OK);
    dyno_served_replay_close(&replay);
}

static void cover(uint64_t world, const char *calibration, const double truth[FIGURES],
                  struct count *within)
{
    struct dyno_intervals intervals;
    struct dyno_error error = {0};
    static struct rig rig;
    char more[128];

    (void)snprintf(more, sizeof more, "--calibration %s", calibration);
    load(&rig, world * 1000, 400, more);
    ck_assert_msg(dyno_intervals_compute(&intervals, &rig.scenario, REPLICAS, &error) == DYNO_OK,
                  "%s", error.text);
    dyno_options_close(&rig.options);
    for (uint32_t i = 0; i < FIGURES; i++) {
        const struct dyno_interval *interval = &intervals.items[watched[i]];

        within[i].all++;
        within[i].covered += truth[i] >= interval->low && truth[i] <= interval->high;
    }
}

static double share_of(const struct count *count)
{
    return 100.0 * count->covered / count->all;
}

START_TEST(a_fitted_server_is_the_server)
{
    static const char recording[] = "fit-run-test.json", calibration[] = "fit-run-test.yaml";
    struct count parameters = {0}, figures[FIGURES] = {{0}}, all = {0};

    for (uint64_t world = 0; world < WORLDS; world++) {
        struct dyno_timing_parameters server = record(world, recording);
        double truth[FIGURES];

        find_truth(&server, 1000000 + world, truth);
        fit(recording, calibration, &server, &parameters);
        cover(world, calibration, truth, figures);
    }
    (void)unlink(recording);
    (void)unlink(calibration);
    (void)printf("parameters: %.1f %% of %u within 1.96 standard errors\n", share_of(&parameters),
                 parameters.all);
    for (uint32_t i = 0; i < FIGURES; i++) {
        (void)printf("figure %u: %.1f %% of %u intervals cover\n", watched[i],
                     share_of(&figures[i]), figures[i].all);
        all.covered += figures[i].covered;
        all.all += figures[i].all;
    }
    ck_assert_uint_ge(parameters.all, WORLDS);
    ck_assert_msg(share_of(&parameters) >= 80, "%.1f %%", share_of(&parameters));
    ck_assert_msg(share_of(&all) >= 80, "%.1f %%", share_of(&all));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("fit run");

    tcase_set_timeout(cases, 280);
    tcase_add_test(cases, a_fitted_server_is_the_server);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/fit_run", add_cases)
