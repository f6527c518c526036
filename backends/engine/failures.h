/* Devices that compute and may fail, as a source of faults (core/run/faults.h): a worker that could
 * not compute its pass has died there and then, and another one is started in its place at once.
 * Beside that, what another source says goes wrong.
 */
#ifndef DYNO_BACKENDS_ENGINE_FAILURES_H
#define DYNO_BACKENDS_ENGINE_FAILURES_H

#include "core/base/status.h"
#include "core/model/request.h"
#include "core/run/faults.h"
#include "core/worker/device.h"

/* The workers of one device: as the loop counts them, those from `first` on. */
struct dyno_failing {
    const struct dyno_device *device; /* not owned, and open longer; NULL: there are none */
    uint32_t first;
};

enum { DYNO_FAILING_MAX = DYNO_MODELS_MAX }; /* two of halves, or one a model */

/* failing[count], count <= DYNO_FAILING_MAX, is copied.  `others` may be NULL; from then on it is
 * closed with *out, which is closed through its ops; on failure it is untouched.  Errors:
 * DYNO_NO_MEMORY. */
dyno_status dyno_failures_open(struct dyno_faults **out, const struct dyno_failing *failing,
                               uint32_t count, struct dyno_faults *others);

#endif
