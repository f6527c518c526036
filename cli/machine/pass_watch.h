/* A device that stands before another and notes what each pass asked and took; then, beside it,
 * what a measured machine would take for the same passes.
 *
 * A request's error mixes what passes cost with how they were cut and who waited for whom.  Here
 * the passes are those that ran, so what differs is the model of their cost alone: by kind, for a
 * pass after a pause meets a cold machine.
 *
 * A pass lasts from the end of the one before if it followed at once (so it bears the loop's turn,
 * as in sim/machine.h), else from the turn that submitted it, until its last step ended.  Those
 * after a pause are without what the clock was late, which the machine's idle(T) holds too: up to
 * that they seem dearer in the model.
 */
#ifndef DYNO_CLI_MACHINE_PASS_WATCH_H
#define DYNO_CLI_MACHINE_PASS_WATCH_H

#include <stdint.h>

#include "core/base/status.h"
#include "core/worker/device.h"
#include "sim/machine.h"

enum dyno_pass_kind {
    DYNO_PASS_PROMPT_AFTER_PAUSE, /* with prompt slices; nothing ran for a millisecond or longer */
    DYNO_PASS_PROMPT,             /* ... or something did */
    DYNO_PASS_DECODE_FIRST,       /* decode steps alone, right behind a pass with slices */
    DYNO_PASS_DECODE,             /* further ones */
};

enum { DYNO_PASS_KINDS = DYNO_PASS_DECODE + 1 };

/* "prompt_after_pause", ... */
const char *dyno_pass_kind_name(enum dyno_pass_kind kind);

struct dyno_pass_class {
    uint64_t passes, steps;
    double real_ns, predicted_ns; /* of all steps, summed */
    double error;                 /* percent; of single passes: the median, with its sign */
};

/* What was noted, of one run or several. */
struct dyno_pass_watch;

/* Error: DYNO_NO_MEMORY. */
dyno_status dyno_pass_watch_open(struct dyno_pass_watch **out);
void dyno_pass_watch_close(struct dyno_pass_watch *watch); /* NULL: no effect */

/* On success *out stands before `device`, closes it with itself, and is closed before the watch.
 * Error: DYNO_NO_MEMORY. */
dyno_status dyno_pass_watch_before(struct dyno_device **out, struct dyno_pass_watch *watch,
                                   struct dyno_device *device, uint32_t worker_count);

/* The kinds so far, beside what `machine` would have taken; error is 0 where there was no pass.
 * Of the first 2^20 passes.  Error: DYNO_NO_MEMORY. */
dyno_status dyno_pass_watch_classes(const struct dyno_pass_watch *watch,
                                    const struct dyno_machine *machine,
                                    struct dyno_pass_class out[DYNO_PASS_KINDS]);

#endif
