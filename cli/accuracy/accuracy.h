/* `dyno accuracy`: how far predictions are from measurements, section by section.
 *
 * A section reads its part of a folder of measurements, predicts the same, and writes Markdown.
 * What is not there is said, not skipped in silence. */
#ifndef DYNO_CLI_ACCURACY_ACCURACY_H
#define DYNO_CLI_ACCURACY_ACCURACY_H

#include <stdio.h>

#include "cli/assembly/assembly.h"
#include "cli/fit/measured.h"

/* Errors that are alike: of one server's rows, of one matrix's points. */
struct dyno_error_cluster {
    uint64_t key;
    double sum; /* of the absolute values */
    uint32_t count;
};

/* Relative errors, predicted / measured - 1. */
struct dyno_errors {
    double *values;
    uint32_t count, capacity;
    struct dyno_error_cluster *clusters;
    uint32_t cluster_count, cluster_capacity;
};

/* `cluster` says with which others this error has its causes in common.  False: no memory. */
bool dyno_errors_add(struct dyno_errors *errors, double predicted, double measured,
                     uint64_t cluster);
void dyno_errors_release(struct dyno_errors *errors);

/* In percent; 0 while empty. */
struct dyno_error_figures {
    double mape;   /* mean of the absolute values */
    double median; /* ... their median, and 90th percentile */
    double p90;
    double bias; /* mean, signed */
    /* The 95 % interval of mape for other clusters of the kind, by Student's t over the logarithm
     * and the variance of a mean of clusters (Cochran, Sampling Techniques, 9.4); NAN where there
     * are fewer than four of them. */
    double mape_low, mape_high;
    uint32_t count;
};

/* Sorts the values by size. */
struct dyno_error_figures dyno_errors_figures(struct dyno_errors *errors);

enum { DYNO_MAPE_TEXT_MAX = 64 };

/* "5.3 (4.4 to 6.4)": mape and its interval, if it has one.  Returns `out`. */
const char *dyno_mape_text(char out[DYNO_MAPE_TEXT_MAX], const struct dyno_error_figures *figures);

/* One replay in process. */
struct dyno_experiment {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_assembly assembly;
};

/* `line` is what follows `dyno replay`, words apart by one space; `sink` (may be NULL) hears the
 * run. Zero-initialise first; what the caller sets in the assembly before (see there) is kept.  On
 * success the experiment is the caller's to close. */
dyno_status dyno_experiment_run(struct dyno_experiment *experiment, const char *line,
                                struct dyno_sink *sink, struct dyno_error *error);
void dyno_experiment_close(struct dyno_experiment *experiment);

struct dyno_accuracy {
    const char *folder;
    const char *details; /* a folder for tables point by point; NULL: none */
    FILE *out;
};

/* folder/name into `path`; false, and a sentence in `out`, if there is no such file. */
bool dyno_accuracy_find(const struct dyno_accuracy *accuracy, const char *name, char *path,
                        size_t size);

/* A file of that name in the folder for details, to be closed by the caller; NULL: none is wanted,
 * or it cannot be written. */
FILE *dyno_accuracy_details(const struct dyno_accuracy *accuracy, const char *name);

/* The sections. */
dyno_status dyno_accuracy_cache(const struct dyno_accuracy *accuracy, struct dyno_error *error);
dyno_status dyno_accuracy_intervals(const struct dyno_accuracy *accuracy, struct dyno_error *error);
dyno_status dyno_accuracy_kernels(const struct dyno_accuracy *accuracy, struct dyno_error *error);
dyno_status dyno_accuracy_left_out(const struct dyno_accuracy *accuracy, struct dyno_error *error);
dyno_status dyno_accuracy_requests(const struct dyno_accuracy *accuracy, struct dyno_error *error);
dyno_status dyno_accuracy_served(const struct dyno_accuracy *accuracy, struct dyno_error *error);

#endif
