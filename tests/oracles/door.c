/* Shows what a live server shows, of a fleet of four workers under traffic made up from its time.
 *
 * usage: oracle_door page|policy|metrics|vllm|data [SECONDS [SINCE]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/door/dashboard_json.h"
#include "backends/door/page.h"
#include "backends/door/prometheus.h"
#include "backends/door/telemetry.h"

enum { WORKERS = 4 };

/* One that arrives in second `s`, waits, is prefilled, and decodes 40 tokens. */
static void serve(struct dyno_telemetry *telemetry, uint64_t s, uint64_t i)
{
    dyno_ns arrival = s * DYNO_S + i * DYNO_MS;
    dyno_ns queue = (5 + (s / 60 % 3) * 40 + i % 7) * DYNO_MS;
    dyno_ns gap = (18 + s / 45 % 5 + i % 11) * DYNO_MS;
    const struct dyno_request_record record = {
        .worker = (uint32_t)((s + i) % WORKERS),
        .outcome = i == 3 && s % 97 == 0 ? DYNO_FAILED : DYNO_COMPLETED,
        .prompt_tokens = 400,
        .cached_tokens = (uint32_t)(160 + s / 30 % 6 * 32),
        .output_tokens = 40,
        .arrival_ns = arrival,
        .ready_ns = arrival,
        .admitted_ns = arrival + queue,
        .first_token_ns = arrival + queue + 60 * DYNO_MS,
        .last_token_ns = arrival + queue + 60 * DYNO_MS + 39 * gap,
    };

    dyno_telemetry_received(telemetry, arrival);
    if (i == 5 && s % 61 == 0) {
        dyno_telemetry_refused(telemetry, arrival, DYNO_REFUSED_RATE_LIMITED);
        dyno_telemetry_answered(telemetry, 429);
        return;
    }
    dyno_telemetry_answered(telemetry, 200);
    dyno_telemetry_first_token(telemetry, arrival, queue + 60 * DYNO_MS);
    dyno_telemetry_next_tokens(telemetry, arrival, 39, gap);
    dyno_telemetry_ended(telemetry, arrival, &record, i % 4 == 0);
}

static void pass_second(struct dyno_telemetry *telemetry, uint64_t s)
{
    uint64_t requests = 6 + s / 20 % 8 + s % 3;

    for (uint64_t i = 0; i < requests; i++) {
        serve(telemetry, s, i);
    }
    for (uint32_t w = 0; w < WORKERS; w++) {
        const struct dyno_sample_record sample = {
            .at = s * DYNO_S + 500 * DYNO_MS,
            .worker = w,
            .running = (uint32_t)(requests + w),
            .waiting = (uint32_t)(s / 60 % 3 * (w + 1)),
            .blocks_used = (uint32_t)(300 + 40 * requests - 50 * w),
            .blocks_idle = (uint32_t)(s < 600 ? s / 2 : 300),
            .blocks_total = 1200,
            .tokens_out = s * (90 + 10 * w),
            .busy_ns = s * (900 - 100 * w) * DYNO_MS,
        };

        dyno_telemetry_sampled(telemetry, &sample);
    }
    dyno_telemetry_connections(telemetry, (uint32_t)requests * WORKERS);
}

static struct dyno_telemetry *make(uint64_t seconds)
{
    const struct dyno_telemetry_config config = {.model = "austen-2m",
                                                 .version = "0.1.0",
                                                 .worker_count = WORKERS,
                                                 .block_tokens = 16,
                                                 .block_bytes = 65536};
    struct dyno_telemetry *telemetry;
    struct dyno_error error;

    if (dyno_telemetry_open(&telemetry, &config, &error) != DYNO_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        exit(EXIT_FAILURE);
    }
    for (uint64_t s = 0; s < seconds; s++) {
        pass_second(telemetry, s);
    }
    return telemetry;
}

/* What is said of a fleet after `seconds`: the caller's to free; NULL: there is no such thing. */
static char *say(const char *what, uint64_t seconds, uint64_t since_s)
{
    struct dyno_telemetry *telemetry = make(seconds);
    char *text = NULL;
    size_t size;

    if (strcmp(what, "data") == 0) {
        (void)dyno_telemetry_json(telemetry, seconds * DYNO_S, since_s, &text, &size);
    } else if (strcmp(what, "metrics") == 0 || strcmp(what, "vllm") == 0) {
        (void)dyno_prometheus_write(telemetry, seconds * DYNO_S, *what == 'v', &text, &size);
    } else if (strcmp(what, "page") == 0) {
        text = strdup(dyno_dashboard_html(&size));
    } else if (strcmp(what, "policy") == 0) {
        text = strdup(dyno_dashboard_policy());
    }
    dyno_telemetry_close(telemetry);
    return text;
}

int main(int argc, char **argv)
{
    uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 10) : 900;
    uint64_t since_s = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    char *text = say(argc > 1 ? argv[1] : "", seconds, since_s);

    if (!text) {
        (void)fputs("usage: oracle_door page|policy|metrics|vllm|data [SECONDS [SINCE]]\n", stderr);
        return EXIT_FAILURE;
    }
    (void)fputs(text, stdout);
    free(text);
    return EXIT_SUCCESS;
}
