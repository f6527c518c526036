#include "core/base/alarms.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

dyno_status dyno_alarms_init(struct dyno_alarms *alarms, uint32_t count)
{
    uint32_t leaves = 1;
    dyno_ns *least;

    assert(count >= 1 && count <= 1U << 30);
    while (leaves < count) {
        leaves *= 2;
    }
    least = malloc(2 * (size_t)leaves * sizeof *least);
    if (!least) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < 2 * leaves; i++) {
        least[i] = DYNO_NEVER;
    }
    *alarms = (struct dyno_alarms){.least = least, .leaves = leaves};
    return DYNO_OK;
}

void dyno_alarms_release(struct dyno_alarms *alarms)
{
    free(alarms->least);
    memset(alarms, 0, sizeof *alarms);
}
