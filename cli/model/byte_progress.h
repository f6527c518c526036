/* How far something is that writes or reads many bytes, on a terminal. */
#ifndef DYNO_CLI_MODEL_BYTE_PROGRESS_H
#define DYNO_CLI_MODEL_BYTE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct dyno_byte_progress {
    FILE *stream; /* NULL: nothing is shown */
    struct timespec start;
    double drawn_s;
    bool drawn;
};

/* Shows nothing where `stream` is no terminal that can erase a line. */
void dyno_byte_progress_start(struct dyno_byte_progress *progress, FILE *stream);

/* Redraws at most ten times a second. */
void dyno_byte_progress_show(struct dyno_byte_progress *progress, uint64_t bytes,
                             uint64_t bytes_total);

/* Erases the line. */
void dyno_byte_progress_end(struct dyno_byte_progress *progress);

/* "███░░ 60 %  1.2 of 2.0 GB  0.8 GB/s  1 s left", without control codes. */
enum { DYNO_BYTE_PROGRESS_MAX = 256 };
void dyno_byte_progress_line(char out[DYNO_BYTE_PROGRESS_MAX], uint64_t bytes, uint64_t bytes_total,
                             double wall_s);

#endif
