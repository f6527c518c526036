/* The progress bar: what a line says, and when a terminal sees one. */
#include "tests/reports/fixture.h"
#include <stdbool.h>

#include <pty.h>

#include "reports/format.h"
#include "reports/progress.h"
#include "tests/check_main.h"

#define BAR_0   "░░░░░░░░░░░░░░░░░░░░"
#define BAR_25  "█████░░░░░░░░░░░░░░░"
#define BAR_50  "██████████░░░░░░░░░░"
#define BAR_100 "████████████████████"

/* A quarter of 12,000 requests after 2 s of wall time and 20 min of simulated time. */
static const struct dyno_progress_state quarter = {
    .requests_ended = 3000,
    .requests_total = 12000,
    .now = 1200 * DYNO_S,
    .wall_s = 2,
};

static void line_is(const struct dyno_progress_state *state, uint32_t columns, const char *expected)
{
    char line[DYNO_PROGRESS_LINE_MAX];

    dyno_progress_line(line, state, columns);
    ck_assert_str_eq(line, expected);
}

START_TEST(a_wide_line_says_how_far_how_fast_and_how_long_yet)
{
    line_is(&quarter, 120,
            BAR_25 "  25 %  3,000 of 12,000 requests  20 min 00 s replayed"
                   "  600x real time  1,500 req/s  6.0 s left");
}
END_TEST

START_TEST(a_narrow_line_leaves_out_the_least_telling_first)
{
    line_is(&quarter, 101,
            BAR_25 "  25 %  3,000 of 12,000 requests  20 min 00 s replayed"
                   "  1,500 req/s  6.0 s left");
    line_is(&quarter, 80, BAR_25 "  25 %  3,000 of 12,000 requests  1,500 req/s  6.0 s left");
    line_is(&quarter, 40, "3,000 of 12,000 requests  6.0 s left");
    line_is(&quarter, 25, "3,000 of 12,000 requests");
    line_is(&quarter, 24, "");
    line_is(&quarter, 0, "");
}
END_TEST

START_TEST(no_line_is_as_wide_as_its_terminal)
{
    char line[DYNO_PROGRESS_LINE_MAX];
    struct dyno_progress_state largest = {.requests_ended = UINT64_MAX,
                                          .requests_total = UINT64_MAX,
                                          .now = UINT64_MAX,
                                          .wall_s = 1e15};

    for (uint32_t columns = 1; columns < 300; columns++) {
        dyno_progress_line(line, &largest, columns);
        ck_assert_uint_lt(dyno_format_width(line), columns);
    }
}
END_TEST

START_TEST(an_unknown_total_shows_no_bar_and_no_end)
{
    struct dyno_progress_state state = quarter;

    state.requests_total = 0;
    line_is(&state, 120, "3,000 requests  20 min 00 s replayed  600x real time  1,500 req/s");
}
END_TEST

START_TEST(a_known_duration_makes_a_bar_without_a_count)
{
    struct dyno_progress_state state = quarter;

    state.requests_total = 0;
    state.duration_ns = 2400 * DYNO_S;
    line_is(&state, 120,
            BAR_50 "  50 %  3,000 requests  20 min 00 s replayed"
                   "  600x real time  1,500 req/s  2.0 s left");
}
END_TEST

START_TEST(the_first_instant_shows_no_speed)
{
    struct dyno_progress_state state = {.requests_total = 10};

    line_is(&state, 120, BAR_0 "   0 %  0 of 10 requests  0 ms replayed");
}
END_TEST

START_TEST(more_requests_than_announced_is_no_more_than_all)
{
    struct dyno_progress_state state = quarter;

    state.requests_ended = 20000;
    line_is(&state, 60, BAR_100 " 100 %  20,000 of 12,000 requests");
}
END_TEST

START_TEST(a_pipe_hears_nothing)
{
    struct dyno_progress *progress;
    struct dyno_sink *sink;
    FILE *stream;
    int ends[2];
    char byte;

    ck_assert_int_eq(pipe(ends), 0);
    stream = fdopen(ends[1], "w");
    ck_assert_int_eq(dyno_progress_open(&progress, stream, 10, 0), DYNO_OK);
    sink = dyno_progress_sink(progress);
    ck_assert_ptr_nonnull(sink->ops);
    ck_assert_ptr_null(sink->ops->progress);
    dyno_progress_close(progress);
    fclose(stream);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}
END_TEST

/* What a terminal of `kind` and 50 columns shows of a run that draws once.  False, and a word about
 * it, where the system has no pseudo-terminals (a bare chroot). */
static bool show_on_terminal(const char *kind, char *text, size_t size)
{
    struct winsize window = {.ws_row = 24, .ws_col = 50};
    struct dyno_progress *progress;
    struct dyno_sink *sink;
    int inside, terminal;
    FILE *stream;

    setenv("TERM", kind, 1);
    if (openpty(&inside, &terminal, NULL, NULL, &window) != 0) {
        fputs("skipped: no pseudo-terminals here\n", stderr);
        return false;
    }
    stream = fdopen(terminal, "w");
    ck_assert_int_eq(dyno_progress_open(&progress, stream, 1000, 0), DYNO_OK);
    sink = dyno_progress_sink(progress);
    if (sink->ops->progress) {
        sink->ops->progress(sink, 7 * DYNO_S, 500);
    }
    dyno_progress_close(progress);
    fclose(stream);
    terminal_text(inside, text, size);
    return true;
}

START_TEST(a_terminal_sees_the_bar_and_at_the_end_it_is_gone)
{
    char text[1024];

    if (show_on_terminal("xterm", text, sizeof text)) {
        ck_assert_str_eq(text, "\r\033[K" BAR_50 "  50 %  500 of 1,000 requests\r\033[K");
    }
}
END_TEST

START_TEST(a_dumb_terminal_is_left_alone)
{
    char text[1024];

    if (show_on_terminal("dumb", text, sizeof text)) {
        ck_assert_str_eq(text, "");
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("progress");

    tcase_add_test(tc, a_wide_line_says_how_far_how_fast_and_how_long_yet);
    tcase_add_test(tc, a_narrow_line_leaves_out_the_least_telling_first);
    tcase_add_test(tc, no_line_is_as_wide_as_its_terminal);
    tcase_add_test(tc, an_unknown_total_shows_no_bar_and_no_end);
    tcase_add_test(tc, a_known_duration_makes_a_bar_without_a_count);
    tcase_add_test(tc, the_first_instant_shows_no_speed);
    tcase_add_test(tc, more_requests_than_announced_is_no_more_than_all);
    tcase_add_test(tc, a_pipe_hears_nothing);
    tcase_add_test(tc, a_terminal_sees_the_bar_and_at_the_end_it_is_gone);
    tcase_add_test(tc, a_dumb_terminal_is_left_alone);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/progress", add_cases)
