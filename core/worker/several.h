/* Several fleets as one: the workers of one model after those of another.
 *
 * Each member is a fleet of its own, of any kind, which numbers its workers from 0; outside worker
 * w of a member is first + w, where first is how many workers those before it have.  Nothing else
 * is translated: a request is told of as its fleet does, to the listener of its member.
 */
#ifndef DYNO_CORE_WORKER_SEVERAL_H
#define DYNO_CORE_WORKER_SEVERAL_H

#include "core/worker/worker.h"

struct dyno_several;

/* Room for `count` members, none of which is there yet.  DYNO_NO_MEMORY. */
dyno_status dyno_several_open(struct dyno_several **out, uint32_t count);

/* What the next member must be opened with, so that `outer` hears of it. */
struct dyno_worker_listener dyno_several_listener(struct dyno_several *several,
                                                  const struct dyno_worker_listener *outer);

/* It has `worker_count` workers, and is closed with all others. */
void dyno_several_add(struct dyno_several *several, struct dyno_workers *member,
                      uint32_t worker_count);

/* All of them; closed through its ops, members included. */
struct dyno_workers *dyno_several_workers(struct dyno_several *several);

/* One of them. */
struct dyno_workers *dyno_several_member(const struct dyno_several *several, uint32_t member);

#endif
