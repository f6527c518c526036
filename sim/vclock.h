/* The virtual clock: time jumps to whatever happens next. */
#ifndef DYNO_SIM_VCLOCK_H
#define DYNO_SIM_VCLOCK_H

#include "core/run/clock.h"

struct dyno_clock *dyno_virtual_clock(void); /* has no state; never closed */

#endif
