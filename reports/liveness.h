/* Is the process that began a run still there?  A process that was killed cannot say so. */
#ifndef DYNO_REPORTS_LIVENESS_H
#define DYNO_REPORTS_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

enum dyno_liveness {
    DYNO_LIVENESS_RUNNING,
    DYNO_LIVENESS_GONE,
    DYNO_LIVENESS_UNKNOWN, /* another machine's, or this one does not say */
};

/* Of process `process` on `machine` (NULL: unknown), which was there at `since_s` (Unix time).  A
 * process under that number that began later is another one.  Reads Linux's /proc. */
enum dyno_liveness dyno_liveness_of(const char *machine, int64_t process, int64_t since_s);

#endif
