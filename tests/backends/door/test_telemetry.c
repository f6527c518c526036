/* A live server's telemetry, read back as the page reads it. */
#include "backends/door/telemetry.h"

#include <jansson.h>

#include "backends/door/dashboard_json.h"
#include "backends/door/looks.h"
#include "backends/door/window.h"
#include "core/base/rng.h"
#include "tests/backends/door/feed.h"

static struct dyno_telemetry *telemetry;

static void set_up(void)
{
    telemetry = open_named("small", 2);
}

static void tear_down(void)
{
    dyno_telemetry_close(telemetry);
}

static json_t *page(dyno_ns now, uint64_t since_s)
{
    json_error_t problem;
    json_t *root;
    char *text;
    size_t size;

    ck_assert_int_eq(dyno_telemetry_json(telemetry, now, since_s, &text, &size), DYNO_OK);
    ck_assert_uint_eq(strlen(text), size);
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    ck_assert_msg(root != NULL, "%s in %s", problem.text, text);
    free(text);
    return root;
}

static json_t *point(const json_t *root, size_t index)
{
    return json_array_get(json_object_get(root, "points"), index);
}

/* The value of a point's column by name; -1: null. */
static double value(const json_t *root, size_t index, const char *name)
{
    const json_t *names = json_object_get(root, "columns");
    const json_t *got = NULL;

    for (size_t i = 0; i < json_array_size(names); i++) {
        if (strcmp(json_string_value(json_array_get(names, i)), name) == 0) {
            got = json_array_get(point(root, index), i);
        }
    }
    ck_assert_msg(got != NULL, "no column %s at point %zu", name, index);
    return json_is_null(got) ? -1 : json_number_value(got);
}

static size_t point_count(const json_t *root)
{
    return json_array_size(json_object_get(root, "points"));
}

static bool near(double got, double due)
{
    return got >= due * (1 - 1.0 / 32) && got <= due * (1 + 1.0 / 32);
}

START_TEST(a_point_tells_what_happened_in_its_five_seconds)
{
    json_t *root;

    for (uint32_t i = 0; i < 10; i++) {
        serve(telemetry, 0, 5 * DYNO_S + i * DYNO_S / 4);
    }
    root = page(10 * DYNO_S, 0);
    ck_assert_uint_eq(point_count(root), 2);
    ck_assert_double_eq(value(root, 0, "requests_per_s"), 0);
    ck_assert_double_eq(value(root, 1, "at_s"), 5);
    ck_assert_double_eq(value(root, 1, "requests_per_s"), 2);
    ck_assert_double_eq(value(root, 1, "prompt_tokens_per_s"), 200);
    ck_assert_double_eq(value(root, 1, "output_tokens_per_s"), 22);
    ck_assert_double_eq(value(root, 1, "hit_rate"), 0.6);
    ck_assert(near(value(root, 1, "ttft_p50_ms"), 50));
    ck_assert(near(value(root, 1, "ttft_p95_ms"), 50));
    ck_assert(near(value(root, 1, "tpot_p50_ms"), 20));
    json_decref(root);
}
END_TEST

START_TEST(what_nobody_told_is_null_and_not_zero)
{
    static const char *const unknown[] = {"running",     "waiting",     "kv_used",
                                          "kv_idle",     "hit_rate",    "ttft_p50_ms",
                                          "ttft_p95_ms", "tpot_p50_ms", "tpot_p95_ms"};
    json_t *root = page(5 * DYNO_S, 0);
    const json_t *worker = json_array_get(json_object_get(root, "workers"), 0);

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        ck_assert_msg(value(root, 0, unknown[i]) == -1, "%s is not null", unknown[i]);
    }
    ck_assert(json_is_null(json_object_get(worker, "busy")));
    ck_assert(json_is_null(json_object_get(worker, "tokens_per_s")));
    ck_assert(json_is_null(json_object_get(worker, "hit_rate")));
    ck_assert(json_is_null(json_object_get(worker, "seen_s")));
    ck_assert(json_is_null(json_object_get(root, "planner")));
    json_decref(root);
}
END_TEST

START_TEST(the_page_hears_what_changed_the_fleets_size)
{
    json_t *root;
    const json_t *changes;

    dyno_telemetry_close(telemetry);
    telemetry = open_named("small", 3);
    root = page(DYNO_S, 0);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "planner")), 0);
    ck_assert(json_is_null(json_object_get(root, "planner_now")));
    json_decref(root);
    for (uint32_t i = 0; i < 25; i++) {
        plan(telemetry, (2 * i + 1) * DYNO_S, i, i + 1, "up");
        plan(telemetry, (2 * i + 2) * DYNO_S, i + 1, i + 1, "held");
    }
    root = page(60 * DYNO_S, 0);
    changes = json_object_get(root, "planner");
    ck_assert_uint_eq(json_array_size(changes), 20);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(changes, 19), "at_s")), 49);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(changes, 0), "text")),
                     "6 workers instead of 5 (up): 2.5 requests/s, 3 to come, 12 running, 34 "
                     "waiting");
    changes = json_array_get(json_object_get(root, "planner_now"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(changes, "reason")), "held");
    ck_assert_int_eq(json_integer_value(json_object_get(changes, "desired")), 25);
    json_decref(root);
}
END_TEST

static const char *text_of(const json_t *list, size_t index, const char *key)
{
    return json_string_value(json_object_get(json_array_get(list, index), key));
}

START_TEST(the_page_hears_who_decodes_who_computes_prompts_and_who_is_there)
{
    const struct dyno_telemetry_config config = {.model = "m",
                                                 .version = "1",
                                                 .worker_count = 4,
                                                 .block_tokens = 16,
                                                 .has_planner = true,
                                                 .prefill_from = 2};
    const char *const states[] = {"ready", "stopped", "draining", "starting"};
    struct dyno_error error;
    json_t *root;
    const json_t *list;

    dyno_telemetry_close(telemetry);
    ck_assert_int_eq(dyno_telemetry_open(&telemetry, &config, &error), DYNO_OK);
    for (uint32_t i = 0; i < 4; i++) {
        dyno_telemetry_sampled(
            telemetry, &(struct dyno_sample_record){
                           .at = DYNO_S, .worker = i, .state = states[i], .blocks_total = 100});
    }
    for (uint32_t i = 0; i < 2; i++) {
        dyno_telemetry_planned(telemetry,
                               &(struct dyno_plan_record){.at = DYNO_S,
                                                          .role = i ? "prefill" : "decode",
                                                          .before = 1,
                                                          .desired = 2 + i,
                                                          .reason = "up"});
    }
    root = page(2 * DYNO_S, 0);
    list = json_object_get(root, "workers");
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(text_of(list, i, "state"), states[i]);
        ck_assert_str_eq(text_of(list, i, "role"), i < 2 ? "decode" : "prefill");
    }
    list = json_object_get(json_object_get(root, "fleet"), "kv"); /* two have memory in use */
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "total")), 200);
    list = json_object_get(root, "planner_now");
    ck_assert_str_eq(text_of(list, 0, "role"), "decode");
    ck_assert_str_eq(text_of(list, 1, "role"), "prefill");
    list = json_object_get(root, "planner");
    ck_assert_str_eq(text_of(list, 1, "text"),
                     "3 prefill workers instead of 1 (up): 0 requests/s, 0 to come, 0 running, 0 "
                     "waiting");
    json_decref(root);
}
END_TEST

/* Of what the loop left, the door takes what changed something, and the last of each role. */
START_TEST(no_role_hides_what_was_planned_for_the_other)
{
    struct dyno_looks looks;
    struct dyno_plan_record plans[DYNO_LOOKS_PLANS_MAX];

    ck_assert_int_eq(dyno_looks_init(&looks, 1), DYNO_OK);
    for (uint32_t tick = 0; tick < 3; tick++) {
        for (uint32_t role = 0; role < 2; role++) {
            dyno_looks_leave_plan(
                &looks, &(struct dyno_plan_record){.at = tick,
                                                   .role = role ? "prefill" : "decode",
                                                   .before = 1,
                                                   .desired = tick == 1 && role == 1 ? 2 : 1});
        }
    }
    ck_assert_uint_eq(dyno_looks_take_plans(&looks, plans), 3);
    ck_assert_uint_eq(plans[0].desired, 2);
    ck_assert_uint_eq(plans[0].at, 1);
    ck_assert_str_eq(plans[1].role, "decode");
    ck_assert_uint_eq(plans[1].at, 2);
    ck_assert_str_eq(plans[2].role, "prefill");
    ck_assert_uint_eq(plans[2].at, 2);
    dyno_looks_release(&looks);
}
END_TEST

START_TEST(a_second_counts_once_it_is_over)
{
    json_t *root;

    dyno_telemetry_received(telemetry, DYNO_S / 2);
    root = page(DYNO_S - 1, 0);
    ck_assert_uint_eq(point_count(root), 0);
    json_decref(root);
    root = page(DYNO_S, 0);
    ck_assert_double_eq(value(root, 0, "requests_per_s"), 1);
    json_decref(root);
    root = page(2 * DYNO_S, 0);
    ck_assert_double_eq(value(root, 0, "requests_per_s"), 0.5);
    json_decref(root);
}
END_TEST

START_TEST(an_earlier_now_counts_as_the_latest)
{
    json_t *root;

    dyno_telemetry_received(telemetry, 7 * DYNO_S);
    dyno_telemetry_received(telemetry, 3 * DYNO_S);
    root = page(0, 0);
    ck_assert_uint_eq(point_count(root), 2);
    ck_assert_double_eq(value(root, 0, "requests_per_s"), 0);
    json_decref(root);
    root = page(8 * DYNO_S, 0);
    ck_assert_double_eq(value(root, 1, "requests_per_s"), 0.666667);
    json_decref(root);
}
END_TEST

START_TEST(points_before_since_are_left_out)
{
    json_t *root = page(100 * DYNO_S, 93);

    ck_assert_uint_eq(point_count(root), 2);
    ck_assert_double_eq(value(root, 0, "at_s"), 90);
    json_decref(root);
    root = page(100 * DYNO_S, UINT64_MAX);
    ck_assert_uint_eq(point_count(root), 0);
    json_decref(root);
}
END_TEST

/* Of the test below: what arrives in the five seconds from `second` on, a second. */
static double rate_of(uint64_t second)
{
    uint64_t received = 0;

    for (uint64_t s = second; s < second + 5; s++) {
        received += (s % 7 * s + 6) / 7;
    }
    return (double)received / 5;
}

START_TEST(fifteen_minutes_are_kept_and_no_more)
{
    json_t *root;

    for (uint64_t s = 0; s < 3000; s++) {
        for (uint64_t i = 0; i < s % 7 * s; i += 7) {
            dyno_telemetry_received(telemetry, s * DYNO_S);
        }
    }
    root = page(3000 * DYNO_S, 0);
    ck_assert_uint_eq(point_count(root), 179);
    for (size_t i = 0; i < 179; i++) {
        ck_assert_double_eq(value(root, i, "at_s"), 2105 + 5.0 * (double)i);
        ck_assert_double_eq(value(root, i, "requests_per_s"), rate_of(2105 + 5 * i));
    }
    json_decref(root);
}
END_TEST

START_TEST(a_long_silence_leaves_nothing_behind)
{
    json_t *root;

    for (uint64_t s = 0; s < 2000; s++) {
        serve(telemetry, 0, s * DYNO_S);
    }
    dyno_telemetry_received(telemetry, 1000000 * DYNO_S);
    root = page(1000001 * DYNO_S, 0);
    for (size_t i = 0; i + 1 < point_count(root); i++) {
        ck_assert_double_eq(value(root, i, "requests_per_s"), 0);
        ck_assert_double_eq(value(root, i, "ttft_p50_ms"), -1);
    }
    json_decref(root);
    root = page(2000000 * DYNO_S, 0); /* and a silence that nobody broke */
    ck_assert_uint_eq(point_count(root), 179);
    ck_assert_double_eq(value(root, 178, "requests_per_s"), 0);
    json_decref(root);
}
END_TEST

static void look(uint32_t worker, dyno_ns at, uint32_t running, uint64_t tokens_out)
{
    const struct dyno_sample_record sample = {.at = at,
                                              .worker = worker,
                                              .running = running,
                                              .waiting = 2 * running,
                                              .blocks_used = 10 * running,
                                              .blocks_idle = 5,
                                              .blocks_total = 100,
                                              .tokens_out = tokens_out,
                                              .busy_ns = at / 2};

    dyno_telemetry_sampled(telemetry, &sample);
}

START_TEST(tiers_are_told_with_the_workers_that_use_them)
{
    const struct dyno_sample_record sample = {
        .at = DYNO_S,
        .worker = 1,
        .blocks_used = 10,
        .blocks_total = 100,
        .tier_count = 1,
        .tiers = {{.level = 2, .blocks_moving = 3, .blocks_kept = 40, .blocks_total = 1000}}};
    const json_t *kv, *tier;
    json_t *root;

    dyno_telemetry_sampled(telemetry, &sample);
    root = page(2 * DYNO_S, 0);
    kv = json_object_get(json_array_get(json_object_get(root, "workers"), 1), "kv");
    ck_assert_uint_eq(json_array_size(kv), 2);
    tier = json_array_get(kv, 1);
    ck_assert_str_eq(json_string_value(json_object_get(tier, "tier")), "g2");
    ck_assert_int_eq(json_integer_value(json_object_get(tier, "used")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(tier, "idle")), 40);
    ck_assert_int_eq(json_integer_value(json_object_get(tier, "total")), 1000);
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(root, "fleet"), "kv")), 1);
    json_decref(root);
}
END_TEST

START_TEST(the_fleet_is_the_sum_of_its_workers_latest)
{
    const json_t *fleet, *kv;
    json_t *root;

    look(0, 1 * DYNO_S, 9, 0);
    look(1, 2 * DYNO_S, 1, 0);
    look(0, 3 * DYNO_S, 4, 0);
    root = page(5 * DYNO_S, 0);
    fleet = json_object_get(root, "fleet");
    kv = json_array_get(json_object_get(fleet, "kv"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(fleet, "running")), 5);
    ck_assert_int_eq(json_integer_value(json_object_get(fleet, "waiting")), 10);
    ck_assert_str_eq(json_string_value(json_object_get(kv, "tier")), "g1");
    ck_assert_int_eq(json_integer_value(json_object_get(kv, "used")), 50);
    ck_assert_int_eq(json_integer_value(json_object_get(kv, "idle")), 10);
    ck_assert_int_eq(json_integer_value(json_object_get(kv, "total")), 200);
    ck_assert_double_eq(value(root, 0, "running"), 5);
    ck_assert_double_eq(value(root, 0, "waiting"), 10);
    ck_assert_double_eq(value(root, 0, "kv_used"), 0.25);
    ck_assert_double_eq(value(root, 0, "kv_idle"), 0.05);
    json_decref(root);
}
END_TEST

/* What worker 0 says of itself at `now`. */
static double of_worker(dyno_ns now, const char *key)
{
    json_t *root = page(now, UINT64_MAX);
    double got = json_number_value(
        json_object_get(json_array_get(json_object_get(root, "workers"), 0), key));

    json_decref(root);
    return got;
}

START_TEST(a_workers_rates_are_of_its_last_seconds)
{
    for (uint64_t s = 0; s <= 100; s++) {
        look(0, s * DYNO_S, 1, s < 80 ? 0 : (s - 80) * 50);
    }
    ck_assert_double_eq(of_worker(103 * DYNO_S, "tokens_per_s"), 50);
    ck_assert_double_eq(of_worker(103 * DYNO_S, "busy"), 0.5);
    ck_assert_double_eq(of_worker(103 * DYNO_S, "seen_s"), 3);
}
END_TEST

START_TEST(a_worker_that_begins_again_has_no_negative_rate)
{
    look(0, 1 * DYNO_S, 1, 1000);
    look(0, 20 * DYNO_S, 1, 5000);
    look(0, 21 * DYNO_S, 1, 7);
    look(0, 22 * DYNO_S, 1, 17);
    ck_assert_double_eq(of_worker(22 * DYNO_S, "tokens_per_s"), 10);
}
END_TEST

START_TEST(a_workers_hit_rate_is_of_the_last_fifteen_minutes)
{
    struct dyno_request_record record = record_of(0, 60 * DYNO_S);

    record.cached_tokens = 100;
    record.onboarded_tokens = 85; /* 5 of them from another worker, as in minute 15 of 45 */
    dyno_telemetry_received(telemetry, 60 * DYNO_S);
    dyno_telemetry_ended(telemetry, 60 * DYNO_S, &record, false); /* minute 1: all of 100 */
    serve(telemetry, 0, 15 * 60 * DYNO_S);                        /* minute 15: 60 of 100 */
    ck_assert_double_eq(of_worker(16 * 60 * DYNO_S - 1, "hit_rate"), 0.8);
    ck_assert_double_eq(of_worker(16 * 60 * DYNO_S - 1, "onboarded_rate"), 0.6);
    ck_assert_double_eq(of_worker(16 * 60 * DYNO_S - 1, "pulled_rate"), 0.05);
    ck_assert_double_eq(of_worker(16 * 60 * DYNO_S, "hit_rate"), 0.6);
    ck_assert_double_eq(of_worker(16 * 60 * DYNO_S, "onboarded_rate"), 0.4);
    serve(telemetry, 0, 16 * 60 * DYNO_S); /* takes the place of minute 1 */
    ck_assert_double_eq(of_worker(29 * 60 * DYNO_S, "hit_rate"), 0.6);
}
END_TEST

static bool is_error(const json_t *error, const char *reason, int recent, int total)
{
    return strcmp(json_string_value(json_object_get(error, "reason")), reason) == 0 &&
           json_integer_value(json_object_get(error, "recent")) == recent &&
           json_integer_value(json_object_get(error, "total")) == total;
}

START_TEST(errors_are_told_by_reason)
{
    struct dyno_request_record record = record_of(0, 0);
    const json_t *errors;
    json_t *root;

    for (int i = 0; i < 4; i++) {
        dyno_telemetry_received(telemetry, 0);
    }
    dyno_telemetry_refused(telemetry, 0, DYNO_REFUSED_RATE_LIMITED);
    record.outcome = DYNO_CANCELLED_BY_CLIENT;
    dyno_telemetry_ended(telemetry, 2000 * DYNO_S, &record, false);
    record.outcome = DYNO_FAILED;
    dyno_telemetry_ended(telemetry, 2000 * DYNO_S, &record, false);
    root = page(2001 * DYNO_S, 0);
    errors = json_object_get(root, "errors");
    ck_assert_uint_eq(json_array_size(errors), 3);
    ck_assert(is_error(json_array_get(errors, 0), "cancelled_by_client", 1, 1));
    ck_assert(is_error(json_array_get(errors, 1), "failed", 1, 1));
    ck_assert(is_error(json_array_get(errors, 2), "rate_limited", 0, 1));
    ck_assert_double_eq(value(root, point_count(root) - 1, "errors_per_s"), 1);
    ck_assert_int_eq(
        json_integer_value(json_object_get(json_object_get(root, "fleet"), "in_flight")), 1);
    json_decref(root);
}
END_TEST

START_TEST(names_come_out_as_they_went_in)
{
    static const char hostile[] = "</script>\"\\<img src=x onerror=alert(1)> é 日本";
    json_t *root;

    dyno_telemetry_close(telemetry);
    telemetry = open_named(hostile, 1);
    root = page(0, 0);
    ck_assert_str_eq(json_string_value(json_object_get(root, "model")), hostile);
    json_decref(root);
}
END_TEST

START_TEST(names_that_are_no_clean_text_are_refused)
{
    static const char *const names[] = {"fine", "a\nb"};
    struct dyno_telemetry_config config = {.model = "a\xff", .version = "1", .worker_count = 2};
    struct dyno_telemetry *none = NULL;
    struct dyno_error error;

    ck_assert_int_eq(dyno_telemetry_open(&none, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "model's name"));
    config.model = "a";
    config.worker_names = names;
    ck_assert_int_eq(dyno_telemetry_open(&none, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "worker 1's name"));
    config.worker_count = 0;
    ck_assert_int_eq(dyno_telemetry_open(&none, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_null(none);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    dyno_ns x = *(const dyno_ns *)a, y = *(const dyno_ns *)b;

    return (x > y) - (x < y);
}

/* Values over eight powers of ten, some of them outside what the sketch tells apart. */
START_TEST(a_quantile_is_within_its_error_of_the_sorted_sample)
{
    static const double fractions[] = {0, 0.05, 0.5, 0.95, 0.99, 1};
    struct dyno_sketch sketch = {0};
    struct dyno_rng rng;
    dyno_ns values[500];
    uint32_t count;

    dyno_rng_init(&rng, (uint64_t)_i, "sketch");
    count = 1 + (uint32_t)dyno_rng_below(&rng, 500);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = (1 + dyno_rng_below(&rng, 1000)) << (10 + dyno_rng_below(&rng, 20));
        dyno_sketch_add(&sketch, values[i]);
    }
    qsort(values, count, sizeof values[0], by_value);
    for (size_t i = 0; i < sizeof fractions / sizeof fractions[0]; i++) {
        uint64_t rank = 1;
        dyno_ns got = dyno_sketch_quantile(&sketch, fractions[i]);

        while ((double)rank < fractions[i] * (double)count) {
            rank++;
        }
        ck_assert_msg(near((double)got, (double)values[rank - 1]),
                      "seed %d: %g of %u values is %llu, not %llu", _i, fractions[i], count,
                      (unsigned long long)values[rank - 1], (unsigned long long)got);
    }
}
END_TEST

START_TEST(the_sketch_ends_where_it_says)
{
    struct dyno_sketch sketch = {0};

    ck_assert(dyno_sketch_quantile(&sketch, 0.5) == DYNO_NEVER);
    dyno_sketch_add(&sketch, 0);
    ck_assert_uint_eq(dyno_sketch_quantile(&sketch, 0.5), 1024 + 32);
    dyno_sketch_add(&sketch, DYNO_NEVER);
    ck_assert_uint_eq(dyno_sketch_quantile(&sketch, 0.5), 1024 + 32);
    ck_assert_uint_gt(dyno_sketch_quantile(&sketch, 0.51), 1000 * DYNO_S);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("telemetry");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_point_tells_what_happened_in_its_five_seconds);
    tcase_add_test(tc, what_nobody_told_is_null_and_not_zero);
    tcase_add_test(tc, the_page_hears_what_changed_the_fleets_size);
    tcase_add_test(tc, the_page_hears_who_decodes_who_computes_prompts_and_who_is_there);
    tcase_add_test(tc, no_role_hides_what_was_planned_for_the_other);
    tcase_add_test(tc, a_second_counts_once_it_is_over);
    tcase_add_test(tc, an_earlier_now_counts_as_the_latest);
    tcase_add_test(tc, points_before_since_are_left_out);
    tcase_add_test(tc, fifteen_minutes_are_kept_and_no_more);
    tcase_add_test(tc, a_long_silence_leaves_nothing_behind);
    tcase_add_test(tc, the_fleet_is_the_sum_of_its_workers_latest);
    tcase_add_test(tc, tiers_are_told_with_the_workers_that_use_them);
    tcase_add_test(tc, a_workers_rates_are_of_its_last_seconds);
    tcase_add_test(tc, a_worker_that_begins_again_has_no_negative_rate);
    tcase_add_test(tc, a_workers_hit_rate_is_of_the_last_fifteen_minutes);
    tcase_add_test(tc, errors_are_told_by_reason);
    tcase_add_test(tc, names_come_out_as_they_went_in);
    tcase_add_test(tc, names_that_are_no_clean_text_are_refused);
    tcase_add_loop_test(tc, a_quantile_is_within_its_error_of_the_sorted_sample, 0, 50);
    tcase_add_test(tc, the_sketch_ends_where_it_says);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("telemetry", add_cases)
