/* A weight matrix as it lies in a file: the one thing that every kernel and every loader agree on.
 *
 * Row-major, one output a row: y[rows] = W[rows][columns] x[columns].  The data is not owned and
 * never written; it may lie in a mapped file, at any alignment that its format allows (safetensors
 * promises that of the element, GGUF 32 bytes).
 */
#ifndef DYNO_KERNELS_MATRIX_H
#define DYNO_KERNELS_MATRIX_H

#include <stddef.h>
#include <stdint.h>

enum dyno_element {
    DYNO_ELEMENT_F32,
    DYNO_ELEMENT_F16,  /* IEEE 754 binary16 */
    DYNO_ELEMENT_BF16, /* the upper half of an F32 */
    DYNO_ELEMENT_Q8_0, /* GGUF: blocks of 32 elements in 34 bytes: a binary16 scale, 32 int8 */
    DYNO_ELEMENTS,
};

enum { DYNO_Q8_0_ELEMENTS = 32, DYNO_Q8_0_BYTES = 34 };

struct dyno_matrix {
    enum dyno_element element;
    uint32_t rows, columns; /* Q8_0: columns is a multiple of 32 */
    const void *data;       /* [rows][columns]; NULL: there is none */
};

/* Bytes of one row of `columns` elements. */
static inline size_t dyno_row_bytes(enum dyno_element element, uint32_t columns)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        return (size_t)columns * 4;
    case DYNO_ELEMENT_F16:
    case DYNO_ELEMENT_BF16:
        return (size_t)columns * 2;
    case DYNO_ELEMENT_Q8_0:
        return (size_t)columns / DYNO_Q8_0_ELEMENTS * DYNO_Q8_0_BYTES;
    case DYNO_ELEMENTS:
        break;
    }
    return 0;
}

#endif
