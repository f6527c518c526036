/* Words of options that stand in tables elsewhere, as rows of options ask for them: the word number
 * `index`, NULL past the last. */
#ifndef DYNO_CLI_SCENARIO_OPTION_CHOICES_H
#define DYNO_CLI_SCENARIO_OPTION_CHOICES_H

#include <stdint.h>

const char *dyno_choice_engine(uint32_t index);
const char *dyno_choice_host(uint32_t index);
const char *dyno_choice_policy(uint32_t index);   /* of routing; a plug-in too ... */
const char *dyno_choice_built_in(uint32_t index); /* ... or only those that are built in */
const char *dyno_choice_admission(uint32_t index);
const char *dyno_choice_planner(uint32_t index);
const char *dyno_choice_predictor(uint32_t index);
const char *dyno_choice_store(uint32_t index);
const char *dyno_choice_evict(uint32_t index);

#endif
