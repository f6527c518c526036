/* Builds the scenario and the trace, and replays them in process. */
#include "cli/fit/served_replay.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fit/served_past.h"
#include "cli/fit/token_trace.h"
#include "core/base/words.h"

enum { WORDS_MAX = 256, WORD_MAX = 256, OURS_MAX = 32 };

/* ---- the scenario's words -------------------------------------------------------------------- */

/* Words of ours, before the user's. */
struct words {
    char texts[OURS_MAX][WORD_MAX];
    char *all[WORDS_MAX];
    int count;
};

static void add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *words, const char *format, ...)
{
    char *text = words->texts[words->count];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, WORD_MAX, format, arguments);
    va_end(arguments);
    words->all[words->count++] = text;
}

static void add_number(struct words *words, const char *flag, uint32_t value)
{
    if (value > 0) {
        add(words, "%s", flag);
        add(words, "%" PRIu32, value);
    }
}

/* "meta-llama/Llama-3.1-8B" -> the built-in "llama-3.1-8b", or that without its "-instruct". */
static void add_model(struct words *words, const char *theirs)
{
    static const char tail[] = "-instruct";
    const char *slash = strrchr(theirs, '/');
    char name[96];
    size_t length;

    (void)snprintf(name, sizeof name, "%s", slash ? slash + 1 : theirs);
    for (size_t i = 0; name[i]; i++) {
        name[i] = (char)tolower((unsigned char)name[i]);
    }
    length = strlen(name);
    if (!dyno_model_find(name) && length >= sizeof tail &&
        strcmp(name + length - (sizeof tail - 1), tail) == 0) {
        name[length - (sizeof tail - 1)] = '\0';
    }
    if (dyno_model_find(name)) {
        add(words, "--model");
        add(words, "%s", name);
    }
}

static void add_settings(struct words *words, const struct dyno_served_run *run)
{
    add_model(words, run->model);
    add_number(words, "--tp", run->tp);
    add_number(words, "--max-num-seqs", run->seqs_max);
    add_number(words, "--max-num-batched-tokens", run->batch_tokens_max);
    add_number(words, "--max-model-len", run->context_max);
    add_number(words, "--num-gpu-blocks-override", run->blocks);
    add_number(words, "--block-size", run->block_tokens);
}

/* Requests one by one: at their times, or so many at once. */
static void add_trace(struct words *words, const struct dyno_served_run *run, const char *path)
{
    add(words, "--trace");
    words->all[words->count++] = (char *)path;
    add(words, "--format");
    add(words, "mooncake");
    if (run->concurrency > 0 && run->rate_per_s > 0) {
        add_number(words, "--max-concurrency", run->concurrency);
    } else if (run->concurrency > 0) {
        add_number(words, "--concurrency", run->concurrency);
    }
}

/* Only figures are known: a load of the same law, of requests of the mean size unless the user says
 * more. */
static void add_generator(struct words *words, const struct dyno_served_run *run)
{
    double count = (double)run->completed;

    add(words, "--arrival");
    if (run->rate_per_s > 0 && run->burstiness > 0 && run->burstiness != 1) {
        add(words, "gamma:%.9g,%.9g", run->rate_per_s, 1 / sqrt(run->burstiness));
        add_number(words, "--max-concurrency", run->concurrency);
    } else if (run->rate_per_s > 0) {
        add(words, "poisson:%.9g", run->rate_per_s);
        add_number(words, "--max-concurrency", run->concurrency);
    } else {
        add(words, "concurrency:%" PRIu64, run->concurrency ? run->concurrency : run->completed);
    }
    add(words, "--input-tokens");
    add(words, "%.0f", fmax(1, round((double)run->input_tokens / count)));
    add(words, "--output-tokens");
    add(words, "%.0f", fmax(1, round((double)run->output_tokens / count)));
    add(words, "--requests");
    add(words, "%" PRIu64, run->completed);
}

/* What the recording cannot say must be said by the user. */
static dyno_status require(const struct dyno_served_replay *replay, const char *name,
                           const char *flag, const char *why, struct dyno_error *error)
{
    const struct dyno_option *row = dyno_options_find(&replay->options, name);

    if (dyno_options_origin(&replay->options, row)->source != DYNO_SOURCE_DEFAULT) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "%s is needed: %s", flag, why);
}

static dyno_status load_scenario(struct dyno_served_replay *replay, struct words *words,
                                 struct dyno_error *error)
{
    enum dyno_scenario_ask ask;
    dyno_status status;

    DYNO_TRY(dyno_scenario_load(&replay->scenario, &replay->options, words->count, words->all, &ask,
                                error));
    status = require(replay, "fleet.gpu", "--gpu GPU", "what the recording was made on", error);
    if (status == DYNO_OK) {
        status = require(replay, "model.name", "--model MODEL",
                         "the recording names no model that dyno knows", error);
    }
    if (status == DYNO_OK && ask != DYNO_ASK_RUN) {
        status = dyno_fail(error, DYNO_BAD_INPUT,
                           "a recorded run is fitted with the options of dyno replay, not its "
                           "--help or --print-scenario");
    }
    if (status != DYNO_OK) {
        dyno_options_close(&replay->options);
    }
    return status;
}

static dyno_status make_scenario(struct dyno_served_replay *replay, const char *path,
                                 char *const *user, int count, struct dyno_error *error)
{
    struct words *words = calloc(1, sizeof *words);
    dyno_status status = DYNO_OK;

    if (!words) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    add(words, "fit");
    add_settings(words, &replay->run);
    if (replay->run.request_count > 0) {
        add_trace(words, &replay->run, path);
    } else {
        add_generator(words, &replay->run);
    }
    if (words->count + count > WORDS_MAX) {
        status =
            dyno_fail(error, DYNO_BAD_INPUT, "more than %d arguments", WORDS_MAX - words->count);
    } else {
        memcpy(words->all + words->count, user, (size_t)count * sizeof *user);
        words->count += count;
        status = load_scenario(replay, words, error);
    }
    free(words);
    return status;
}

/* ---- the trace ------------------------------------------------------------------------------- */

/* Where only the rate is known, requests are sent evenly. */
static double start_of(const struct dyno_served_run *run, size_t index)
{
    if (run->is_timed) {
        return run->requests[index].start_s;
    }
    return run->rate_per_s > 0 ? (double)index / run->rate_per_s : 0;
}

static dyno_status write_trace(struct dyno_served_replay *replay, struct dyno_error *error)
{
    FILE *out = open_memstream(&replay->trace, &replay->trace_size);

    if (!out) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < replay->run.request_count; i++) {
        const struct dyno_served_request *request = &replay->run.requests[i];

        (void)fprintf(out,
                      "{\"timestamp\": %.6f, \"input_length\": %" PRIu32
                      ", \"output_length\": %" PRIu32 "}\n",
                      1e3 * start_of(&replay->run, i), request->input_tokens,
                      request->output_tokens);
    }
    return fclose(out) == 0 ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
}

static dyno_status make_trace(struct dyno_served_replay *replay, const char *prompts,
                              struct dyno_error *error)
{
    uint32_t block_tokens = replay->scenario.kv.block_tokens;

    if (replay->run.request_count == 0) {
        return DYNO_OK;
    }
    if (!prompts) {
        return write_trace(replay, error);
    }
    replay->scenario.trace.block_tokens = block_tokens;
    return dyno_token_trace_read(&replay->trace, &replay->trace_size, prompts, block_tokens, 0,
                                 error);
}

/* ---- replaying ------------------------------------------------------------------------------- */

static dyno_status replay_with(struct dyno_served_replay *replay,
                               const struct dyno_timing_parameters *parameters,
                               struct dyno_assembly *assembly, struct dyno_error *error)
{
    dyno_status status;

    assembly->trace_data = replay->trace;
    assembly->trace_size = replay->trace_size;
    assembly->parameters = parameters;
    dyno_listener_release(&replay->heard);
    DYNO_TRY(dyno_assembly_open(assembly, &replay->scenario, &replay->heard.sink, NULL, 0, error));
    status = dyno_assembly_run(assembly, error);
    dyno_listener_sort(&replay->heard);
    replay->totals = assembly->totals;
    replay->timing = assembly->timing_config;
    replay->calibration = assembly->calibration;
    replay->replays++;
    dyno_assembly_close(assembly);
    return status;
}

dyno_status dyno_served_replay_again(struct dyno_served_replay *replay,
                                     const struct dyno_timing_parameters *parameters,
                                     struct dyno_error *error)
{
    struct dyno_assembly *assembly = calloc(1, sizeof *assembly);
    dyno_status status;

    if (!assembly) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = replay_with(replay, parameters, assembly, error);
    free(assembly);
    return status;
}

/* Each recorded request must have been served, with as many tokens. */
static dyno_status check_heard(const struct dyno_served_replay *replay, struct dyno_error *error)
{
    const struct dyno_served_run *run = &replay->run;

    if (run->request_count > 0 && replay->heard.record_count != run->request_count) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%zu requests were recorded, but %zu replayed: --prompts and the "
                         "scenario's limits must leave the same ones",
                         run->request_count, replay->heard.record_count);
    }
    for (size_t i = 0; i < run->request_count; i++) {
        const struct dyno_request_record *record = &replay->heard.records[i];

        if (record->outcome != DYNO_COMPLETED) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "recorded request %zu (%" PRIu32 " tokens in, %" PRIu32
                             " out) is refused by this scenario, but the server served it: check "
                             "--max-model-len and the KV blocks",
                             i + 1, run->requests[i].input_tokens, run->requests[i].output_tokens);
        }
        if (record->output_tokens != run->requests[i].output_tokens) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "recorded request %zu has %" PRIu32
                             " tokens out, but its prompt in --prompts %" PRIu32,
                             i + 1, run->requests[i].output_tokens, record->output_tokens);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_served_replay_open(struct dyno_served_replay *replay, const char *path,
                                    const char *prompts, char *const *words, int count,
                                    struct dyno_error *error)
{
    dyno_status status;

    memset(replay, 0, sizeof *replay);
    dyno_listener_init(&replay->heard);
    DYNO_TRY(dyno_served_any_read(&replay->run, path, error));
    status = make_scenario(replay, path, words, count, error);
    if (status != DYNO_OK) {
        dyno_served_run_release(&replay->run);
        return status;
    }
    replay->scenario.kv.bound_belady = false;
    replay->scenario.run.sample_every_ns = 0;
    status = make_trace(replay, prompts, error);
    if (status == DYNO_OK) {
        status = dyno_served_replay_again(replay, NULL, error);
    }
    if (status == DYNO_OK) {
        status = check_heard(replay, error);
    }
    if (status != DYNO_OK) {
        dyno_served_replay_close(replay);
    }
    return status;
}

void dyno_served_replay_close(struct dyno_served_replay *replay)
{
    dyno_served_run_release(&replay->run);
    dyno_options_close(&replay->options);
    dyno_listener_release(&replay->heard);
    free(replay->trace);
    memset(replay, 0, sizeof *replay);
}

/* An engine's stamps do not see the front end: neither the way in nor the way out. */
double dyno_served_replay_ms(const struct dyno_served_replay *replay, size_t index,
                             enum dyno_served_metric metric)
{
    const struct dyno_request_record *record = &replay->heard.records[index];
    double start = (double)record->arrival_ns, out = 0;
    struct dyno_served_request request = {.output_tokens = record->output_tokens};

    if (record->outcome != DYNO_COMPLETED) {
        return -1;
    }
    if (replay->run.is_of_engine) {
        start = (double)record->ready_ns;
        out = 1e3 * replay->timing.parameters.response_us;
    }
    request.ttft_s = 1e-9 * ((double)record->first_token_ns - out - start);
    request.e2e_s = 1e-9 * ((double)record->last_token_ns - out - start);
    return dyno_served_ms(&request, metric);
}
