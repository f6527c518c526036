/* How many requests came when: at most 64 bins of one width, which doubles as the trace goes on. */
#ifndef DYNO_TRACES_TIMELINE_H
#define DYNO_TRACES_TIMELINE_H

#include <stdint.h>

#include "core/base/time.h"

enum { DYNO_TIMELINE_BINS = 64 };

/* All zeros is an empty one. */
struct dyno_timeline {
    dyno_ns width_ns; /* 1 s or 2^k of it, from 2^-9 s; 0: nothing came yet */
    uint32_t bins;    /* that something came in, or before something */
    uint64_t count[DYNO_TIMELINE_BINS];
};

/* `at` counts from the first one and may come in any order. */
void dyno_timeline_add(struct dyno_timeline *timeline, dyno_ns at);

#endif
