/* One set of links for two who do not know each other: each submits and reaps its own transfers,
 * which share the links all the same.  Either reaps its own in the order of (time, identity).
 */
#ifndef DYNO_CORE_WORKER_LINK_SPLIT_H
#define DYNO_CORE_WORKER_LINK_SPLIT_H

#include "core/worker/link.h"

/* On success both are closed through their ops, before `links`, which is not owned; identities stay
 * below 2^63.  DYNO_NO_MEMORY. */
dyno_status dyno_links_split(struct dyno_links *parts[2], struct dyno_links *links);

#endif
