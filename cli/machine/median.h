/* Of what was measured a few times the median counts. */
#ifndef DYNO_CLI_MACHINE_MEDIAN_H
#define DYNO_CLI_MACHINE_MEDIAN_H

#include <stdint.h>

/* Of values[count], which it sorts; of an even number the mean of the two in the middle; of none
 * 0. */
double dyno_median(double *values, uint32_t count);

#endif
