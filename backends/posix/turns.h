/* The turns of one loop, taken by whichever thread has something for it.
 *
 * One thread runs the loop and sleeps while nothing is due.  Another one that brings something
 * (a request, say) would have to wake it, and then be woken for what comes of it: two waits for a
 * processor, each as long as others make it.  So it takes the turn that is due itself, if nobody
 * else is in one; else the first thread is woken, and takes it after the one that it is in.  Nobody
 * waits for anybody, and the loop cannot tell the difference: turns come one after the other, each
 * at what time it is then.
 *
 *   asleep -> in a turn [dyno_turns_run: it is due, or somebody woke the clock]
 *   asleep -> in a turn of the helper's [dyno_turns_help] -> asleep, or woken if what is due next
 *                                                            is due before it would wake
 */
#ifndef DYNO_BACKENDS_POSIX_TURNS_H
#define DYNO_BACKENDS_POSIX_TURNS_H

#include "core/base/status.h"
#include "core/run/clock.h"
#include "core/run/loop.h"

struct dyno_turns;

/* `clock` is a wall clock, and the loop's, perhaps behind others; it attends from now on
 * (backends/posix/wall_clock.h).  Neither is owned.  On success *out is closed with
 * dyno_turns_close, when nobody runs or helps any more.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_turns_open(struct dyno_turns **out, struct dyno_loop *loop,
                            struct dyno_clock *clock);
void dyno_turns_close(struct dyno_turns *turns); /* NULL: no effect */

/* As dyno_loop_run, whose errors it has, also those of a helper's turns. */
dyno_status dyno_turns_run(struct dyno_turns *turns, struct dyno_workers *workers,
                           struct dyno_loop_result *result, struct dyno_error *error);

/* From any other thread, which holds no lock that a turn might take: something has come for the
 * loop.  When this returns it was taken in, or will be soon. */
void dyno_turns_help(struct dyno_turns *turns);

#endif
