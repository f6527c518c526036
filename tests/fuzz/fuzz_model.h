/* What the fuzz targets of models share: a folder for the time of one input, and what must hold of
 * whatever is opened in it.
 *
 * LLVMFuzzerTestOneInput is libFuzzer's entry (clang -fsanitize=fuzzer,address,undefined);
 * tests/backends/test_model_fuzz.c drives the same functions with seeded mutations, so that they
 * run with any compiler. */
#ifndef DYNO_TESTS_FUZZ_FUZZ_MODEL_H
#define DYNO_TESTS_FUZZ_FUZZ_MODEL_H

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "backends/assets/weights.h"

static char fuzz_folder[256];

/* A file system in memory, named by TMPDIR, is faster. */
static inline void fuzz_begin(void)
{
    const char *place = getenv("TMPDIR");

    (void)snprintf(fuzz_folder, sizeof fuzz_folder, "%s/dyno-fuzz-XXXXXX",
                   place && strlen(place) < 200 ? place : P_tmpdir);
    if (!mkdtemp(fuzz_folder)) {
        abort();
    }
}

static inline const char *fuzz_path(const char *name)
{
    static char path[sizeof fuzz_folder + 64];

    (void)snprintf(path, sizeof path, "%s/%s", fuzz_folder, name);
    return path;
}

static inline void fuzz_write(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(fuzz_path(name), "wb");

    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
}

static inline void fuzz_end(void)
{
    static const char *const names[] = {"config.json",
                                        "generation_config.json",
                                        "model.safetensors",
                                        "model.safetensors.index.json",
                                        "m.gguf",
                                        "m.bin"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unlink(fuzz_path(names[i]));
    }
    (void)rmdir(fuzz_folder);
}

static inline void fuzz_check_refusal(const struct dyno_error *error)
{
    assert(error->status != DYNO_OK);
    assert(error->text[0] != '\0' && !strchr(error->text, '\n'));
}

/* Every byte of a matrix can be read. */
static inline void fuzz_check_matrix(const struct dyno_matrix *matrix)
{
    size_t bytes =
        matrix->data ? matrix->rows * dyno_row_bytes(matrix->element, matrix->columns) : 0;
    const uint8_t *data = matrix->data;
    volatile uint8_t all = 0;

    for (size_t i = 0; i < bytes; i++) {
        all = (uint8_t)(all | data[i]);
    }
}

static inline void fuzz_check_vector(const float *values, uint32_t count)
{
    for (uint32_t i = 0; values && i < count; i++) {
        assert(isfinite(values[i]));
    }
}

static inline void fuzz_check_layer(const struct dyno_model *model,
                                    const struct dyno_layer_weights *layer)
{
    fuzz_check_matrix(&layer->query);
    fuzz_check_matrix(&layer->key);
    fuzz_check_matrix(&layer->value);
    fuzz_check_matrix(&layer->output);
    fuzz_check_matrix(&layer->gate);
    fuzz_check_matrix(&layer->up);
    fuzz_check_matrix(&layer->down);
    fuzz_check_vector(layer->attention_norm, model->hidden);
    fuzz_check_vector(layer->mlp_norm_bias, model->hidden);
    fuzz_check_vector(layer->query_norm, model->head_dim);
    for (uint32_t i = 0; layer->router.data && i < model->experts; i++) {
        fuzz_check_matrix(&layer->expert_gate[i]);
        fuzz_check_matrix(&layer->expert_down[i]);
    }
}

/* Open the model at `path`: weights whose every part can be read, or a refusal of one sentence. */
static inline void fuzz_open_weights(const char *path)
{
    struct dyno_weights *weights = NULL;
    struct dyno_error error;

    if (dyno_weights_open(&weights, path, &error) != DYNO_OK) {
        assert(!weights);
        fuzz_check_refusal(&error);
        return;
    }
    fuzz_check_matrix(&weights->embedding);
    fuzz_check_matrix(&weights->logits);
    fuzz_check_matrix(&weights->positions);
    fuzz_check_vector(weights->final_norm, weights->model.hidden);
    for (uint32_t i = 0; i < weights->model.layers; i++) {
        fuzz_check_layer(&weights->model, &weights->layers[i]);
    }
    for (uint32_t i = 0; i < weights->eos_count; i++) {
        assert(weights->eos[i] < weights->model.vocab);
    }
    dyno_weights_close(weights);
}

/* The same for a tokenizer, which must then be one that opens or is refused. */
static inline void fuzz_open_tokenizer(const char *path)
{
    const struct dyno_tokenizer_file *file = NULL;
    struct dyno_tokenizer *tokenizer = NULL;
    struct dyno_error error;

    if (dyno_tokenizer_file_open(&file, path, &error) != DYNO_OK) {
        fuzz_check_refusal(&error);
        return;
    }
    if (dyno_tokenizer_open(&tokenizer, &file->vocabulary, &error) != DYNO_OK) {
        fuzz_check_refusal(&error);
    }
    dyno_tokenizer_close(tokenizer);
    dyno_tokenizer_file_close(file);
}

/* A Llama of one layer: hidden 8, one head of 8, MLP 8, 16 tokens; tied. */
#define FUZZ_CONFIG                                                                                \
    "{\"model_type\": \"llama\", \"num_hidden_layers\": 1, \"hidden_size\": 8,"                    \
    "\"num_attention_heads\": 1, \"vocab_size\": 16, \"max_position_embeddings\": 32,"             \
    "\"intermediate_size\": 8, \"tie_word_embeddings\": true, \"eos_token_id\": [2, 3],"           \
    "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2.0, \"beta_fast\": 32}}"

#endif
