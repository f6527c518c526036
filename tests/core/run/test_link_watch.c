/* Looks at links: what sinks hear, and what is left in the end; the links say what a test tells. */
#include "core/run/link_watch.h"

#include "tests/check_main.h"

enum { LINKS = 3, HEARD_MAX = 8 };

/* Links that carried what `uses` says, whenever they are asked. */
static struct dyno_link_use uses[LINKS];

static void use(const struct dyno_links *links, dyno_ns now, struct dyno_link_use *out)
{
    (void)now;
    for (uint32_t i = 0; i < links->link_count; i++) {
        out[i] = uses[i];
    }
}

static const struct dyno_links_ops counting = {.name = "counting", .use = use};
static const struct dyno_links_ops silent = {.name = "silent"};

struct ear {
    struct dyno_sink sink;
    struct dyno_link_record heard[HEARD_MAX];
    uint32_t count;
    dyno_status answer;
};

static dyno_status hear(struct dyno_sink *sink, const struct dyno_link_record *record)
{
    struct ear *ear = (void *)sink;

    ck_assert_uint_lt(ear->count, HEARD_MAX);
    ear->heard[ear->count++] = *record;
    return ear->answer;
}

static const struct dyno_sink_ops ear_ops = {.name = "ear", .link = hear};
static const struct dyno_sink_ops deaf_ops = {.name = "deaf"};

static struct dyno_link_watch *open_watch(struct dyno_links *links)
{
    struct dyno_link_watch *watch = NULL;

    for (uint32_t i = 0; i < LINKS; i++) {
        uses[i] = (struct dyno_link_use){0, 0};
    }
    *links = (struct dyno_links){.ops = &counting, .link_count = LINKS};
    ck_assert_int_eq(dyno_link_watch_open(&watch, links), DYNO_OK);
    ck_assert_ptr_nonnull(watch);
    return watch;
}

START_TEST(where_nobody_counts_nobody_looks)
{
    struct dyno_links links = {.ops = &silent, .link_count = LINKS};
    struct dyno_link_watch *watch;

    ck_assert_int_eq(dyno_link_watch_open(&watch, &links), DYNO_OK);
    ck_assert_ptr_null(watch);
    links = (struct dyno_links){.ops = &counting};
    ck_assert_int_eq(dyno_link_watch_open(&watch, &links), DYNO_OK);
    ck_assert_ptr_null(watch);
    ck_assert_int_eq(dyno_link_watch_open(&watch, NULL), DYNO_OK);
    ck_assert_ptr_null(watch);
}
END_TEST

START_TEST(a_look_tells_what_came_since_the_last_one_and_of_nobody_else)
{
    struct ear ear = {.sink = {.ops = &ear_ops}};
    struct dyno_sink deaf = {.ops = &deaf_ops, .next = &ear.sink};
    struct dyno_links links;
    struct dyno_link_watch *watch = open_watch(&links);

    uses[1] = (struct dyno_link_use){.bytes = 500, .busy_ns = 40};
    ck_assert_int_eq(dyno_link_watch_look(watch, 100, &deaf), DYNO_OK);
    ck_assert_int_eq(dyno_link_watch_look(watch, 100, &deaf), DYNO_OK); /* twice is once */
    uses[1] = (struct dyno_link_use){.bytes = 700, .busy_ns = 90};
    uses[2] = (struct dyno_link_use){.bytes = 0, .busy_ns = 5}; /* down, and somebody waits */
    ck_assert_int_eq(dyno_link_watch_look(watch, 300, &deaf), DYNO_OK);
    ck_assert_int_eq(dyno_link_watch_look(watch, 400, &deaf), DYNO_OK);
    ck_assert_uint_eq(ear.count, 3);
    ck_assert_uint_eq(ear.heard[0].link, 1);
    ck_assert_uint_eq(ear.heard[0].since, 0);
    ck_assert_uint_eq(ear.heard[0].bytes, 500);
    ck_assert_uint_eq(ear.heard[1].link, 1);
    ck_assert_uint_eq(ear.heard[1].at, 300);
    ck_assert_uint_eq(ear.heard[1].since, 100);
    ck_assert_uint_eq(ear.heard[1].bytes, 200);
    ck_assert_uint_eq(ear.heard[1].busy_ns, 50);
    ck_assert_uint_eq(ear.heard[2].link, 2);
    ck_assert_uint_eq(ear.heard[2].busy_ns, 5);
    dyno_link_watch_close(watch);
}
END_TEST

/* 500 bytes in 100 ns are 5 GB/s; what comes after the last look counts, but not as a peak. */
START_TEST(totals_have_everything_and_peaks_are_between_looks)
{
    struct dyno_links links;
    struct dyno_link_watch *watch = open_watch(&links);
    const struct dyno_link_total *totals;
    uint32_t count;

    uses[0] = (struct dyno_link_use){.bytes = 500, .busy_ns = 100};
    ck_assert_int_eq(dyno_link_watch_look(watch, 100, NULL), DYNO_OK);
    uses[0] = (struct dyno_link_use){.bytes = 600, .busy_ns = 200};
    ck_assert_int_eq(dyno_link_watch_look(watch, 200, NULL), DYNO_OK);
    uses[0] = (struct dyno_link_use){.bytes = 900, .busy_ns = 201};
    dyno_link_watch_end(watch, 201);
    totals = dyno_link_watch_totals(watch, &count);
    ck_assert_uint_eq(count, LINKS);
    ck_assert_uint_eq(totals[0].use.bytes, 900);
    ck_assert_uint_eq(totals[0].use.busy_ns, 201);
    ck_assert_uint_eq(totals[0].peak_bytes_per_s, 5000000000);
    ck_assert_uint_eq(totals[2].use.bytes, 0);
    dyno_link_watch_close(watch);
}
END_TEST

START_TEST(a_sink_that_fails_ends_the_look)
{
    struct ear ear = {.sink = {.ops = &ear_ops}, .answer = DYNO_IO};
    struct dyno_links links;
    struct dyno_link_watch *watch = open_watch(&links);

    uses[0] = uses[1] = (struct dyno_link_use){.bytes = 1, .busy_ns = 1};
    ck_assert_int_eq(dyno_link_watch_look(watch, 100, &ear.sink), DYNO_IO);
    ck_assert_uint_eq(ear.count, 1);
    dyno_link_watch_close(watch);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("link_watch");

    tcase_add_test(cases, where_nobody_counts_nobody_looks);
    tcase_add_test(cases, a_look_tells_what_came_since_the_last_one_and_of_nobody_else);
    tcase_add_test(cases, totals_have_everything_and_peaks_are_between_looks);
    tcase_add_test(cases, a_sink_that_fails_ends_the_look);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("link_watch", add_cases)
