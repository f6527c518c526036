/* The definition. */
#include "kernels/largest.h"

#include <math.h>

uint32_t dyno_largest_ref(const float *x, uint32_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < count; i++) {
        if (x[i] > x[best] || (isnan(x[best]) && !isnan(x[i]))) {
            best = i;
        }
    }
    return best;
}
