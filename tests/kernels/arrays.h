/* Random matrices and rows for the tests of kernels.  A test case frees its arrays by the fixture
 * arrays_free: tcase_add_checked_fixture(tcase, NULL, arrays_free). */
#ifndef DYNO_TESTS_KERNELS_ARRAYS_H
#define DYNO_TESTS_KERNELS_ARRAYS_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "kernels/element.h"
#include "kernels/half.h"
#include "kernels/isa.h"
#include "kernels/matrix.h"

enum { ARRAYS_MAX = 1 << 20 };

static void *arrays[ARRAYS_MAX];
static int array_count;

/* Zeros, in a block of its very size, so that AddressSanitizer sees a step too far. */
static inline void *array_of(size_t count, size_t size)
{
    if (array_count == ARRAYS_MAX) {
        abort();
    }
    return arrays[array_count++] = calloc(count > 0 ? count : 1, size);
}

static inline void arrays_free(void)
{
    while (array_count > 0) {
        free(arrays[--array_count]);
    }
}

static inline float random_float(struct dyno_rng *rng)
{
    return (float)(dyno_rng_unit(rng) * 2.0 - 1.0);
}

static inline float *random_floats(struct dyno_rng *rng, size_t count)
{
    float *values = array_of(count, sizeof(*values));

    for (size_t i = 0; i < count; i++) {
        values[i] = random_float(rng);
    }
    return values;
}

static inline void element_row(enum dyno_element element, const float *values, uint32_t count,
                               unsigned char *out)
{
    for (uint32_t i = 0; element != DYNO_ELEMENT_Q8_0 && i < count; i++) {
        uint16_t half = element == DYNO_ELEMENT_F16 ? dyno_half_of_float(values[i])
                                                    : dyno_bf16_of_float(values[i]);

        if (element == DYNO_ELEMENT_F32) {
            memcpy(out + 4 * (size_t)i, &values[i], 4);
        } else {
            memcpy(out + 2 * (size_t)i, &half, 2);
        }
    }
    if (element == DYNO_ELEMENT_Q8_0) {
        dyno_q8_0_of_floats(values, count, out);
    }
}

/* Aligned to the element only: `odd` moves the data by one element (Q8_0: by 2 bytes). */
static inline struct dyno_matrix random_matrix(struct dyno_rng *rng, enum dyno_element element,
                                               uint32_t rows, uint32_t columns, bool odd)
{
    size_t bytes = dyno_row_bytes(element, columns);
    size_t skip = !odd ? 0 : element == DYNO_ELEMENT_F32 ? 4 : 2;
    unsigned char *data = array_of(rows * bytes + skip, 1);

    float *values = array_of(columns, sizeof(*values));

    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < columns; i++) {
            values[i] = random_float(rng);
        }
        element_row(element, values, columns, data + skip + row * bytes);
    }
    return (struct dyno_matrix){element, rows, columns, data + skip};
}

/* The instruction set at `index` of the table if this CPU runs it, else NULL. */
static inline const struct dyno_isa *isa_at(int index)
{
    const struct dyno_isa *isa = dyno_isa_table[index];

    return isa && dyno_isa_runs(isa) ? isa : NULL;
}

enum { ISAS_MAX = 3 };

#endif
