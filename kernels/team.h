/* A team of threads that share the work of one operation after another.
 *
 * The caller is one of them, so a team of 1 has no thread and never waits.  Between operations the
 * others spin for a short while and then sleep; an operation costs a fraction of a microsecond to
 * start while they spin.
 *
 * Work is a range of items, claimed in chunks as threads become free, so that a thread whose core
 * is taken away holds up the others by one chunk only.  Which thread computes an item must not
 * matter to its result.  Of the cores that the opener may run on, the threads keep off the one that
 * the caller was on when they were last woken.
 */
#ifndef DYNO_KERNELS_TEAM_H
#define DYNO_KERNELS_TEAM_H

#include <stdint.h>

enum { DYNO_TEAM_MAX = 256 };

struct dyno_team;

/* Items [first, last); `worker` is the thread's index in the team, for scratch memory. */
typedef void (*dyno_team_work)(void *argument, uint32_t first, uint32_t last, uint32_t worker);

/* A team of `workers` (1 ... DYNO_TEAM_MAX), the caller included.  NULL: there is no memory or
 * there are no threads, or `workers` is out of range. */
struct dyno_team *dyno_team_open(uint32_t workers);
void dyno_team_close(struct dyno_team *team); /* NULL: nothing */

uint32_t dyno_team_workers(const struct dyno_team *team);

/* Run `work` over [0, items) in chunks of `grain` (>= 1) items, the last one shorter, and return
 * when all is done; what the workers wrote is then visible to the caller.  One chunk or none is
 * run by the caller alone.  Only one thread may call at a time, and never `work` itself. */
void dyno_team_run(struct dyno_team *team, uint32_t items, uint32_t grain, dyno_team_work work,
                   void *argument);

#endif
