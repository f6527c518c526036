/* AIPerf's profile_export.jsonl: a request a line, with metadata and a value and unit for each
 * metric.  Requests that failed, were cancelled or belong to a warm-up are left out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/served_parts.h"

#define SECONDS_MAX 1e7

struct line {
    const struct dyno_served_reader *reader;
    uint64_t number;
    const json_t *metadata, *metrics;
};

static dyno_status refuse(const struct line *line, const char *field, const char *what)
{
    return dyno_fail(line->reader->error, DYNO_BAD_INPUT, "%s:%" PRIu64 ": \"%s\" %s",
                     line->reader->path, line->number, field, what);
}

/* A metric's number, in its own unit; false: it is not there. */
static bool find_metric(const struct line *line, const char *name, double *value, const char **unit)
{
    const json_t *metric = json_object_get(line->metrics, name);
    const json_t *number = json_object_get(metric, "value");

    *value = json_number_value(number);
    *unit = json_string_value(json_object_get(metric, "unit"));
    return json_is_number(number);
}

static dyno_status take_time(const struct line *line, const char *name, double *seconds)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"ms", 1e-3}, {"s", 1}, {"sec", 1}, {"us", 1e-6}, {"ns", 1e-9}};
    const char *unit;
    double value;

    *seconds = -1;
    if (!find_metric(line, name, &value, &unit)) {
        return DYNO_OK; /* without streaming there is no first token */
    }
    for (size_t i = 0; unit && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].unit) == 0) {
            *seconds = value * units[i].seconds;
        }
    }
    if (!(*seconds > 0 && *seconds <= SECONDS_MAX)) {
        return refuse(line, name, "is not a time above 0 in ms, s, us or ns");
    }
    return DYNO_OK;
}

static dyno_status take_tokens(const struct line *line, const char *name, const char *other,
                               uint32_t *out)
{
    const char *unit;
    double value;

    if (!find_metric(line, name, &value, &unit) &&
        !(other && find_metric(line, other, &value, &unit))) {
        return refuse(line, name, "is missing; without it the request cannot be sent again");
    }
    if (!(value >= 1 && value <= DYNO_SERVED_TOKENS_MAX)) {
        return refuse(line, name, "is not a number of tokens from 1 on");
    }
    *out = (uint32_t)value;
    return DYNO_OK;
}

static bool is_left_out(const struct line *line, const json_t *object)
{
    const char *phase = json_string_value(json_object_get(line->metadata, "benchmark_phase"));
    const json_t *fault = json_object_get(object, "error");

    return (phase && strcmp(phase, "profiling") != 0) || (fault && !json_is_null(fault)) ||
           json_is_true(json_object_get(line->metadata, "was_cancelled"));
}

static dyno_status take_line(struct dyno_served_reader *reader, struct line *line,
                             const json_t *object)
{
    struct dyno_served_request request;
    const json_t *start;

    line->metadata = json_object_get(object, "metadata");
    line->metrics = json_object_get(object, "metrics");
    if (!json_is_object(line->metadata)) {
        return refuse(line, "metadata", "is not an object");
    }
    if (is_left_out(line, object)) {
        reader->run.left_out++;
        return DYNO_OK;
    }
    if (!json_is_object(line->metrics)) {
        return refuse(line, "metrics", "is not an object");
    }
    start = json_object_get(line->metadata, "request_start_ns");
    if (!json_is_integer(start) || json_integer_value(start) < 0) {
        return refuse(line, "request_start_ns", "is not a whole number of nanoseconds");
    }
    /* Counted from the first one: nanoseconds of an epoch do not fit into a double. */
    if (reader->run.request_count == 0) {
        reader->first_ns = json_integer_value(start);
    }
    request.start_s = 1e-9 * (double)(json_integer_value(start) - reader->first_ns);
    DYNO_TRY(take_tokens(line, "input_sequence_length", NULL, &request.input_tokens));
    DYNO_TRY(
        take_tokens(line, "output_sequence_length", "output_token_count", &request.output_tokens));
    DYNO_TRY(take_time(line, "time_to_first_token", &request.ttft_s));
    DYNO_TRY(take_time(line, "request_latency", &request.e2e_s));
    if (request.ttft_s < 0 && request.e2e_s < 0) {
        return refuse(line, "request_latency", "is missing, and so is \"time_to_first_token\"");
    }
    return dyno_served_add(reader, &request);
}

dyno_status dyno_served_read_aiperf(struct dyno_served_reader *reader, FILE *file)
{
    struct line line = {.reader = reader};
    dyno_status status = DYNO_OK;
    size_t size = 0;
    char *text = NULL;
    ssize_t length;

    (void)snprintf(reader->run.tool, sizeof reader->run.tool, "AIPerf");
    reader->run.is_timed = true;
    while (status == DYNO_OK && (length = getline(&text, &size, file)) > 0) {
        json_error_t why;
        json_t *object;

        line.number++;
        if (strspn(text, " \t\r\n") == (size_t)length) {
            continue;
        }
        object = json_loadb(text, (size_t)length, 0, &why);
        status =
            json_is_object(object)
                ? take_line(reader, &line, object)
                : dyno_fail(reader->error, DYNO_BAD_INPUT, "%s:%" PRIu64 ":%d: %s", reader->path,
                            line.number, why.column, object ? "not an object" : why.text);
        json_decref(object);
    }
    free(text);
    return status;
}
