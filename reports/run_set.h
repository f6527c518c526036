/* An open database and the runs that were chosen of it, for queries to draw from.
 *
 * Queries see two more tables:
 *   chosen(place, run, label, status, title)   every run that was chosen, in that order
 *   detail(place, run, label)                  those of them that came to an end of their own
 *                  (finished or interrupted), the last DYNO_RUN_SET_DETAIL_MAX of them: what is
 *                  drawn run by run
 *   differing(name), word(run, name, word)     options that tell the chosen runs apart
 *   fleet_model(place, run, label, number, name, gpus, workers, what, series, is_drawn, metrics)
 *                  of runs in detail that serve several models, each of them: reports/figures/
 *                  chosen.sql
 *   tried(point, place, metric, sign, value, is_good)
 *                  points of a tuning, likewise
 *   family(run, by_load, by_size)              a name that runs share which differ in their load
 *                  only, or in the size of their fleet only
 * and the functions of reports/functions.h.  A label is short: "run 3: kv". */
#ifndef DYNO_REPORTS_RUN_SET_H
#define DYNO_REPORTS_RUN_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/database.h"

enum { DYNO_RUN_SET_DETAIL_MAX = 6, DYNO_RUN_TAG_MAX = 64 };

/* A tag begins with a letter, has neither blank nor comma, and is not last or all. */
bool dyno_run_tag_is_good(const char *tag);

struct dyno_run_set {
    sqlite3 *database;      /* read-only from now on */
    char *name;             /* of its file, without the folders */
    int64_t chosen, detail; /* runs in each */
};

/* `spec` chooses: "3,5-7,base,last" in this order; NULL or "all": every run.  On success released
 * by dyno_run_set_close.  A database of an older version is brought to this one first. Errors:
 * DYNO_BAD_INPUT (a word that is no run's), DYNO_NOT_FOUND (no such file, no such run), else as
 * dyno_database_open. */
dyno_status dyno_run_set_open(struct dyno_run_set *out, const char *path, const char *spec,
                              struct dyno_error *error);
void dyno_run_set_close(struct dyno_run_set *set);

#endif
