/* Conversions, one element at a time: for lookups, tests and writers, not for inner loops. */
#include "kernels/element.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/half.h"

static uint16_t u16_at(const unsigned char *bytes, size_t index)
{
    uint16_t value;

    memcpy(&value, bytes + 2 * index, sizeof(value));
    return value;
}

static float q8_0_at(const unsigned char *row, uint32_t column)
{
    const unsigned char *block = row + (size_t)column / DYNO_Q8_0_ELEMENTS * DYNO_Q8_0_BYTES;
    int8_t value = (int8_t)block[2 + column % DYNO_Q8_0_ELEMENTS];

    return dyno_half_to_float(u16_at(block, 0)) * (float)value;
}

void dyno_matrix_read(const struct dyno_matrix *matrix, uint32_t row, uint32_t first,
                      uint32_t count, float *out)
{
    const unsigned char *bytes = matrix->data;

    assert(row < matrix->rows && count <= matrix->columns && first <= matrix->columns - count);
    bytes += row * dyno_row_bytes(matrix->element, matrix->columns);
    switch (matrix->element) {
    case DYNO_ELEMENT_F32:
        memcpy(out, bytes + 4 * (size_t)first, 4 * (size_t)count);
        break;
    case DYNO_ELEMENT_F16:
        for (uint32_t i = 0; i < count; i++) {
            out[i] = dyno_half_to_float(u16_at(bytes, first + i));
        }
        break;
    case DYNO_ELEMENT_BF16:
        for (uint32_t i = 0; i < count; i++) {
            out[i] = dyno_bf16_to_float(u16_at(bytes, first + i));
        }
        break;
    case DYNO_ELEMENT_Q8_0:
        for (uint32_t i = 0; i < count; i++) {
            out[i] = q8_0_at(bytes, first + i);
        }
        break;
    case DYNO_ELEMENTS:
        assert(false);
    }
}

void dyno_q8_0_of_floats(const float *values, uint32_t count, void *out)
{
    unsigned char *block = out;

    assert(count % DYNO_Q8_0_ELEMENTS == 0);
    for (uint32_t first = 0; first < count; first += DYNO_Q8_0_ELEMENTS) {
        float largest = 0.0F, scale;
        uint16_t bits;

        for (uint32_t i = 0; i < DYNO_Q8_0_ELEMENTS; i++) {
            largest = fmaxf(largest, fabsf(values[first + i]));
        }
        bits = dyno_half_of_float(largest / 127.0F);
        memcpy(block, &bits, sizeof(bits));
        scale = largest / 127.0F;
        for (uint32_t i = 0; i < DYNO_Q8_0_ELEMENTS; i++) {
            long rounded = scale > 0.0F ? lrintf(values[first + i] / scale) : 0;

            block[2 + i] = (unsigned char)(int8_t)rounded;
        }
        block += DYNO_Q8_0_BYTES;
    }
}
