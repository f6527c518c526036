/* A model's logits the obvious way: every position of the sequence, layer by layer, in double; no
 * blocks, no batches, no reuse. */
#ifndef DYNO_TESTS_BACKENDS_FORWARD_ORACLE_H
#define DYNO_TESTS_BACKENDS_FORWARD_ORACLE_H

#include "tests/backends/tiny_models.h"

static inline double *doubles(size_t count)
{
    return array_of(count, sizeof(double));
}

static inline void oracle_multiply(const struct dyno_matrix *matrix, const double *x,
                                   const float *bias, double *y)
{
    float *row = array_of(matrix->columns, sizeof(float));

    for (uint32_t r = 0; r < matrix->rows; r++) {
        y[r] = bias ? (double)bias[r] : 0.0;
        dyno_matrix_read(matrix, r, 0, matrix->columns, row);
        for (uint32_t k = 0; k < matrix->columns; k++) {
            y[r] += (double)row[k] * x[k];
        }
    }
}

static inline void oracle_norm(const struct dyno_weights *weights, const double *x,
                               const float *weight, const float *bias, uint32_t count, bool layer,
                               double *out)
{
    double mean = 0.0, square = 0.0;

    for (uint32_t i = 0; layer && i < count; i++) {
        mean += x[i] / count;
    }
    for (uint32_t i = 0; i < count; i++) {
        square += (x[i] - mean) * (x[i] - mean) / count;
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (x[i] - mean) / sqrt(square + weights->norm_epsilon) * (double)weight[i];
        out[i] += bias ? (double)bias[i] : 0.0;
    }
}

/* How much of a pair's frequency YaRN divides: of pairs that turn more than beta_fast times in the
 * context of training nothing, of those that turn less than beta_slow times all. */
static inline double oracle_yarn_share(const struct dyno_rope *rope, uint32_t pair,
                                       uint32_t head_dim)
{
    const double turns[2] = {rope->beta_fast, rope->beta_slow};
    double at[2];

    for (int i = 0; i < 2; i++) { /* where theta^(-2 at / head_dim) context = 2 pi turns */
        at[i] = log(rope->original_context / (2.0 * 3.14159265358979323846 * turns[i])) /
                log(rope->theta) * head_dim / 2.0;
    }
    at[0] = rope->exact ? at[0] : floor(at[0]);
    at[1] = rope->exact ? at[1] : ceil(at[1]);
    at[0] = at[0] < 0.0 ? 0.0 : at[0];
    at[1] = at[1] > head_dim - 1.0 ? head_dim - 1.0 : at[1];
    if (pair <= at[0]) {
        return 0.0;
    }
    return pair >= at[1] ? 1.0 : (pair - at[0]) / (at[1] - at[0]);
}

static inline double oracle_frequency(const struct dyno_rope *rope, uint32_t pair,
                                      uint32_t head_dim)
{
    double frequency = pow(rope->theta, -2.0 * pair / head_dim);
    double wavelength = 2.0 * 3.14159265358979323846 / frequency, blend;

    switch (rope->scaling) {
    case DYNO_ROPE_LINEAR:
        return frequency / rope->factor;
    case DYNO_ROPE_TABLE:
        return frequency / (double)rope->factors[pair];
    case DYNO_ROPE_LLAMA3:
        if (wavelength < rope->original_context / rope->high_freq_factor) {
            return frequency;
        }
        if (wavelength > rope->original_context / rope->low_freq_factor) {
            return frequency / rope->factor;
        }
        blend = (rope->original_context / wavelength - rope->low_freq_factor) /
                (rope->high_freq_factor - rope->low_freq_factor);
        return (1.0 - blend) * frequency / rope->factor + blend * frequency;
    case DYNO_ROPE_YARN:
        blend = oracle_yarn_share(rope, pair, head_dim);
        return blend * frequency / rope->factor + (1.0 - blend) * frequency;
    default:
        return frequency;
    }
}

static inline void oracle_turn(const struct dyno_weights *weights, double *head, uint32_t position)
{
    uint32_t head_dim = weights->model.head_dim;
    double length = weights->rope.scaling == DYNO_ROPE_YARN ? weights->rope.length : 1.0;

    for (uint32_t i = 0; weights->rope.pairs != DYNO_ROPE_NONE && i < head_dim / 2; i++) {
        bool adjacent = weights->rope.pairs == DYNO_ROPE_ADJACENT;
        double *a = &head[adjacent ? 2 * i : i],
               *b = &head[adjacent ? 2 * i + 1 : i + head_dim / 2];
        double angle = position * oracle_frequency(&weights->rope, i, head_dim), x = *a, y = *b;

        *a = length * (x * cos(angle) - y * sin(angle));
        *b = length * (x * sin(angle) + y * cos(angle));
    }
}

static inline void oracle_mlp(const struct dyno_weights *weights, const struct dyno_matrix *gate,
                              const struct dyno_matrix *up, const struct dyno_matrix *down,
                              const struct dyno_layer_weights *layer, const double *x, double *out)
{
    double *wide = doubles(up->rows), *gates = doubles(up->rows);

    oracle_multiply(up, x, layer->up_bias, wide);
    if (gate && gate->data) {
        oracle_multiply(gate, x, NULL, gates);
    }
    for (uint32_t i = 0; i < up->rows; i++) {
        if (weights->activation == DYNO_ACTIVATION_SILU) {
            wide[i] *= gates[i] / (1.0 + exp(-gates[i]));
        } else {
            double a = wide[i];

            wide[i] = 0.5 * a *
                      (1.0 + tanh(sqrt(2.0 / 3.14159265358979323846) * (a + 0.044715 * a * a * a)));
        }
    }
    oracle_multiply(down, wide, layer->down_bias, out);
}

/* The experts in descending order of probability, found by looking for the largest again and
 * again. */
static inline void oracle_experts(const struct dyno_weights *weights,
                                  const struct dyno_layer_weights *layer, const double *x,
                                  double *out)
{
    const struct dyno_model *model = &weights->model;
    double *share = doubles(model->experts), *part = doubles(model->hidden), all = 0.0, sum = 0.0;
    bool *taken = array_of(model->experts, sizeof(bool));

    oracle_multiply(&layer->router, x, NULL, share);
    for (uint32_t i = 0; i < model->experts; i++) {
        share[i] = exp(share[i]);
        all += share[i];
    }
    for (uint32_t choice = 0; choice < model->experts_per_token; choice++) {
        uint32_t best = UINT32_MAX;

        for (uint32_t i = 0; i < model->experts; i++) {
            best = !taken[i] && (best == UINT32_MAX || share[i] > share[best]) ? i : best;
        }
        taken[best] = true;
        sum += share[best];
    }
    for (uint32_t i = 0; i < model->experts; i++) {
        if (taken[i]) {
            oracle_mlp(weights, &layer->expert_gate[i], &layer->expert_up[i],
                       &layer->expert_down[i], layer, x, part);
            for (uint32_t h = 0; h < model->hidden; h++) {
                out[h] += share[i] / (weights->normalize_top_k ? sum : all) * part[h];
            }
        }
    }
}

static inline void oracle_attend(const struct dyno_weights *weights, const double *query,
                                 const double *keys, const double *values, uint32_t position,
                                 double *out)
{
    const struct dyno_model *model = &weights->model;
    uint32_t head_dim = model->head_dim, narrow = model->kv_heads * head_dim;

    for (uint32_t head = 0; head < model->heads; head++) {
        uint32_t kv = head / (model->heads / model->kv_heads) * head_dim;
        double sum = 0.0;

        for (uint32_t j = 0; j <= position; j++) {
            double score = 0.0;

            if (weights->window > 0 && position - j >= weights->window) {
                continue;
            }
            for (uint32_t d = 0; d < head_dim; d++) {
                score += query[head * head_dim + d] * keys[j * narrow + kv + d];
            }
            score = exp(score / sqrt(head_dim));
            sum += score;
            for (uint32_t d = 0; d < head_dim; d++) {
                out[head * head_dim + d] += score * values[j * narrow + kv + d];
            }
        }
        for (uint32_t d = 0; d < head_dim; d++) {
            out[head * head_dim + d] /= sum;
        }
    }
}

static inline void oracle_layer(const struct dyno_weights *weights,
                                const struct dyno_layer_weights *layer, uint32_t count, double *x)
{
    const struct dyno_model *model = &weights->model;
    uint32_t hidden = model->hidden, head_dim = model->head_dim;
    uint32_t wide = model->heads * head_dim, narrow = model->kv_heads * head_dim;
    double *normed = doubles(hidden), *queries = doubles((size_t)count * wide);
    double *keys = doubles((size_t)count * narrow), *values = doubles((size_t)count * narrow);

    for (uint32_t p = 0; p < count; p++) {
        oracle_norm(weights, x + p * hidden, layer->attention_norm, layer->attention_norm_bias,
                    hidden, weights->layer_norm, normed);
        oracle_multiply(&layer->query, normed, layer->query_bias, queries + p * wide);
        oracle_multiply(&layer->key, normed, layer->key_bias, keys + p * narrow);
        oracle_multiply(&layer->value, normed, layer->value_bias, values + p * narrow);
        for (uint32_t head = 0; head < model->heads + model->kv_heads; head++) {
            bool is_key = head >= model->heads;
            double *at = is_key ? keys + p * narrow + (head - model->heads) * head_dim
                                : queries + p * wide + head * head_dim;
            const float *norm = is_key ? layer->key_norm : layer->query_norm;

            if (norm) {
                oracle_norm(weights, at, norm, NULL, head_dim, false, at);
            }
            oracle_turn(weights, at, p);
        }
    }
    for (uint32_t p = 0; p < count; p++) {
        double *attended = doubles(wide), *out = doubles(hidden), *mlp = doubles(hidden);

        oracle_attend(weights, queries + p * wide, keys, values, p, attended);
        oracle_multiply(&layer->output, attended, layer->output_bias, out);
        for (uint32_t i = 0; i < hidden; i++) {
            x[p * hidden + i] += out[i];
        }
        oracle_norm(weights, x + p * hidden, layer->mlp_norm, layer->mlp_norm_bias, hidden,
                    weights->layer_norm, normed);
        if (model->experts > 0) {
            oracle_experts(weights, layer, normed, mlp);
        } else {
            oracle_mlp(weights, &layer->gate, &layer->up, &layer->down, layer, normed, mlp);
        }
        for (uint32_t i = 0; i < hidden; i++) {
            x[p * hidden + i] += mlp[i];
        }
    }
}

/* Logits of every position: [count][vocab]. */
static inline double *oracle_logits(const struct dyno_weights *weights, const uint32_t *tokens,
                                    uint32_t count)
{
    uint32_t hidden = weights->model.hidden, vocab = weights->model.vocab;
    double *x = doubles((size_t)count * hidden), *logits = doubles((size_t)count * vocab);
    double *normed = doubles(hidden);
    float *row = array_of(hidden, sizeof(float)), *learned = array_of(hidden, sizeof(float));

    for (uint32_t p = 0; p < count; p++) {
        dyno_matrix_read(&weights->embedding, tokens[p], 0, hidden, row);
        if (weights->positions.data) {
            dyno_matrix_read(&weights->positions, p, 0, hidden, learned);
        }
        for (uint32_t i = 0; i < hidden; i++) {
            x[p * hidden + i] = (double)row[i] + (double)learned[i];
        }
    }
    for (uint32_t layer = 0; layer < weights->model.layers; layer++) {
        oracle_layer(weights, &weights->layers[layer], count, x);
    }
    for (uint32_t p = 0; p < count; p++) {
        oracle_norm(weights, x + p * hidden, weights->final_norm, weights->final_norm_bias, hidden,
                    weights->layer_norm, normed);
        oracle_multiply(&weights->logits, normed, NULL, logits + (size_t)p * vocab);
    }
    return logits;
}

#endif
