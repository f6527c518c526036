/* Request by request: real servers, recorded with the prompts' tokens, against a replay of the same
 * prompts at the same times.  The engine's settings are those that the recording states; nothing
 * here was fitted to these requests.
 *
 * A request's arrival was stamped by a clock of its own.  The two clocks are taken to be apart by
 * the smallest difference that was seen between an arrival and the engine's noticing it. */
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/recorded_run.h"
#include "cli/accuracy/accuracy.h"
#include "cli/fit/request_listener.h"
#include "cli/fit/token_trace.h"
#include "cli/replay/intervals.h"

enum { METRICS = 3, PLACES = 6, REPLICAS = 20 };

static const char *const metric_names[METRICS] = {"TTFT", "TPOT", "E2E"};
static const char *const place_names[PLACES] = {"mean", "p50", "p75", "p90", "p95", "p99"};
static const double fractions[PLACES] = {0, 0.5, 0.75, 0.9, 0.95, 0.99};

/* One server: what it did, and what was predicted; milliseconds, by request. */
struct contest {
    struct dyno_recorded_run run;
    char folder[2048], gpu[32], model[64];
    double *measured[METRICS], *predicted[METRICS];
    size_t count;
    struct dyno_listener listener;
    uint32_t blocks_derived;
    uint64_t preemptions;
};

/* ---- names ----------------------------------------------------------------------------------- */

/* "RTXPRO6000" -> the GPU "rtx-pro-6000": the same letters, without dashes. */
static bool same_gpu(const char *ours, const char *theirs, size_t length)
{
    size_t i = 0;

    for (; *ours; ours++) {
        if (*ours != '-') {
            if (i == length || tolower((unsigned char)theirs[i]) != *ours) {
                return false;
            }
            i++;
        }
    }
    return i == length;
}

static bool find_gpu(struct contest *contest, const char *folder)
{
    size_t length = strcspn(folder, "_");

    for (const struct dyno_gpu *gpu = dyno_gpu_table; gpu->name[0]; gpu++) {
        if (same_gpu(gpu->name, folder, length)) {
            (void)snprintf(contest->gpu, sizeof contest->gpu, "%s", gpu->name);
            return true;
        }
    }
    return false;
}

static void find_model(struct contest *contest)
{
    const char *slash = strrchr(contest->run.model, '/');
    const char *name = slash ? slash + 1 : contest->run.model;
    size_t i = 0;

    for (; name[i] && i + 1 < sizeof contest->model; i++) {
        contest->model[i] = (char)tolower((unsigned char)name[i]);
    }
    contest->model[i] = '\0';
}

/* ---- running --------------------------------------------------------------------------------- */

static void scenario_line(const struct contest *contest, const char *trace, char *line, size_t size)
{
    const struct dyno_recorded_run *run = &contest->run;
    int used =
        snprintf(line, size,
                 "--trace %s --format mooncake --set trace.block_tokens=%" PRIu32
                 " --engine vllm --model %s --gpu %s --tp %" PRIu32 " --max-num-seqs %" PRIu32
                 " --max-num-batched-tokens %" PRIu32 " --block-size %" PRIu32 " --sample-every 1s",
                 trace, run->block_tokens, contest->model, contest->gpu, run->tp, run->seqs_max,
                 run->batch_tokens_max, run->block_tokens);

    if (run->blocks > 0) {
        used += snprintf(line + used, size - (size_t)used, " --num-gpu-blocks-override %" PRIu32,
                         run->blocks);
    }
    if (run->context_max > 0) {
        (void)snprintf(line + used, size - (size_t)used, " --max-model-len %" PRIu32,
                       run->context_max);
    }
}

static dyno_status simulate(struct contest *contest, const char *prompts, struct dyno_error *error)
{
    struct dyno_experiment *experiment = calloc(1, sizeof *experiment);
    dyno_status status;
    char line[1024];
    char *text;
    size_t size;

    if (!experiment) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_token_trace_read(&text, &size, prompts, contest->run.block_tokens, 0, error);
    if (status == DYNO_OK) {
        experiment->assembly.trace_data = text;
        experiment->assembly.trace_size = size;
        scenario_line(contest, "requests", line, sizeof line);
        status = dyno_experiment_run(experiment, line, &contest->listener.sink, error);
        if (status == DYNO_OK) {
            contest->preemptions = experiment->assembly.totals.preemptions;
            (void)dyno_timing_kv_blocks(&experiment->assembly.timing_config, "vllm", 0.9,
                                        contest->run.block_tokens, &contest->blocks_derived, NULL);
            dyno_experiment_close(experiment);
        }
        free(text);
    }
    free(experiment);
    return status;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static double clock_offset(const struct dyno_recorded_run *run)
{
    double offset = run->requests[0].queued_s - run->requests[0].arrival_s;

    for (size_t i = 1; i < run->request_count; i++) {
        double difference = run->requests[i].queued_s - run->requests[i].arrival_s;

        offset = difference < offset ? difference : offset;
    }
    return offset;
}

static double tpot_of(double decode_ms, uint32_t tokens)
{
    return tokens > 1 ? decode_ms / (tokens - 1) : 0;
}

static void fill_measured(struct contest *contest)
{
    double offset = clock_offset(&contest->run);

    for (size_t i = 0; i < contest->count; i++) {
        const struct dyno_recorded_request *request = &contest->run.requests[i];
        double arrival_s = request->arrival_s + offset;

        contest->measured[0][i] = 1e3 * (request->first_token_s - arrival_s);
        contest->measured[1][i] =
            tpot_of(1e3 * (request->last_token_s - request->first_token_s), request->output_tokens);
        contest->measured[2][i] = 1e3 * (request->last_token_s - arrival_s);
    }
}

static void fill_predicted(struct contest *contest)
{
    for (size_t i = 0; i < contest->count; i++) {
        const struct dyno_request_record *record = &contest->listener.records[i];

        contest->predicted[0][i] = 1e-6 * (double)(record->first_token_ns - record->arrival_ns);
        contest->predicted[1][i] = tpot_of(
            1e-6 * (double)(record->last_token_ns - record->first_token_ns), record->output_tokens);
        contest->predicted[2][i] = 1e-6 * (double)(record->last_token_ns - record->arrival_ns);
    }
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Of sorted values: their mean, or a quantile. */
static double place_value(const double *values, size_t count, size_t place)
{
    double sum = 0;

    if (place > 0) {
        double fraction = place < PLACES ? fractions[place] : 1.0;
        size_t rank = (size_t)ceil(fraction * (double)count);

        return values[rank < 1 ? 0 : rank - 1];
    }
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

static void print_marginals(const struct dyno_accuracy *accuracy, struct contest *contest)
{
    (void)fprintf(accuracy->out, "| ms, measured / predicted |");
    for (size_t place = 0; place < PLACES; place++) {
        (void)fprintf(accuracy->out, " %s | error, %% |", place_names[place]);
    }
    (void)fprintf(accuracy->out, "\n|---|");
    for (size_t place = 0; place < PLACES; place++) {
        (void)fprintf(accuracy->out, "---:|---:|");
    }
    for (size_t metric = 0; metric < METRICS; metric++) {
        qsort(contest->measured[metric], contest->count, sizeof(double), by_value);
        qsort(contest->predicted[metric], contest->count, sizeof(double), by_value);
        (void)fprintf(accuracy->out, "\n| %s |", metric_names[metric]);
        for (size_t place = 0; place < PLACES; place++) {
            double measured = place_value(contest->measured[metric], contest->count, place);
            double predicted = place_value(contest->predicted[metric], contest->count, place);

            (void)fprintf(accuracy->out, " %.*f / %.*f | %+.1f |", metric == 1, measured,
                          metric == 1, predicted, 100 * (predicted / measured - 1));
        }
    }
    (void)fputs("\n\n", accuracy->out);
}

/* The distribution of |predicted / measured - 1|, request by request. */
static dyno_status print_requests(const struct dyno_accuracy *accuracy,
                                  const struct contest *contest, struct dyno_error *error)
{
    static const double bounds[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5};
    enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

    (void)fprintf(
        accuracy->out,
        "| one request's error | median, %% | p90, %% | within 1 %% | 2 %% | 5 %% | 10 %% "
        "| 20 %% | 50 %% |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (size_t metric = 0; metric < METRICS; metric++) {
        struct dyno_errors errors = {0};
        struct dyno_error_figures figures;

        for (size_t i = 0; i < contest->count; i++) {
            if (contest->measured[metric][i] > 0 &&
                !dyno_errors_add(&errors, contest->predicted[metric][i],
                                 contest->measured[metric][i], 0)) {
                dyno_errors_release(&errors);
                return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
            }
        }
        figures = dyno_errors_figures(&errors);
        (void)fprintf(accuracy->out, "| %s | %.1f | %.1f |", metric_names[metric], figures.median,
                      figures.p90);
        for (size_t bound = 0; bound < BOUNDS; bound++) {
            uint32_t within = 0;

            while (within < errors.count && fabs(errors.values[within]) <= bounds[bound]) {
                within++;
            }
            (void)fprintf(accuracy->out, " %.0f %% |", 100.0 * within / errors.count);
        }
        (void)fputc('\n', accuracy->out);
        dyno_errors_release(&errors);
    }
    (void)fputc('\n', accuracy->out);
    return DYNO_OK;
}

/* ---- intervals ------------------------------------------------------------------------------- */

/* The prompts as a trace in a file of its own, which every replica reads: into `path`. */
static dyno_status write_trace(const struct contest *contest, const char *prompts, char *path,
                               struct dyno_error *error)
{
    size_t size, written;
    int descriptor;
    char *text;
    FILE *file;

    DYNO_TRY(dyno_token_trace_read(&text, &size, prompts, contest->run.block_tokens, 0, error));
    descriptor = mkstemp(path);
    file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    written = file ? fwrite(text, 1, size, file) : 0;
    free(text);
    if (!file || fclose(file) != 0 || written != size) {
        return dyno_fail(error, DYNO_IO, "cannot write a temporary file %s", path);
    }
    return DYNO_OK;
}

/* How many intervals hold what was measured; values are sorted. */
static void print_coverage(const struct dyno_accuracy *accuracy, const struct contest *contest,
                           const struct dyno_intervals *intervals)
{
    static const size_t places[] = {0, 1, 5}; /* mean, p50, p99: as dyno_intervals has them */
    uint32_t within = 0, count = 0;

    for (size_t metric = 0; metric < METRICS; metric++) {
        for (size_t i = 0; i < 3; i++, count++) {
            double measured = place_value(contest->measured[metric], contest->count, places[i]);
            const struct dyno_interval *interval = &intervals->items[count];

            within += interval->low <= measured && measured <= interval->high;
        }
    }
    (void)fprintf(
        accuracy->out,
        "95 %% intervals (`--intervals %d`, nothing known of this server) hold %u of the %u "
        "measured means, medians and\n99th percentiles:\n\n| 95 %% interval, ms | mean | p50 | p99 "
        "|\n"
        "|---|---:|---:|---:|\n",
        REPLICAS, within, count);
    for (size_t metric = 0; metric < METRICS; metric++) {
        (void)fprintf(accuracy->out, "| %s |", metric_names[metric]);
        for (size_t i = 0; i < 3; i++) {
            const struct dyno_interval *interval = &intervals->items[3 * metric + i];

            (void)fprintf(accuracy->out, " %.*f to %.*f |", metric == 1, interval->low, metric == 1,
                          interval->high);
        }
        (void)fputc('\n', accuracy->out);
    }
    (void)fputc('\n', accuracy->out);
}

static dyno_status judge_intervals(const struct dyno_accuracy *accuracy,
                                   const struct contest *contest, const char *prompts,
                                   struct dyno_error *error)
{
    struct dyno_experiment *experiment = calloc(1, sizeof *experiment);
    char path[] = "/tmp/dyno-accuracy-XXXXXX", line[1024];
    struct dyno_intervals intervals;
    dyno_status status;

    if (!experiment) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = write_trace(contest, prompts, path, error);
    if (status == DYNO_OK) {
        scenario_line(contest, path, line, sizeof line);
        status = dyno_experiment_run(experiment, line, NULL, error);
        if (status == DYNO_OK) {
            status = dyno_intervals_compute(&intervals, &experiment->scenario, REPLICAS, error);
            dyno_experiment_close(experiment);
        }
        if (status == DYNO_OK) {
            print_coverage(accuracy, contest, &intervals);
        }
        (void)unlink(path);
    }
    free(experiment);
    return status;
}

/* ---- the timeseries -------------------------------------------------------------------------- */

static dyno_status print_series(const struct dyno_accuracy *accuracy, const struct contest *contest,
                                struct dyno_error *error)
{
    static const char *const columns[] = {"t", "running", "waiting", "kv_cache_pct", NULL};
    static const char *const names[] = {"", "running", "waiting", "KV cache in use, %"};
    double sums[4] = {0}, means[4] = {0}, values[4];
    struct dyno_measured measured;
    uint32_t count = 0;
    bool got = true;
    char path[2100];

    (void)snprintf(path, sizeof path, "%s/timeseries.csv", contest->folder);
    DYNO_TRY(dyno_measured_open(&measured, path, columns, error));
    while (dyno_measured_next(&measured, &got, error) == DYNO_OK && got) {
        for (uint32_t i = 0; i < 4; i++) {
            (void)dyno_measured_number(&measured, i, &values[i], error);
        }
        if (values[0] >= 0 && (size_t)values[0] < contest->listener.sample_count) {
            const struct dyno_sample_record *sample = &contest->listener.samples[(size_t)values[0]];

            sums[1] += fabs(sample->running - values[1]);
            sums[2] += fabs(sample->waiting - values[2]);
            sums[3] += fabs(100.0 * sample->blocks_used / sample->blocks_total - values[3]);
            for (size_t i = 1; i < 4; i++) {
                means[i] += values[i];
            }
            count++;
        }
    }
    dyno_measured_close(&measured);
    (void)fprintf(accuracy->out,
                  "| second by second | mean, measured | mean absolute error |\n|---|---:|---:|\n");
    for (size_t i = 1; i < 4 && count > 0; i++) {
        if (means[i] > 0) { /* a column of zeros was not recorded */
            (void)fprintf(accuracy->out, "| %s | %.1f | %.1f |\n", names[i], means[i] / count,
                          sums[i] / count);
        }
    }
    (void)fputc('\n', accuracy->out);
    return DYNO_OK;
}

/* ---- one server ------------------------------------------------------------------------------ */

static dyno_status open_contest(struct contest *contest, struct dyno_error *error)
{
    contest->count = contest->run.request_count;
    for (size_t metric = 0; metric < METRICS; metric++) {
        contest->measured[metric] = calloc(contest->count, sizeof(double));
        contest->predicted[metric] = calloc(contest->count, sizeof(double));
        if (!contest->measured[metric] || !contest->predicted[metric]) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
    }
    return DYNO_OK;
}

static void close_contest(struct contest *contest)
{
    for (size_t metric = 0; metric < METRICS; metric++) {
        free(contest->measured[metric]);
        free(contest->predicted[metric]);
    }
    dyno_listener_release(&contest->listener);
    dyno_recorded_run_release(&contest->run);
}

static void write_details(const struct dyno_accuracy *accuracy, const struct contest *contest)
{
    char name[64];
    FILE *details;

    (void)snprintf(name, sizeof name, "requests-%s.csv", contest->gpu);
    details = dyno_accuracy_details(accuracy, name);
    if (!details) {
        return;
    }
    (void)fputs("request,input,output,ttft_ms,predicted_ttft_ms,tpot_ms,predicted_tpot_ms,e2e_ms,"
                "predicted_e2e_ms\n",
                details);
    for (size_t i = 0; i < contest->count; i++) {
        (void)fprintf(details, "%zu,%" PRIu32 ",%" PRIu32, i, contest->run.requests[i].input_tokens,
                      contest->run.requests[i].output_tokens);
        for (size_t metric = 0; metric < METRICS; metric++) {
            (void)fprintf(details, ",%.2f,%.2f", contest->measured[metric][i],
                          contest->predicted[metric][i]);
        }
        (void)fputc('\n', details);
    }
    (void)fclose(details);
}

static dyno_status compare(const struct dyno_accuracy *accuracy, struct contest *contest,
                           const char *prompts, struct dyno_error *error)
{
    char blocks[96] = "derived, the recording does not say";

    DYNO_TRY(open_contest(contest, error));
    dyno_listener_init(&contest->listener);
    DYNO_TRY(simulate(contest, prompts, error));
    if (contest->listener.record_count != contest->count) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: %zu requests recorded, but %zu prompts",
                         contest->folder, contest->count, contest->listener.record_count);
    }
    dyno_listener_sort(&contest->listener);
    fill_measured(contest);
    fill_predicted(contest);
    write_details(accuracy, contest);
    if (contest->run.blocks > 0) {
        (void)snprintf(
            blocks, sizeof blocks, "recorded; dyno derives %" PRIu32 ", %+.1f %% of that",
            contest->blocks_derived, 100.0 * contest->blocks_derived / contest->run.blocks - 100);
    }
    (void)fprintf(accuracy->out,
                  "### %s on %s, vLLM %s\n\n%zu requests, at most %" PRIu32
                  " sequences and %" PRIu32 " tokens a pass, %" PRIu32 " KV blocks (%s); %" PRIu64
                  " preemptions predicted.\n\n",
                  contest->model, contest->gpu, contest->run.version, contest->count,
                  contest->run.seqs_max, contest->run.batch_tokens_max,
                  contest->run.blocks ? contest->run.blocks : contest->blocks_derived, blocks,
                  contest->preemptions);
    DYNO_TRY(print_requests(accuracy, contest, error));
    print_marginals(accuracy, contest);
    DYNO_TRY(judge_intervals(accuracy, contest, prompts, error));
    return print_series(accuracy, contest, error);
}

static dyno_status compare_folder(const struct dyno_accuracy *accuracy, const char *parent,
                                  const char *name, const char *prompts, struct dyno_error *error)
{
    struct contest *contest = calloc(1, sizeof *contest);
    dyno_status status = DYNO_OK;

    if (!contest) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    (void)snprintf(contest->folder, sizeof contest->folder, "%s/%s", parent, name);
    if (find_gpu(contest, name)) {
        status = dyno_recorded_run_read(&contest->run, contest->folder, error);
        if (status == DYNO_OK) {
            find_model(contest);
            status = compare(accuracy, contest, prompts, error);
        }
    }
    close_contest(contest);
    free(contest);
    return status;
}

dyno_status dyno_accuracy_requests(const struct dyno_accuracy *accuracy, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    struct dirent **entries;
    char folder[1024], prompts[1024];
    int count;

    if (!dyno_accuracy_find(accuracy, "vllm_requests", folder, sizeof folder) ||
        !dyno_accuracy_find(accuracy, "vllm_requests/sharegpt-llama-3.1-8b-300-sps10.jsonl.gz",
                            prompts, sizeof prompts)) {
        return DYNO_OK;
    }
    count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (status == DYNO_OK && strchr(entries[i]->d_name, '_')) {
            status = compare_folder(accuracy, folder, entries[i]->d_name, prompts, error);
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    return status;
}
