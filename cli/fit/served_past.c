#include "cli/fit/served_past.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/past_run.h"

static bool is_database(const char *path)
{
    static const char magic[16] = "SQLite format 3";
    char start[sizeof magic] = "";
    FILE *file = fopen(path, "rb");

    if (!file) {
        return false;
    }
    (void)!fread(start, 1, sizeof start, file);
    (void)fclose(file);
    return memcmp(start, magic, sizeof magic) == 0;
}

/* How the load was paced: "concurrency:8", or a cap, or by time. */
static void take_load(struct dyno_served_run *run, const struct dyno_past_run *past)
{
    unsigned long clients = 0;

    if (strncmp(past->arrival, "concurrency:", 12) == 0) {
        clients = strtoul(past->arrival + 12, NULL, 10);
    }
    run->concurrency = clients ? (uint32_t)clients : past->concurrency;
    if (run->concurrency == 0) {
        run->concurrency = past->inflight_max;
        run->rate_per_s = past->inflight_max ? 1 : 0; /* it was paced; how fast, the times say */
    }
}

static dyno_status convert(struct dyno_served_run *out, const struct dyno_past_run *past,
                           const char *path, struct dyno_error *error)
{
    if (past->request_count == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: no request of run %" PRId64 " was completed",
                         path, past->id);
    }
    memset(out, 0, sizeof *out);
    out->requests = calloc(past->request_count, sizeof *out->requests);
    if (!out->requests) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the requests of %s", path);
    }
    (void)snprintf(out->tool, sizeof out->tool, "run %" PRId64 " of dyno", past->id);
    (void)snprintf(out->date, sizeof out->date, "%.31s", past->started_at);
    (void)snprintf(out->model, sizeof out->model, "%.95s", past->model);
    out->is_timed = true;
    out->left_out = past->left_out;
    out->request_count = out->completed = past->request_count;
    take_load(out, past);
    for (uint64_t i = 0; i < past->request_count; i++) {
        const struct dyno_past_request *from = &past->requests[i];

        out->requests[i] = (struct dyno_served_request){
            .input_tokens = from->prompt_tokens,
            .output_tokens = from->output_tokens,
            .start_s = 1e-9 * (double)(from->scheduled_ns - past->requests[0].scheduled_ns),
            .ttft_s = 1e-9 * (double)(from->first_token_ns - from->arrival_ns),
            .e2e_s = 1e-9 * (double)(from->last_token_ns - from->arrival_ns),
        };
        out->input_tokens += from->prompt_tokens;
        out->output_tokens += from->output_tokens;
    }
    return DYNO_OK;
}

dyno_status dyno_served_any_read(struct dyno_served_run *out, const char *path,
                                 struct dyno_error *error)
{
    struct dyno_past_run past;
    dyno_status status;

    if (!is_database(path)) {
        return dyno_served_run_read(out, path, error);
    }
    DYNO_TRY(dyno_past_run_read(&past, path, error));
    status = convert(out, &past, path, error);
    dyno_past_run_release(&past);
    return status;
}
