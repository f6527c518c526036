#include "backends/assets/rope_table.h"

#include <stdlib.h>

#include "kernels/rope.h"

static void scale(const struct dyno_rope *rope, uint32_t pairs, double *frequency)
{
    switch (rope->scaling) {
    case DYNO_ROPE_PLAIN:
        break;
    case DYNO_ROPE_LINEAR:
        dyno_rope_scale_linear(rope->factor, pairs, frequency);
        break;
    case DYNO_ROPE_LLAMA3:
        dyno_rope_scale_llama3(rope->factor, rope->low_freq_factor, rope->high_freq_factor,
                               rope->original_context, pairs, frequency);
        break;
    case DYNO_ROPE_TABLE:
        dyno_rope_scale_table(rope->factors, pairs, frequency);
        break;
    }
}

float *dyno_rope_table_make(const struct dyno_rope *rope, uint32_t head_dim, uint32_t positions)
{
    uint32_t pairs = head_dim / 2;
    double *frequency = malloc(pairs * sizeof *frequency);
    float *table = malloc((size_t)positions * pairs * 2 * sizeof *table);

    if (!frequency || !table) {
        free(frequency);
        free(table);
        return NULL;
    }
    dyno_rope_frequencies(rope->theta, pairs, frequency);
    scale(rope, pairs, frequency);
    dyno_rope_table(frequency, pairs, positions, table);
    free(frequency);
    return table;
}
