/* Telemetry for tests: opened small, and fed with requests whose every stamp is chosen. */
#ifndef DYNO_TESTS_BACKENDS_DOOR_FEED_H
#define DYNO_TESTS_BACKENDS_DOOR_FEED_H

#include <string.h>

#include "backends/door/telemetry.h"
#include "tests/check_main.h"

/* Three workers have a planner. */
static struct dyno_telemetry *open_named(const char *model, uint32_t workers)
{
    const struct dyno_telemetry_config config = {.model = model,
                                                 .version = "1.2.3",
                                                 .worker_count = workers,
                                                 .block_tokens = 16,
                                                 .block_bytes = 2048,
                                                 .has_planner = workers == 3};
    struct dyno_telemetry *telemetry = NULL;
    struct dyno_error error;

    ck_assert_msg(dyno_telemetry_open(&telemetry, &config, &error) == DYNO_OK, "%s", error.text);
    return telemetry;
}

/* A request of 100 prompt tokens, 60 of them cached, and 11 generated: it waits 10 ms, is prefilled
 * in 40 ms and gets a token each 20 ms. */
static struct dyno_request_record record_of(uint32_t worker, dyno_ns arrival_ns)
{
    return (struct dyno_request_record){
        .worker = worker,
        .outcome = DYNO_COMPLETED,
        .prompt_tokens = 100,
        .output_tokens = 11,
        .cached_tokens = 60,
        .onboarded_tokens = 45,
        .pulled_tokens = 5,
        .preemptions = 1,
        .scheduled_ns = arrival_ns,
        .arrival_ns = arrival_ns,
        .ready_ns = arrival_ns,
        .admitted_ns = arrival_ns + 10 * DYNO_MS,
        .first_token_ns = arrival_ns + 50 * DYNO_MS,
        .last_token_ns = arrival_ns + 250 * DYNO_MS,
    };
}

/* A tick at `at` after which `desired` workers are wanted. */
static inline void plan(struct dyno_telemetry *telemetry, dyno_ns at, uint32_t before,
                        uint32_t desired, const char *reason)
{
    dyno_telemetry_planned(telemetry, &(struct dyno_plan_record){.at = at,
                                                                 .role = "serve",
                                                                 .before = before,
                                                                 .asked = desired,
                                                                 .desired = desired,
                                                                 .reason = reason,
                                                                 .ready = before,
                                                                 .starting = 1,
                                                                 .running = 12,
                                                                 .waiting = 30,
                                                                 .lobby = 4,
                                                                 .rate = 2.5,
                                                                 .forecast_rate = 3});
}

/* The whole life of such a request, from its arrival on. */
static void serve(struct dyno_telemetry *telemetry, uint32_t worker, dyno_ns arrival_ns)
{
    struct dyno_request_record record = record_of(worker, arrival_ns);

    dyno_telemetry_received(telemetry, arrival_ns);
    dyno_telemetry_first_token(telemetry, record.first_token_ns, 50 * DYNO_MS);
    dyno_telemetry_next_tokens(telemetry, record.last_token_ns, 10, 20 * DYNO_MS);
    dyno_telemetry_ended(telemetry, record.last_token_ns, &record, true);
}

#endif
