/* What a device refuses to launch.
 *
 * As CUDA does: grids and blocks beyond what a device counts; more threads than the kernel's
 * __launch_bounds__ say; more than 48 KiB of shared memory without the kernel's attribute having
 * been set on this device, or more than a block of this device can have, static memory included.
 *
 * How many threads a kernel is for, and how much static shared memory it has, is read from the
 * program itself: cuda_runtime.h has the first written before the kernel's code, and the second are
 * the sizes of its static variables among the program's symbols (not in the build with
 * AddressSanitizer, which makes them larger).
 */
#ifndef DYNO_TESTS_CUDA_EMULATION_LIMITS_H
#define DYNO_TESTS_CUDA_EMULATION_LIMITS_H

#include <cstddef>

#include "tests/cuda_emulation/block.h"
#include "tests/cuda_emulation/cuda_runtime_api.h"

namespace emulation
{

/* Of the current device. */
struct capability {
    int major, minor;
    size_t shared_max; /* of a block, whose kernel asks for it */
};
capability capability_of_device();

/* Whether a kernel may be launched so on the current device; what is wrong is said on stderr. */
cudaError_t look_at_launch(const char *name, const void *kernel, index3 grid, index3 block,
                           size_t dynamic_bytes);

} /* namespace emulation */

#endif
