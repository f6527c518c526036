/* The tuning that a database holds: what its trials have in common, which run was which trial, and
 * what became of it (schema.sql, version 7). */
#ifndef DYNO_REPORTS_TUNING_H
#define DYNO_REPORTS_TUNING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

struct dyno_tuning;

struct dyno_tuning_option {
    const char *name, *value;
};

/* What makes it this tuning and no other. */
struct dyno_tuning_facts {
    const char *varied;                       /* options, with blanks between their names */
    const char *trace;                        /* size and hash of its bytes; NULL: there is none */
    const struct dyno_tuning_option *options; /* [option_count] those that are not varied */
    uint32_t option_count;
};

/* A goal, or a limit. */
struct dyno_tuning_aim {
    const char *metric;
    int sign;
    bool is_limit;
    double bound; /* of a limit */
};

/* Open the database `path` (made if there is none).  One that holds no tuning becomes this one's;
 * one that holds another is refused with what differs.  Points of earlier searches are forgotten,
 * their runs stay.  On success closed by dyno_tuning_close.  Errors: DYNO_BAD_INPUT (another
 * tuning), else as dyno_database_open. */
dyno_status dyno_tuning_open(struct dyno_tuning **out, const char *path,
                             const struct dyno_tuning_facts *facts,
                             const struct dyno_tuning_aim *aims, uint32_t aim_count,
                             struct dyno_error *error);
void dyno_tuning_close(struct dyno_tuning *tuning); /* NULL: no effect */

struct dyno_trial_row {
    const char *settings; /* all that it sets, the requests and the seed */
    uint32_t point;
    bool is_held_out;
    double share;
};

/* The finished run of these settings, which is from now on of this point; *run is 0 if there is
 * none. */
dyno_status dyno_tuning_find(struct dyno_tuning *tuning, const struct dyno_trial_row *row,
                             int64_t *run, struct dyno_error *error);

/* A number of a run's summary; NAN: undefined, or not there. */
dyno_status dyno_tuning_metric(struct dyno_tuning *tuning, int64_t run, const char *metric,
                               double *out, struct dyno_error *error);

/* Say that `run` is this trial; of an earlier run with these settings, that did not finish, it
 * takes the place. */
dyno_status dyno_tuning_note(struct dyno_tuning *tuning, int64_t run,
                             const struct dyno_trial_row *row, struct dyno_error *error);

/* Take over the finished trials of the database `other`, which holds the same tuning, but those
 * that are there already; *count of them.  Errors: DYNO_BAD_INPUT (another tuning), else as
 * dyno_database_open. */
dyno_status dyno_tuning_merge(struct dyno_tuning *tuning, const char *other, uint64_t *count,
                              struct dyno_error *error);

#endif
