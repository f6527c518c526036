/* An answer that is a vector: what the model made of the last token of the prompt. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "backends/door/answer_parts.h"

/* The length of a vector; sums in one order, in double, are the same everywhere. */
static double length_of(const float *state, uint32_t dimensions)
{
    double sum = 0.0;

    for (uint32_t i = 0; i < dimensions; i++) {
        sum += (double)state[i] * (double)state[i];
    }
    return sqrt(sum);
}

/* The first numbers of the state, as a vector of length 1.  Without memory, and where the state has
 * no direction (all zero, or not all numbers), there is none, and the answer fails. */
static void embed(struct dyno_generation *generation, const float *state, uint32_t size)
{
    struct dyno_answer *answer = (void *)generation; /* its first member */
    uint32_t dimensions = answer->config.dimensions;
    double length;

    assert(dimensions <= size && !answer->vector);
    length = length_of(state, dimensions);
    if (!(length > 0.0) || !isfinite(length)) {
        return;
    }
    answer->vector = malloc(dimensions * sizeof *answer->vector);
    for (uint32_t i = 0; answer->vector && i < dimensions; i++) {
        answer->vector[i] = (float)((double)state[i] / length);
    }
}

static bool took(struct dyno_generation *generation, uint32_t token)
{
    (void)token;
    ((struct dyno_answer *)(void *)generation)->stopped = true;
    return true;
}

const struct dyno_generation_ops dyno_answer_vector_ops = {.embed = embed, .took = took};
