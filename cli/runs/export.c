/* `dyno export`: a run of a database in the shapes that other tools write. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/assets/random/output_file.h"
#include "cli/bench/aiperf.h"
#include "cli/bench/save.h"
#include "cli/commands.h"
#include "cli/file_command.h"
#include "reports/past_requests.h"
#include "reports/query.h"

struct export_options {
    const char *run, *format;
    const struct dyno_file_words *databases; /* one at most; no option */
};

#define AT(field) offsetof(struct export_options, field)

static const char *const formats[] = {"vllm", "aiperf", "csv", "json", NULL};

static const struct dyno_option rows[] = {
    {.name = "export.format",
     .flag = "format",
     .value = "FORMAT",
     .help =
         "vllm: the JSON of `vllm bench serve --save-detailed`; aiperf: a folder with AIPerf's "
         "profile_export.jsonl and profile_export_aiperf.json and .csv; csv, json: a row a request",
     .initial = "vllm",
     .type = DYNO_OPTION_CHOICE,
     .offset = AT(format),
     .choices = formats},
    {.name = "export.run",
     .flag = "run",
     .value = "RUN",
     .help = "which one: its number, a tag that it alone has, or last",
     .initial = "last",
     .type = DYNO_OPTION_TEXT,
     .offset = AT(run),
     .min = 1},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    puts(
        "Usage: dyno export FILE.db -o FILE|DIR [--OPTION VALUE]...\n\n"
        "A run of a database as other tools write theirs, by their names and definitions. Of a\n"
        "run that was simulated or served, the gaps between tokens are not kept one by one: lists\n"
        "of them are empty, and their mean and percentiles are those that the run recorded.\n\n"
        "Examples:\n"
        "  dyno export runs.db -o result.json\n"
        "  dyno export runs.db -o artifacts --format aiperf --run 3\n");
    dyno_file_command_rows_help(rows, ROW_COUNT);
}

/* ---- requests as answers --------------------------------------------------------------------- */

/* An export under way: one of `saved` and `aiperf` is open. */
struct work {
    const char *output;
    struct dyno_past_about about;
    struct dyno_bench_saved *saved;
    struct dyno_aiperf *aiperf;
};

/* Unix time of "2026-01-02T03:04:05Z", in ns; 0: it is none. */
static uint64_t unix_ns(const char *text)
{
    struct tm parts = {.tm_isdst = 0};

    return *text && strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts)
               ? (uint64_t)timegm(&parts) * 1000000000
               : 0;
}

static dyno_status begin(void *context, const struct dyno_past_about *about,
                         struct dyno_error *error)
{
    struct work *work = context;

    work->about = *about;
    if (strcmp(about->status, "finished") != 0 && strcmp(about->status, "interrupted") != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "run %lld did not come to its end (%s): what it left is no result to "
                         "compare with; its requests are there as csv or json",
                         (long long)about->id, about->status);
    }
    return work->saved
               ? DYNO_OK
               : dyno_aiperf_open(&work->aiperf, work->output, unix_ns(about->started_at), error);
}

static dyno_status take(void *context, const struct dyno_request_record *record,
                        struct dyno_error *error)
{
    struct work *work = context;
    bool is_good = record->outcome == DYNO_COMPLETED;
    bool is_refused = dyno_outcome_is_rejected(record->outcome);
    struct dyno_request_record told = *record;
    struct dyno_load_answer answer = {
        .record = &told,
        .why = is_good ? "" : dyno_outcome_name(record->outcome),
        .sent_ns = work->about.is_client ? record->ready_ns : record->arrival_ns,
    };

    told.outcome = is_refused ? DYNO_FAILED : record->outcome; /* to a client they are the same */
    (void)error;
    if (work->saved) {
        dyno_bench_saved_add(work->saved, &answer);
    } else {
        dyno_aiperf_add(work->aiperf, &answer);
    }
    return DYNO_OK; /* what could not be kept is said at the end */
}

static dyno_status tell(struct work *work, const struct export_options *options,
                        const char *database, struct dyno_error *error)
{
    const struct dyno_past_listener listener = {.context = work, .begin = begin, .take = take};

    return dyno_past_requests_tell(database, options->run, &listener, error);
}

/* ---- formats --------------------------------------------------------------------------------- */

/* "20260102-030405" of "2026-01-02T03:04:05Z". */
static void date_of(char out[32], const char *started_at)
{
    size_t size = 0;

    for (; *started_at && size < 31; started_at++) {
        if (*started_at == 'T') {
            out[size++] = '-';
        } else if (*started_at >= '0' && *started_at <= '9') {
            out[size++] = *started_at;
        }
    }
    out[size] = '\0';
}

/* How many requests met every objective; 0 without objectives. */
static uint64_t within_slo(const struct dyno_past_about *about)
{
    double good = about->goodput_per_s * about->duration_s;

    return isfinite(good) ? (uint64_t)(good + 0.5) : 0;
}

static dyno_status write_saved(struct work *work, struct dyno_error *error)
{
    const struct dyno_past_about *about = &work->about;
    struct dyno_scenario scenario = {.generate.arrival = about->arrival};
    char date[32];
    struct dyno_bench_saved_about saved_about = {
        .model = about->model,
        .endpoint = about->endpoint[0] ? about->endpoint : "completions",
        .date = date,
        .scenario = &scenario,
        .itl_ms = about->itl_ms,
    };

    date_of(date, about->started_at);
    scenario.trace.concurrency = about->concurrency;
    scenario.trace.inflight_max = about->inflight_max;
    if (about->has_slo) {
        scenario.slo.e2e_ns = DYNO_NEVER; /* that there is one is all that counts here */
        saved_about.within_slo = within_slo(about);
    }
    return dyno_bench_saved_write(work->saved, work->output, &saved_about, error);
}

static dyno_status export_vllm(const struct export_options *options, const char *database,
                               const char *output, struct dyno_error *error)
{
    struct work work = {.output = output};
    dyno_status status;

    DYNO_TRY(dyno_bench_saved_open(&work.saved));
    status = tell(&work, options, database, error);
    if (status == DYNO_OK) {
        status = write_saved(&work, error);
    }
    dyno_bench_saved_close(work.saved);
    return status;
}

static struct dyno_aiperf_about aiperf_about(const struct dyno_past_about *about)
{
    uint64_t started = unix_ns(about->started_at);
    bool ends = started > 0 && isfinite(about->duration_s);

    return (struct dyno_aiperf_about){
        .model = about->model,
        .url = about->url,
        .endpoint = about->endpoint,
        .command = about->command,
        .trace = about->trace,
        .arrival = about->arrival,
        .input_tokens = about->input_tokens,
        .output_tokens = about->output_tokens,
        .concurrency = about->concurrency,
        .inflight_max = about->inflight_max,
        .requests = about->requests,
        .seed = about->seed,
        .started_ns = started,
        .ended_ns = ends ? started + (uint64_t)(about->duration_s * 1e9) : 0,
        .was_cancelled = strcmp(about->status, "finished") != 0,
        .has_slo = about->has_slo,
        .within_slo = within_slo(about),
    };
}

static dyno_status export_aiperf(const struct export_options *options, const char *database,
                                 const char *output, struct dyno_error *error)
{
    struct work work = {.output = output};
    struct dyno_aiperf_about about;
    dyno_status status = tell(&work, options, database, error);

    if (status != DYNO_OK) {
        dyno_aiperf_abandon(work.aiperf);
        return status;
    }
    about = aiperf_about(&work.about);
    return dyno_aiperf_finish(work.aiperf, &about, error);
}

static dyno_status export_rows(const struct export_options *options, const char *database,
                               const char *output, struct dyno_error *error)
{
    const struct dyno_query query = {
        .database = database,
        .sql = "SELECT * FROM request_latency WHERE run IN (SELECT run FROM chosen)",
        .runs = options->run,
        .style = strcmp(options->format, "csv") == 0 ? DYNO_QUERY_CSV : DYNO_QUERY_JSON,
    };
    struct dyno_output_file file;
    dyno_status status;

    if (strcmp(output, "-") == 0) {
        return dyno_query_run(&query, stdout, error);
    }
    DYNO_TRY(dyno_output_open(&file, output, error));
    status = dyno_query_run(&query, file.stream, error);
    if (status != DYNO_OK) {
        dyno_output_abandon(&file);
        return status;
    }
    return dyno_output_finish(&file);
}

static int run(const char *output, const void *values)
{
    const struct export_options *options = values;
    const char *database = options->databases->count ? options->databases->at[0] : "runs.db";
    struct dyno_error error = {.text = "out of memory"};
    dyno_status status =
        strcmp(options->format, "vllm") == 0     ? export_vllm(options, database, output, &error)
        : strcmp(options->format, "aiperf") == 0 ? export_aiperf(options, database, output, &error)
                                                 : export_rows(options, database, output, &error);

    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}

int dyno_command_export(int argc, char **argv)
{
    const char *given[1];
    struct dyno_file_words databases = {.at = given, .most = 1, .name = "database"};
    struct export_options options = {.databases = &databases};
    const struct dyno_file_command shape = {
        .command = "export",
        .file_flag = "-o",
        .others = &databases,
        .needs = "the file or folder to write: -o FILE",
        .rows = rows,
        .row_count = ROW_COUNT,
        .values = &options,
        .print_help = print_help,
        .run = run,
    };

    return dyno_file_command_run(&shape, argc, argv);
}
