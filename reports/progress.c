/* The progress bar: a sink that shows on a terminal how far a run is.
 *
 * It is the one listener that looks at the machine's clock: to redraw ten times a second, and for
 * speed and time left.  It shows these and returns nothing, so that no result depends on them. */
#include "reports/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "reports/format.h"
#include "reports/reports.h"

enum { BAR_CELLS = 20, COLUMNS_DEFAULT = 80, PART_MAX = 160 };

#define REDRAW_S 0.1
#define SPEED_S  0.2 /* before that, a speed would be noise */
#define ERASE    "\r\033[K"

/* In the order shown. */
enum part { PART_BAR, PART_REQUESTS, PART_SIMULATED, PART_REAL_TIME, PART_SPEED, PART_LEFT, PARTS };

/* What goes first when the terminal is narrow. */
static const enum part least_telling[PARTS] = {
    PART_REAL_TIME, PART_SIMULATED, PART_SPEED, PART_BAR, PART_LEFT, PART_REQUESTS,
};

/* How far, in [0, 1]; negative: unknown. */
static double fraction_of(const struct dyno_progress_state *state)
{
    double fraction = -1;

    if (state->requests_total > 0) {
        fraction = (double)state->requests_ended / (double)state->requests_total;
    } else if (state->duration_ns > 0) {
        fraction = (double)state->now / (double)state->duration_ns;
    }
    return fraction > 1 ? 1 : fraction;
}

static void make_bar(char out[PART_MAX], double fraction)
{
    int full = (int)(fraction * BAR_CELLS);
    char *at = out;

    for (int i = 0; i < BAR_CELLS; i++) {
        at = stpcpy(at, i < full ? "█" : "░");
    }
    snprintf(at, PART_MAX - (size_t)(at - out), " %3d %%", (int)(fraction * 100));
}

static void make_requests(char out[PART_MAX], const struct dyno_progress_state *state)
{
    char ended[DYNO_FORMAT_MAX], total[DYNO_FORMAT_MAX];

    dyno_format_count(ended, state->requests_ended);
    dyno_format_count(total, state->requests_total);
    if (state->requests_total > 0) {
        snprintf(out, PART_MAX, "%s of %s requests", ended, total);
    } else {
        snprintf(out, PART_MAX, "%s requests", ended);
    }
}

static void make_speeds(char parts[PARTS][PART_MAX], const struct dyno_progress_state *state)
{
    double fraction = fraction_of(state);
    char text[DYNO_FORMAT_MAX];

    if (state->wall_s < SPEED_S) {
        return;
    }
    snprintf(parts[PART_REAL_TIME], PART_MAX, "%sx real time",
             dyno_format_fixed(text, (double)state->now / 1e9 / state->wall_s, 0));
    snprintf(parts[PART_SPEED], PART_MAX, "%s req/s",
             dyno_format_fixed(text, (double)state->requests_ended / state->wall_s, 0));
    if (fraction > 0 && fraction < 1) {
        snprintf(parts[PART_LEFT], PART_MAX, "%s left",
                 dyno_format_span(text, state->wall_s * (1 - fraction) / fraction));
    }
}

static void make_parts(char parts[PARTS][PART_MAX], const struct dyno_progress_state *state)
{
    double fraction = fraction_of(state);
    char text[DYNO_FORMAT_MAX];

    if (fraction >= 0) {
        make_bar(parts[PART_BAR], fraction);
    }
    make_requests(parts[PART_REQUESTS], state);
    snprintf(parts[PART_SIMULATED], PART_MAX, "%s replayed",
             dyno_format_span(text, (double)state->now / 1e9));
    make_speeds(parts, state);
}

static size_t width_of(char parts[PARTS][PART_MAX])
{
    size_t width = 0;

    for (int i = 0; i < PARTS; i++) {
        if (*parts[i]) {
            width += dyno_format_width(parts[i]) + (width ? 2 : 0);
        }
    }
    return width;
}

void dyno_progress_line(char out[DYNO_PROGRESS_LINE_MAX], const struct dyno_progress_state *state,
                        uint32_t columns)
{
    char parts[PARTS][PART_MAX] = {{0}};
    char *at = out;

    make_parts(parts, state);
    for (int i = 0; i < PARTS && width_of(parts) >= columns; i++) {
        *parts[least_telling[i]] = '\0';
    }
    *at = '\0';
    for (int i = 0; i < PARTS; i++) {
        if (*parts[i]) {
            at = stpcpy(at, at > out ? "  " : "");
            at = stpcpy(at, parts[i]);
        }
    }
}

struct dyno_progress {
    struct dyno_sink sink;
    FILE *stream;
    struct dyno_progress_state state;
    struct timespec start;
    double drawn_s; /* when it was drawn last */
    bool drawn;
};

/* The coarse clock costs a few nanoseconds, so that it can be asked every turn. */
static double seconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static uint32_t columns_of(FILE *stream)
{
    struct winsize size;

    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return COLUMNS_DEFAULT;
    }
    return size.ws_col;
}

static void draw(struct dyno_progress *progress)
{
    char line[DYNO_PROGRESS_LINE_MAX];

    dyno_progress_line(line, &progress->state, columns_of(progress->stream));
    fprintf(progress->stream, ERASE "%s", line);
    fflush(progress->stream);
}

static void hear_progress(struct dyno_sink *sink, dyno_ns now, uint64_t requests_ended)
{
    struct dyno_progress *progress = (struct dyno_progress *)sink;
    double wall_s = seconds_since(&progress->start);

    if (progress->drawn && wall_s - progress->drawn_s < REDRAW_S) {
        return;
    }
    progress->drawn = true;
    progress->drawn_s = wall_s;
    progress->state.now = now;
    progress->state.requests_ended = requests_ended;
    progress->state.wall_s = wall_s;
    draw(progress);
}

static const struct dyno_sink_ops terminal_ops = {.name = "progress", .progress = hear_progress};
static const struct dyno_sink_ops quiet_ops = {.name = "progress"};

/* A terminal that can erase a line. */
static bool can_draw(FILE *stream)
{
    const char *kind = getenv("TERM");
    int descriptor = fileno(stream);

    return descriptor >= 0 && isatty(descriptor) && kind && strcmp(kind, "dumb") != 0;
}

dyno_status dyno_progress_open(struct dyno_progress **out, FILE *stream, uint64_t requests_total,
                               dyno_ns duration_total_ns)
{
    struct dyno_progress *progress = calloc(1, sizeof *progress);

    if (!progress) {
        return DYNO_NO_MEMORY;
    }
    progress->sink.ops = can_draw(stream) ? &terminal_ops : &quiet_ops;
    progress->stream = stream;
    progress->state.requests_total = requests_total;
    progress->state.duration_ns = duration_total_ns;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &progress->start);
    *out = progress;
    return DYNO_OK;
}

struct dyno_sink *dyno_progress_sink(struct dyno_progress *progress)
{
    return &progress->sink;
}

void dyno_progress_close(struct dyno_progress *progress)
{
    if (!progress) {
        return;
    }
    if (progress->drawn) {
        fputs(ERASE, progress->stream);
        fflush(progress->stream);
    }
    free(progress);
}
