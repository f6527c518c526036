/* The text of the progress bar, apart from the terminal that shows it. */
#ifndef DYNO_REPORTS_PROGRESS_H
#define DYNO_REPORTS_PROGRESS_H

#include <stdint.h>

#include "core/base/time.h"

enum { DYNO_PROGRESS_LINE_MAX = 1024 }; /* bytes of the longest line, its end included */

struct dyno_progress_state {
    uint64_t requests_ended;
    uint64_t requests_total; /* 0: unknown */
    dyno_ns now;             /* simulated */
    dyno_ns duration_ns;     /* simulated, of the whole run; 0: unknown */
    double wall_s;           /* since the start */
};

/* Write the line for a terminal of `columns`; what does not fit is left out, the least telling part
 * first.  Without control codes; shorter than `columns`; empty where nothing fits. */
void dyno_progress_line(char out[DYNO_PROGRESS_LINE_MAX], const struct dyno_progress_state *state,
                        uint32_t columns);

#endif
