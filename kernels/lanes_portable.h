/* Four floats at once in plain C with the vector types of GCC and Clang: runs on any CPU.
 * Multiplications and additions round each for itself.  What each function promises is in
 * lanes.h. */
#ifndef DYNO_KERNELS_LANES_PORTABLE_H
#define DYNO_KERNELS_LANES_PORTABLE_H

#include <stdint.h>
#include <string.h>

#include "kernels/half.h"

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t lanes_whole __attribute__((vector_size(16)));

enum {
    LANES = 4,
    TILE_ROWS = 2,
};

static inline lanes lanes_set(float value)
{
    return (lanes){value, value, value, value};
}

static inline lanes lanes_load(const float *from)
{
    lanes a;

    memcpy(&a, from, sizeof(a));
    return a;
}

static inline void lanes_store(float *to, lanes a)
{
    memcpy(to, &a, sizeof(a));
}

static inline lanes lanes_load_f16(const void *from)
{
    uint16_t bits[LANES];

    memcpy(bits, from, sizeof(bits));
    return (lanes){dyno_half_to_float(bits[0]), dyno_half_to_float(bits[1]),
                   dyno_half_to_float(bits[2]), dyno_half_to_float(bits[3])};
}

static inline lanes lanes_load_bf16(const void *from)
{
    uint16_t bits[LANES];

    memcpy(bits, from, sizeof(bits));
    return (lanes){dyno_bf16_to_float(bits[0]), dyno_bf16_to_float(bits[1]),
                   dyno_bf16_to_float(bits[2]), dyno_bf16_to_float(bits[3])};
}

static inline lanes lanes_load_i8(const void *from)
{
    int8_t value[LANES];

    memcpy(value, from, sizeof(value));
    return (lanes){value[0], value[1], value[2], value[3]};
}

static inline float lanes_float_of_f16(uint16_t bits)
{
    return dyno_half_to_float(bits);
}

static inline void lanes_store_f16(void *to, lanes a)
{
    uint16_t bits[LANES];

    for (int i = 0; i < LANES; i++) {
        bits[i] = dyno_half_of_float(a[i]);
    }
    memcpy(to, bits, sizeof(bits));
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return a + b;
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return a - b;
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    return a * b;
}

static inline lanes lanes_div(lanes a, lanes b)
{
    return a / b;
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return a * b + c;
}

static inline lanes lanes_max(lanes a, lanes b)
{
    lanes_whole first = a > b;

    return (lanes)((first & (lanes_whole)a) | (~first & (lanes_whole)b));
}

static inline lanes lanes_min(lanes a, lanes b)
{
    lanes_whole first = a < b;

    return (lanes)((first & (lanes_whole)a) | (~first & (lanes_whole)b));
}

/* Adding and taking away 1.5 x 2^23 leaves no room for a fraction; right up to 2^22. */
static inline lanes lanes_round(lanes a)
{
    lanes large = lanes_set(0x1.8p23F);

    return (a + large) - large;
}

static inline lanes lanes_power_of_2(lanes a)
{
    lanes_whole exponent = __builtin_convertvector(a, lanes_whole) + 127;

    return (lanes)(exponent << 23);
}

static inline float lanes_sum(lanes a)
{
    return (a[0] + a[2]) + (a[1] + a[3]);
}

static inline float lanes_highest(lanes a)
{
    float two = a[0] > a[2] ? a[0] : a[2], other = a[1] > a[3] ? a[1] : a[3];

    return two > other ? two : other;
}

#endif
