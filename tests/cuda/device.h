/* What the tests of kernels/cuda share: arrays on the device, random elements, comparisons.  The
 * same tests run on a GPU (tests/gpu/check.sh) and on the emulation (tests/cuda_emulation), and
 * need no library.
 *
 * A test that fails says what, prints the seed, and ends the program.
 */
#ifndef DYNO_TESTS_CUDA_DEVICE_H
#define DYNO_TESTS_CUDA_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "kernels/matrix.h"

/* The program's tests, each over `seeds` seeds. */
struct cuda_test {
    const char *name;
    void (*run)(uint32_t seeds);
};
extern const struct cuda_test cuda_tests[]; /* ends with a name of NULL */

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Arrays live until arrays_free, which also looks whether anybody wrote beside one.  Those of the
 * device are aligned to 256 bytes; device_array's bytes are all 0xff. */
void *host_array(size_t count, size_t size); /* zeros */
void *device_array(size_t bytes);
void *device_copy(const void *host, size_t bytes);
void arrays_free(void);

/* Waits for the device, and copies to the host. */
void device_read(void *host, const void *device, size_t bytes);
void *device_read_all(const void *device, size_t bytes); /* into a host array */
bool device_untouched(const void *device, size_t bytes); /* still all 0xff */

/* Elements of 16 bits and their values in float. */
struct elements {
    uint16_t *bits;
    float *values;
    void *device; /* a copy of bits */
};
uint16_t element_of(enum dyno_element element, float value);
float element_value(enum dyno_element element, uint16_t bits);

/* Uniform in (-scale, scale). */
struct elements random_elements(struct dyno_rng *rng, enum dyno_element element, size_t count,
                                float scale);

/* The device's elements against what is due: within the rounding to the element plus `slack`
 * absolutely. */
void expect_elements(const char *what, unsigned seed, enum dyno_element element, const void *device,
                     const float *due, size_t count, double slack);

uint32_t pick(struct dyno_rng *rng, const uint32_t *from, size_t count);

#define PICK(rng, ...)                                                                             \
    pick(rng, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

#endif
