#include "cli/bench/aiperf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/assets/random/output_file.h"
#include "cli/bench/aiperf_summary.h"
#include "core/base/map.h"

enum { PATH_MAX_BYTES = 4096 };

#define MS(ns) ((double)(ns) / 1e6)

struct dyno_aiperf {
    struct dyno_output_file file;
    struct dyno_error error; /* the first that went wrong */
    uint64_t origin_ns;
    struct dyno_aiperf_summary summary;
    struct dyno_map turns; /* session -> its answers so far */
    char json_path[PATH_MAX_BYTES], csv_path[PATH_MAX_BYTES];
};

dyno_status dyno_aiperf_open(struct dyno_aiperf **out, const char *folder, uint64_t origin_ns,
                             struct dyno_error *error)
{
    struct dyno_aiperf *aiperf;
    char path[PATH_MAX_BYTES];
    dyno_status status;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return dyno_fail(error, DYNO_IO, "the folder for AIPerf's files, %s, cannot be made: %s",
                         folder, strerror(errno));
    }
    /* The longest of three names. */
    if (snprintf(path, sizeof path, "%s/profile_export_aiperf.json", folder) >= (int)sizeof path) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the name of the folder for AIPerf's files is too long");
    }
    (void)snprintf(path, sizeof path, "%s/profile_export.jsonl", folder);
    aiperf = calloc(1, sizeof *aiperf);
    if (!aiperf) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    aiperf->origin_ns = origin_ns;
    (void)snprintf(aiperf->json_path, sizeof aiperf->json_path, "%s/profile_export_aiperf.json",
                   folder);
    (void)snprintf(aiperf->csv_path, sizeof aiperf->csv_path, "%s/profile_export_aiperf.csv",
                   folder);
    status = dyno_output_open(&aiperf->file, path, error);
    if (status != DYNO_OK) {
        free(aiperf);
        return status;
    }
    aiperf->file.error = &aiperf->error;
    *out = aiperf;
    return DYNO_OK;
}

/* `name` and the world's time, or null. */
static dyno_status put_stamp(struct dyno_aiperf *aiperf, const char *name, dyno_ns at)
{
    return at == DYNO_NEVER ? dyno_output_print(&aiperf->file, ", \"%s\": null", name)
                            : dyno_output_print(&aiperf->file, ", \"%s\": %" PRIu64, name,
                                                aiperf->origin_ns + at);
}

/* Of a session: how many of its answers came before.  A request of none is a conversation. */
static dyno_status put_conversation(struct dyno_aiperf *aiperf,
                                    const struct dyno_request_record *record)
{
    uint32_t none = 0;
    uint32_t *turns =
        record->session ? dyno_map_put(&aiperf->turns, record->session, 0, NULL) : &none;

    if (!turns) {
        return dyno_fail(&aiperf->error, DYNO_NO_MEMORY, "out of memory for the sessions");
    }
    return dyno_output_print(
        &aiperf->file, ", \"conversation_id\": \"dyno-%s%" PRIu64 "\", \"turn_index\": %" PRIu32,
        record->session ? "session-" : "", record->session ? record->session : record->id,
        (*turns)++);
}

/* Which worker and which processor of records it was, AIPerf's own reader wants to know. */
static dyno_status put_metadata(struct dyno_aiperf *aiperf, const struct dyno_load_answer *answer)
{
    const struct dyno_request_record *record = answer->record;
    dyno_ns end = record->last_token_ns == DYNO_NEVER ? answer->sent_ns : record->last_token_ns;

    DYNO_TRY(dyno_output_print(&aiperf->file,
                               "{\"metadata\": {\"session_num\": %" PRIu64
                               ", \"x_request_id\": \"dyno-%" PRIu64
                               "\", \"x_correlation_id\": \"dyno-session-%" PRIu64 "\"",
                               record->id, record->id, record->session));
    DYNO_TRY(put_conversation(aiperf, record));
    DYNO_TRY(put_stamp(aiperf, "request_start_ns", answer->sent_ns));
    DYNO_TRY(put_stamp(aiperf, "request_ack_ns", record->admitted_ns));
    DYNO_TRY(put_stamp(aiperf, "request_end_ns", end));
    return dyno_output_print(
        &aiperf->file,
        ", \"worker_id\": \"dyno\", \"record_processor_id\": \"dyno\""
        ", \"benchmark_phase\": \"profiling\", \"was_cancelled\": %s}",
        record->outcome == DYNO_COMPLETED || record->outcome == DYNO_FAILED ? "false" : "true");
}

static dyno_status put_time(struct dyno_aiperf *aiperf, const char *name, double ms)
{
    return dyno_output_print(&aiperf->file, "\"%s\": {\"value\": %.9g, \"unit\": \"ms\"}, ", name,
                             ms);
}

static dyno_status put_gaps(struct dyno_aiperf *aiperf, const struct dyno_load_answer *answer)
{
    DYNO_TRY(dyno_output_print(&aiperf->file, "\"inter_chunk_latency\": {\"value\": ["));
    for (uint32_t i = 1; i < answer->chunk_count; i++) {
        DYNO_TRY(dyno_output_print(&aiperf->file, "%s%.9g", i > 1 ? ", " : "",
                                   MS(answer->chunk_ns[i] - answer->chunk_ns[i - 1])));
    }
    return dyno_output_print(&aiperf->file, "], \"unit\": \"ms\"}, ");
}

static dyno_status put_metrics(struct dyno_aiperf *aiperf, const struct dyno_load_answer *answer)
{
    const struct dyno_request_record *record = answer->record;

    DYNO_TRY(dyno_output_print(&aiperf->file, ", \"metrics\": {"));
    DYNO_TRY(put_time(aiperf, "time_to_first_token", MS(record->first_token_ns - answer->sent_ns)));
    DYNO_TRY(put_time(aiperf, "request_latency", MS(record->last_token_ns - answer->sent_ns)));
    if (record->output_tokens > 1) {
        DYNO_TRY(put_time(aiperf, "inter_token_latency",
                          MS(record->last_token_ns - record->first_token_ns) /
                              (double)(record->output_tokens - 1)));
    }
    if (answer->chunk_count > 0) {
        DYNO_TRY(put_gaps(aiperf, answer));
    }
    return dyno_output_print(
        &aiperf->file,
        "\"input_sequence_length\": {\"value\": %u, \"unit\": \"tokens\"}, "
        "\"output_sequence_length\": {\"value\": %u, \"unit\": \"tokens\"}}, \"error\": null}\n",
        record->prompt_tokens, record->output_tokens);
}

/* A reason is printable ASCII. */
static dyno_status put_error(struct dyno_aiperf *aiperf, const char *why)
{
    char escaped[2 * DYNO_LOAD_REASON_MAX];
    size_t size = 0;

    for (; *why && size + 3 < sizeof escaped; why++) {
        if (*why == '"' || *why == '\\') {
            escaped[size++] = '\\';
        }
        escaped[size++] = *why;
    }
    escaped[size] = '\0';
    return dyno_output_print(&aiperf->file,
                             ", \"metrics\": {}, \"error\": {\"code\": null, \"type\": "
                             "\"RequestFailed\", \"message\": \"%s\"}}\n",
                             escaped);
}

static dyno_status put_line(struct dyno_aiperf *aiperf, const struct dyno_load_answer *answer)
{
    DYNO_TRY(put_metadata(aiperf, answer));
    return answer->record->outcome == DYNO_COMPLETED ? put_metrics(aiperf, answer)
                                                     : put_error(aiperf, answer->why);
}

void dyno_aiperf_add(void *context, const struct dyno_load_answer *answer)
{
    struct dyno_aiperf *aiperf = context;

    if (aiperf->error.text[0] == '\0') {
        (void)put_line(aiperf, answer); /* why not is kept */
    }
    if (aiperf->error.text[0] == '\0' &&
        dyno_aiperf_summary_add(&aiperf->summary, answer) != DYNO_OK) {
        (void)dyno_fail(&aiperf->error, DYNO_NO_MEMORY, "out of memory for a summary");
    }
}

dyno_status dyno_aiperf_finish(struct dyno_aiperf *aiperf, const struct dyno_aiperf_about *about,
                               struct dyno_error *error)
{
    dyno_status status;

    if (aiperf->error.text[0] != '\0') {
        status = dyno_fail(error, aiperf->error.status, "%s", aiperf->error.text);
        dyno_aiperf_abandon(aiperf);
        return status;
    }
    aiperf->file.error = error;
    status = dyno_output_finish(&aiperf->file);
    if (status == DYNO_OK) {
        status = dyno_aiperf_summary_write(&aiperf->summary, about, aiperf->json_path,
                                           aiperf->csv_path, error);
    }
    dyno_aiperf_summary_release(&aiperf->summary);
    dyno_map_release(&aiperf->turns);
    free(aiperf);
    return status;
}

void dyno_aiperf_abandon(struct dyno_aiperf *aiperf)
{
    if (aiperf) {
        dyno_output_abandon(&aiperf->file);
        dyno_aiperf_summary_release(&aiperf->summary);
        dyno_map_release(&aiperf->turns);
        free(aiperf);
    }
}
