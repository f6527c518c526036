/* What links between memories of keys and values take, before anything has moved: copied between
 * memories of the same shape, or fetched from another process. */
#ifndef DYNO_BACKENDS_CPU_KV_LINKS_MEASURE_H
#define DYNO_BACKENDS_CPU_KV_LINKS_MEASURE_H

#include "backends/cpu/kv_links.h"

/* What a byte takes within this process; the latency is learned from what is moved.
 * DYNO_NO_MEMORY. */
dyno_status dyno_cpu_links_measure(struct dyno_copier_speed *out,
                                   const struct dyno_cpu_links_config *config,
                                   struct dyno_error *error);

/* The same from the first process that is there; nothing where none is to be.
 * Errors: DYNO_NO_MEMORY, DYNO_WORKER_GONE (none is there). */
dyno_status dyno_cpu_links_measure_peers(struct dyno_copier_speed *out,
                                         const struct dyno_cpu_links_config *config,
                                         struct dyno_error *error);

#endif
