/* Rotary embeddings: frequencies, the table, and the turn. */
#include "kernels/rope.h"

#include <math.h>
#include <stddef.h>

static const double two_pi = 6.28318530717958647693;

void dyno_rope_frequencies(double theta, uint32_t pairs, double *frequency)
{
    for (uint32_t i = 0; i < pairs; i++) {
        frequency[i] = pow(theta, -(double)i / pairs);
    }
}

void dyno_rope_scale_linear(double factor, uint32_t pairs, double *frequency)
{
    for (uint32_t i = 0; i < pairs; i++) {
        frequency[i] /= factor;
    }
}

void dyno_rope_scale_llama3(double factor, double low, double high, uint32_t original_context,
                            uint32_t pairs, double *frequency)
{
    for (uint32_t i = 0; i < pairs; i++) {
        double turns = original_context * frequency[i] / two_pi;
        double share = (turns - low) / (high - low);

        share = turns <= low ? 0.0 : turns >= high ? 1.0 : share;
        frequency[i] = (1.0 - share) * frequency[i] / factor + share * frequency[i];
    }
}

/* The pair that turns `turns` times in the context of training. */
static double pair_of(const struct dyno_rope_yarn *yarn, double turns, uint32_t pairs)
{
    return pairs * log(yarn->original_context / (two_pi * turns)) / log(yarn->theta);
}

void dyno_rope_scale_yarn(const struct dyno_rope_yarn *yarn, uint32_t pairs, double *frequency)
{
    double low = pair_of(yarn, yarn->beta_fast, pairs);
    double high = pair_of(yarn, yarn->beta_slow, pairs);

    low = fmax(yarn->exact ? low : floor(low), 0.0);
    high = fmin(yarn->exact ? high : ceil(high), 2.0 * pairs - 1.0);
    high = fmax(high, low + 0.001);
    for (uint32_t i = 0; i < pairs; i++) {
        double share = fmin(fmax((i - low) / (high - low), 0.0), 1.0);

        frequency[i] = share * frequency[i] / yarn->factor + (1.0 - share) * frequency[i];
    }
}

double dyno_rope_yarn_length(double factor, double m)
{
    return 0.1 * m * log(factor) + 1.0;
}

void dyno_rope_scale_table(const float *factors, uint32_t pairs, double *frequency)
{
    for (uint32_t i = 0; i < pairs; i++) {
        frequency[i] /= (double)factors[i];
    }
}

void dyno_rope_table(const double *frequency, double length, uint32_t pairs, uint32_t positions,
                     float *table)
{
    for (uint32_t position = 0; position < positions; position++) {
        for (uint32_t i = 0; i < pairs; i++) {
            float *entry = table + ((size_t)position * pairs + i) * 2;

            entry[0] = (float)(length * cos(position * frequency[i]));
            entry[1] = (float)(length * sin(position * frequency[i]));
        }
    }
}

void dyno_rope_turn(float *head, const float *row, uint32_t pairs, bool adjacent)
{
    uint32_t step = adjacent ? 2 : 1, other = adjacent ? 1 : pairs;

    for (uint32_t i = 0; i < pairs; i++) {
        float a = head[i * step], b = head[i * step + other];

        head[i * step] = a * row[2 * i] - b * row[2 * i + 1];
        head[i * step + other] = b * row[2 * i] + a * row[2 * i + 1];
    }
}

void dyno_rope_turn_ref(float *head, const double *frequency, double length, uint32_t position,
                        uint32_t pairs, bool adjacent)
{
    uint32_t step = adjacent ? 2 : 1, other = adjacent ? 1 : pairs;

    for (uint32_t i = 0; i < pairs; i++) {
        double a = (double)head[i * step], b = (double)head[i * step + other];
        double angle = position * frequency[i];

        head[i * step] = (float)(length * (a * cos(angle) - b * sin(angle)));
        head[i * step + other] = (float)(length * (b * cos(angle) + a * sin(angle)));
    }
}
