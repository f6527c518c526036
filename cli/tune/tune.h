/* `dyno tune`: options of a scenario varied, to find those that serve its traffic best.
 *
 *   points     what the search asks for: a value for each option that is varied
 *   trials     a point on so many of the requests that are tuned on; point 0 is the scenario as it
 *              was given
 *   runs       a trial under each seed; all are in the database, and found there again
 *
 * The requests of a trace are cut into windows of as many requests each; the last ones are held
 * out, and what was found is checked on them.  Of a generator other seeds are held out. */
#ifndef DYNO_CLI_TUNE_TUNE_H
#define DYNO_CLI_TUNE_TUNE_H

#include <signal.h>
#include <stdio.h>

#include "cli/arms/arms.h"
#include "cli/sure/aims.h"
#include "cli/sure/sure.h"
#include "cli/tune/space.h"
#include "reports/tuning.h"

enum { DYNO_TUNE_EXIT_NONE = 4 }; /* no point keeps to the limits */
enum { DYNO_TUNE_TRIALS_MAX = 100000, DYNO_TUNE_SEEDS_MAX = 100 };

struct dyno_tune_options {
    const char *search;   /* --search */
    uint32_t trials;      /* --trials: points at most; 0: the search's own number */
    uint32_t points;      /* --points: of a range on a grid */
    uint32_t seeds;       /* --seeds: of each trial */
    uint32_t jobs;        /* --jobs: 0: as many as processors */
    uint32_t windows;     /* --windows */
    uint32_t held_out;    /* --hold-out: of them */
    uint32_t draws;       /* --draws */
    uint32_t pick;        /* --pick: the point to check and write; 0: the best */
    const char *executor; /* --executor: local, slurm */
    uint32_t shards;      /* --shards: of an array job */
    const char *shard;    /* --shard "K/N": only every Nth point, from the Kth on; NULL: all */
    const char *merge;    /* --merge: databases of shards, with commas between them; NULL: none */
    const char *json;     /* --json; NULL: none */
    const char *out;      /* -o; NULL: none */
};

struct dyno_tune_trial {
    uint32_t number;                /* of its point */
    struct dyno_tune_point point;   /* of number 0: no values */
    double share;                   /* of the requests that are tuned on; 1: all */
    bool is_held_out;               /* on those that are held out */
    struct dyno_tune_result result; /* means over seeds */
    double excess;                  /* over the limits; INFINITY: it could not be judged */
    int64_t run;                    /* of the first seed, in the database; 0: none */
    uint32_t runs_found;            /* that were there already */
    char refused[256];              /* why its scenario is none; empty: it is one */
};

/* What is asked of a trial. */
struct dyno_tune_part {
    uint64_t skip, requests; /* of a trace; requests also of a generator; 0: by its duration */
    dyno_ns duration_ns;     /* of a generator without a number of requests */
    uint64_t seed;           /* the first */
};

/* What the check says of the best point. */
enum dyno_tune_verdict {
    DYNO_TUNE_UNCHECKED, /* there is nothing better than what was given */
    DYNO_TUNE_HOLDS,     /* better than as given, told apart, within the limits */
    DYNO_TUNE_UNSURE,    /* within the limits, but not told apart from as given */
    DYNO_TUNE_EXCEEDS,   /* it keeps to the limits no more */
    DYNO_TUNE_WORSE,     /* worse than as given, told apart */
};

const char *dyno_tune_verdict_name(enum dyno_tune_verdict verdict); /* "HOLDS", ... */

/* The scenario as given, the best one and the second best on requests that they were not tuned on;
 * with nothing held out, on those that they were. */
struct dyno_tune_check {
    enum dyno_tune_verdict verdict;
    bool is_held_out;
    uint32_t sides;                       /* 2, or 3 where there is a second best */
    uint32_t trials[DYNO_TUNE_SIDES_MAX]; /* indices: as given, best, second best */
    int64_t runs[DYNO_TUNE_SIDES_MAX];    /* of the first seed; 0: none */
    double excess[DYNO_TUNE_SIDES_MAX];
    uint32_t requests;
    struct dyno_tune_sure sure;
};

struct dyno_tune {
    struct dyno_tune_options options;
    struct dyno_tune_space space;
    struct dyno_tune_aims aims;
    int argc; /* [argc] of the scenario, without what is the tuning's own */
    char **argv;
    struct dyno_arm_scenario given; /* as it was given */
    const void *trace;              /* [trace_size] its bytes; NULL: a generator */
    size_t trace_size;
    struct dyno_tune_part tuned, held_out; /* all requests of each */
    struct dyno_tuning *tuning;            /* NULL: nothing is kept */
    struct dyno_tune_trial **trials;       /* [trial_count]; the first is the scenario as given */
    uint32_t trial_count;
    uint32_t best;   /* of the trials on all that is tuned on: its index; 0: none is better */
    uint32_t points; /* tried, without the scenario as given */
    uint32_t runs, runs_found; /* in all, and of these there already */
    uint32_t shard, shards;    /* this is the shard-th of so many, from 0; shards 0: it is all */
    struct dyno_tune_check check;
    bool shows_progress;
    uint32_t runs_done; /* for that alone */
    const volatile sig_atomic_t *interrupted;
};

/* ---- trials (trials.c) */

/* Add a trial of `point`, which it then owns.  NULL: no memory (then the point is released). */
struct dyno_tune_trial *dyno_tune_add(struct dyno_tune *tune, uint32_t number,
                                      struct dyno_tune_point *point, double share);

/* Run trials `first` to the last, as many at once as may be, and judge them.  What they come to
 * does not depend on how many that are.  A scenario that contradicts itself is a refused trial. */
dyno_status dyno_tune_run(struct dyno_tune *tune, uint32_t first, struct dyno_error *error);

/* What a trial sets, as an arm that dyno_arms_release frees.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_tune_arm(const struct dyno_tune *tune, const struct dyno_tune_trial *trial,
                          struct dyno_arm *arm);

/* All that a run of a trial sets, for the database: to be freed; NULL: no memory. */
char *dyno_tune_settings(const struct dyno_tune *tune, const struct dyno_tune_trial *trial,
                         uint64_t seed);

/* Take the line of the progress away. */
void dyno_tune_end_progress(const struct dyno_tune *tune);

/* Whether `a` is to be preferred: judged on as many requests at least, better by the aims; of
 * equals the one of the lower number. */
bool dyno_tune_is_before(const struct dyno_tune *tune, const struct dyno_tune_trial *a,
                         const struct dyno_tune_trial *b);

/* Whether a trial is on the front: on all that is tuned on, within the limits, and beaten in every
 * goal at once by none. */
bool dyno_tune_is_on_front(const struct dyno_tune *tune, const struct dyno_tune_trial *trial);

/* ---- searches (search.c) */

struct dyno_tune_search {
    const char *name, *help;
    /* Try points until there are enough.  Errors: as dyno_tune_run, DYNO_BAD_INPUT. */
    dyno_status (*run)(struct dyno_tune *tune, struct dyno_error *error);
};

extern const struct dyno_tune_search dyno_tune_searches[]; /* NULL-name-terminated */

/* ---- shards (shards.c) */

/* Take --shard, and refuse what shards cannot do.  Errors: DYNO_BAD_INPUT. */
dyno_status dyno_tune_read_shard(struct dyno_tune *tune, struct dyno_error *error);

/* Take over the trials of the databases that --merge names. */
dyno_status dyno_tune_merge(struct dyno_tune *tune, struct dyno_error *error);

/* Write an array job of `shards` shards of the command argv[argc] beside the database, submit it to
 * Slurm, wait until it has ended, and take over what it did.  Errors: DYNO_BAD_INPUT (there is no
 * database), DYNO_NOT_FOUND (no sbatch), DYNO_IO (a shard failed). */
dyno_status dyno_tune_submit(struct dyno_tune *tune, int argc, char **argv,
                             struct dyno_error *error);

/* ---- what came of it */

/* Check the best point: fill `check` (check.c).  Its runs are recorded whole. */
dyno_status dyno_tune_check(struct dyno_tune *tune, struct dyno_error *error);

/* Write the scenario of the best point to options.out: what it sets, over what was given
 * (write.c).  Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_tune_write(const struct dyno_tune *tune, struct dyno_error *error);

/* The trials in the order of their ranks: [trial_count], to be freed; NULL: no memory. */
struct dyno_tune_trial **dyno_tune_ranking(const struct dyno_tune *tune);

void dyno_tune_print(const struct dyno_tune *tune, FILE *out);

/* Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_tune_json(const struct dyno_tune *tune, const char *path,
                           struct dyno_error *error);

#endif
