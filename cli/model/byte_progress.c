/* The clock is looked at for the bar alone. */
#include "cli/model/byte_progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reports/format.h"

enum { BAR_CELLS = 20 };

#define REDRAW_S 0.1
#define SPEED_S  0.2 /* before that, a speed would be noise */
#define ERASE    "\r\033[K"

static bool can_draw(FILE *stream)
{
    const char *kind = getenv("TERM");
    int descriptor = fileno(stream);

    return descriptor >= 0 && isatty(descriptor) && kind && strcmp(kind, "dumb") != 0;
}

void dyno_byte_progress_start(struct dyno_byte_progress *progress, FILE *stream)
{
    *progress = (struct dyno_byte_progress){.stream = can_draw(stream) ? stream : NULL};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &progress->start);
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

void dyno_byte_progress_line(char out[DYNO_BYTE_PROGRESS_MAX], uint64_t bytes, uint64_t bytes_total,
                             double wall_s)
{
    double fraction = bytes_total ? (double)bytes / (double)bytes_total : 1;
    char bar[4 * BAR_CELLS + 1] = "", speed[64] = "", left[DYNO_FORMAT_MAX];
    char *at = bar;

    fraction = fraction > 1 ? 1 : fraction;
    for (int i = 0; i < BAR_CELLS; i++) {
        at = stpcpy(at, i < (int)(fraction * BAR_CELLS) ? "█" : "░");
    }
    if (wall_s >= SPEED_S && fraction > 0) {
        (void)snprintf(speed, sizeof(speed), "  %.2f GB/s  %s left", (double)bytes / 1e9 / wall_s,
                       dyno_format_span(left, wall_s * (1 - fraction) / fraction));
    }
    (void)snprintf(out, DYNO_BYTE_PROGRESS_MAX, "%s %3d %%  %.2f of %.2f GB%s", bar,
                   (int)(fraction * 100), (double)bytes / 1e9, (double)bytes_total / 1e9, speed);
}

void dyno_byte_progress_show(struct dyno_byte_progress *progress, uint64_t bytes,
                             uint64_t bytes_total)
{
    char line[DYNO_BYTE_PROGRESS_MAX];
    double wall_s;

    if (!progress->stream) {
        return;
    }
    wall_s = seconds_since(&progress->start);
    if (progress->drawn && wall_s - progress->drawn_s < REDRAW_S) {
        return;
    }
    progress->drawn = true;
    progress->drawn_s = wall_s;
    dyno_byte_progress_line(line, bytes, bytes_total, wall_s);
    fprintf(progress->stream, ERASE "%s", line);
    fflush(progress->stream);
}

void dyno_byte_progress_end(struct dyno_byte_progress *progress)
{
    if (progress->drawn) {
        fputs(ERASE, progress->stream);
        fflush(progress->stream);
    }
    progress->stream = NULL;
}
