#include "traces/timeline.h"

static const dyno_ns width_min = DYNO_S / 512;

/* Two bins become one. */
static void halve(struct dyno_timeline *timeline)
{
    for (uint32_t i = 0; i < DYNO_TIMELINE_BINS / 2; i++) {
        timeline->count[i] = timeline->count[2 * i] + timeline->count[2 * i + 1];
    }
    for (uint32_t i = DYNO_TIMELINE_BINS / 2; i < DYNO_TIMELINE_BINS; i++) {
        timeline->count[i] = 0;
    }
    timeline->bins = (timeline->bins + 1) / 2;
    timeline->width_ns *= 2;
}

void dyno_timeline_add(struct dyno_timeline *timeline, dyno_ns at)
{
    uint32_t bin;

    if (timeline->width_ns == 0) {
        timeline->width_ns = width_min;
    }
    while (at / timeline->width_ns >= DYNO_TIMELINE_BINS) {
        halve(timeline);
    }
    bin = (uint32_t)(at / timeline->width_ns);
    timeline->count[bin]++;
    timeline->bins = timeline->bins > bin ? timeline->bins : bin + 1;
}
