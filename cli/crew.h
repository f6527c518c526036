/* Threads that work through numbered tasks which share nothing, and put what they found where it
 * goes in the order of the numbers: the same, however many threads there are. */
#ifndef DYNO_CLI_CREW_H
#define DYNO_CLI_CREW_H

#include <stdint.h>

#include "core/base/status.h"

struct dyno_crew;

/* Do task `index`; what has to be in order is done between await_turn and the return.  The first
 * task that fails (in time, not in order) ends the work: no other one is begun. */
typedef dyno_status dyno_crew_task(void *context, struct dyno_crew *crew, uint32_t index,
                                   struct dyno_error *error);

/* Called by a task: returns when every task before `index` has returned, or one has failed. */
void dyno_crew_await_turn(struct dyno_crew *crew, uint32_t index);

/* As many threads as `jobs` says (0: as many as processors), at most `count`. */
uint32_t dyno_crew_size(uint32_t jobs, uint32_t count);

/* Do tasks 0 to count - 1 on `threads` threads, this one among them.  Returns the status of the
 * first task that failed. */
dyno_status dyno_crew_run(uint32_t threads, uint32_t count, dyno_crew_task *task, void *context,
                          struct dyno_error *error);

#endif
