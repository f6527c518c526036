/* The index of the largest of many numbers: of equal ones (0 and -0 are) the first.  A NaN is
 * passed over; where there is nothing else, it is 0.
 *
 * The fast versions, dyno_isa's largest, meet this exactly.
 */
#ifndef DYNO_KERNELS_LARGEST_H
#define DYNO_KERNELS_LARGEST_H

#include <stdint.h>

uint32_t dyno_largest_ref(const float *x, uint32_t count); /* count >= 1 */

#endif
