#include "backends/assets/rope_table.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/words.h"
#include "kernels/rope.h"

static dyno_status refuse(const char *path, const char *what, double value, const char *expected,
                          struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT, "%s: YaRN's %s is %g where %s is expected",
                     dyno_quote(quoted, path), what, value, expected);
}

dyno_status dyno_rope_check(const struct dyno_rope *rope, const char *path,
                            struct dyno_error *error)
{
    if (rope->scaling != DYNO_ROPE_YARN) {
        return DYNO_OK;
    }
    if (!(rope->theta > 1)) {
        return refuse(path, "theta", rope->theta, "more than 1", error);
    }
    if (!(rope->factor >= 1)) {
        return refuse(path, "factor", rope->factor, "1 or more", error);
    }
    if (!(rope->beta_fast > rope->beta_slow)) {
        return refuse(path, "beta_fast", rope->beta_fast, "more than beta_slow", error);
    }
    if (!(rope->length > 0 && rope->length <= DYNO_ROPE_LENGTH_MAX)) {
        return refuse(path, "attention factor", rope->length, "more than 0, and at most 1000",
                      error);
    }
    return DYNO_OK;
}

dyno_status dyno_rope_stretch(uint32_t *context, uint32_t original, double factor, const char *path,
                              struct dyno_error *error)
{
    double stretched = original * factor;
    char quoted[DYNO_QUOTE_MAX];

    if (stretched > DYNO_ROPE_CONTEXT_MAX) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "%s: YaRN's factor %g makes %g tokens of a context of %" PRIu32 "; %d are the most",
            dyno_quote(quoted, path), factor, stretched, original, DYNO_ROPE_CONTEXT_MAX);
    }
    *context = stretched > *context ? (uint32_t)stretched : *context;
    return DYNO_OK;
}

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
    case DYNO_ROPE_YARN:
        dyno_rope_scale_yarn(&(struct dyno_rope_yarn){.theta = rope->theta,
                                                      .factor = rope->factor,
                                                      .beta_fast = rope->beta_fast,
                                                      .beta_slow = rope->beta_slow,
                                                      .original_context = rope->original_context,
                                                      .exact = rope->exact},
                             pairs, frequency);
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
    dyno_rope_table(frequency, rope->scaling == DYNO_ROPE_YARN ? rope->length : 1.0, pairs,
                    positions, table);
    free(frequency);
    return table;
}
