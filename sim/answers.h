/* How long every answer really was: the table that devices consult when told to end as recorded. */
#ifndef DYNO_SIM_ANSWERS_H
#define DYNO_SIM_ANSWERS_H

#include "core/run/source.h"

/* On success free *out with dyno_answers_close. */
dyno_status dyno_answers_open(struct dyno_answers **out);
void dyno_answers_close(struct dyno_answers *answers);

/* Tokens that request `id` generates; 1 if nobody said.  `answers` is a struct dyno_answers. */
uint32_t dyno_answers_get(void *answers, uint64_t id);

#endif
