/* Arms of a comparison: one scenario, and what each arm sets otherwise.
 *
 *     --a router=round_robin --b router=kv --b workers=6
 *
 * An arm's name is a letter, a to h.  A setting is an option's name or its flag, "=" and a value;
 * several may stand in one word with commas between them where each has its own name.  An arm may
 * not set what is asked (the trace, the generator, the seed, objectives): then there would be
 * nothing to compare. */
#ifndef DYNO_CLI_ARMS_ARMS_H
#define DYNO_CLI_ARMS_ARMS_H

#include <stdbool.h>

#include "cli/scenario/scenario.h"

enum { DYNO_ARMS_MAX = 8, DYNO_ARM_SETTINGS_MAX = 16, DYNO_ARM_LABEL_MAX = 128 };

struct dyno_arm {
    char letter;
    char label[DYNO_ARM_LABEL_MAX];        /* its settings as typed, with blanks between them */
    char *settings[DYNO_ARM_SETTINGS_MAX]; /* "router.policy=kv", as for --set; owned */
    uint32_t setting_count;
};

struct dyno_arms {
    struct dyno_arm items[DYNO_ARMS_MAX]; /* in the order of their letters */
    uint32_t count;
};

/* Whether `word` is the flag of an arm: "--a" or "--a=...". */
bool dyno_arms_is_flag(const char *word);

/* Take the settings `text` of the arm that `flag` ("--a") names.  Errors: DYNO_BAD_INPUT,
 * DYNO_NO_MEMORY. */
dyno_status dyno_arms_add(struct dyno_arms *arms, const char *flag, const char *text,
                          struct dyno_error *error);

/* The option that "NAME=..." names by its name or its flag, if an arm may set it.  `flag` is for
 * the sentence.  Errors: DYNO_BAD_INPUT. */
dyno_status dyno_arm_option_find(const char *flag, const char *text, const struct dyno_option **out,
                                 struct dyno_error *error);

/* After the last: two arms at least, in order, no two alike. */
dyno_status dyno_arms_check(struct dyno_arms *arms, struct dyno_error *error);

void dyno_arms_release(struct dyno_arms *arms);

/* One arm's scenario under one seed.  What argv says, then the arm's settings, then the seed (if
 * has_seed).  Opened and closed as by dyno_scenario_load. */
struct dyno_arm_scenario {
    struct dyno_scenario scenario;
    struct dyno_options options;
    char **argv; /* [argc], of "replay"; the words are argv's, the arm's, and `seed` */
    int argc;
    char seed[32];
};

dyno_status dyno_arm_scenario_open(struct dyno_arm_scenario *out, const struct dyno_arm *arm,
                                   int argc, char **argv, const uint64_t *seed,
                                   struct dyno_error *error);
void dyno_arm_scenario_close(struct dyno_arm_scenario *scenario); /* zeroed memory: no effect */

#endif
