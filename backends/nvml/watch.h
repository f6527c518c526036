/* GPUs that a thread looks at once a second, so that who asks for their latest figures never waits
 * for the driver: a call of its may take many milliseconds.
 */
#ifndef DYNO_BACKENDS_NVML_WATCH_H
#define DYNO_BACKENDS_NVML_WATCH_H

#include "backends/nvml/nvml.h"

struct dyno_nvml_watch;

/* The first look has been taken when it returns.  On success *out is closed with
 * dyno_nvml_watch_close.  Errors: those of dyno_nvml_open; DYNO_NO_MEMORY, also for a thread. */
dyno_status dyno_nvml_watch_open(struct dyno_nvml_watch **out, struct dyno_error *error);
void dyno_nvml_watch_close(struct dyno_nvml_watch *watch); /* NULL: nothing */

uint32_t dyno_nvml_watch_count(const struct dyno_nvml_watch *watch);
/* `index` < the count; from any thread. */
const struct dyno_nvml_gpu *dyno_nvml_watch_gpu(const struct dyno_nvml_watch *watch,
                                                uint32_t index);
void dyno_nvml_watch_latest(struct dyno_nvml_watch *watch, uint32_t index,
                            struct dyno_nvml_state *out);

#endif
