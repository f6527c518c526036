/* What a condition mostly is, where no compiler can know it: the usual path is then laid out in one
 * piece, without jumps, and takes less of the instruction cache.  It changes no result. */
#ifndef DYNO_CORE_BASE_USUAL_H
#define DYNO_CORE_BASE_USUAL_H

#define DYNO_RARELY(condition) __builtin_expect(!!(condition), 0)

#endif
