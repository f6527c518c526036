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

#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "backends/assets/weights.h"

enum { FUZZ_FILES_MAX = 8 };

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

/* What was written, to be removed. */
static char fuzz_names[FUZZ_FILES_MAX][64];
static size_t fuzz_name_count;

/* `data`, and `zeros` bytes of nothing behind it. */
static inline void fuzz_write_padded(const char *name, const void *data, size_t size, size_t zeros)
{
    FILE *file = fopen(fuzz_path(name), "wb");

    assert(fuzz_name_count < FUZZ_FILES_MAX);
    (void)snprintf(fuzz_names[fuzz_name_count++], sizeof fuzz_names[0], "%s", name);
    if (!file || fwrite(data, 1, size, file) != size || fflush(file) != 0 ||
        ftruncate(fileno(file), (off_t)(size + zeros)) != 0 || fclose(file) != 0) {
        abort();
    }
}

static inline void fuzz_write(const char *name, const void *data, size_t size)
{
    fuzz_write_padded(name, data, size, 0);
}

static inline void fuzz_end(void)
{
    while (fuzz_name_count > 0) {
        (void)unlink(fuzz_path(fuzz_names[--fuzz_name_count]));
    }
    (void)rmdir(fuzz_folder);
}

/* An input that is several files has a NUL between them, which no text has: the bytes up to the
 * next one, or to the end.  Returns where they begin. */
static inline const uint8_t *fuzz_part(const uint8_t **data, size_t *size, size_t *part_size)
{
    const uint8_t *part = *data, *end = *size > 0 ? memchr(part, '\0', *size) : NULL;

    *part_size = end ? (size_t)(end - part) : *size;
    *data += *part_size + (end != NULL);
    *size -= *part_size + (end != NULL);
    return part;
}

/* The same, written as a file; nothing is written where there are no bytes.  Returns how many there
 * were. */
static inline size_t fuzz_write_part(const uint8_t **data, size_t *size, const char *name)
{
    size_t part_size;
    const uint8_t *part = fuzz_part(data, size, &part_size);

    if (part_size > 0) {
        fuzz_write(name, part, part_size);
    }
    return part_size;
}

/* How many models and tokenizers were opened so far, and why the last one was not. */
static size_t fuzz_opened_count;
static struct dyno_error fuzz_refusal;

static inline void fuzz_check_refusal(const struct dyno_error *error)
{
    assert(error->status != DYNO_OK);
    assert(error->text[0] != '\0' && !strchr(error->text, '\n'));
    fuzz_refusal = *error;
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
    fuzz_opened_count++;
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

/* Text becomes tokens of the vocabulary, and these become text. */
static inline void fuzz_use_tokenizer(const struct dyno_tokenizer *tokenizer)
{
    static const char text[] = "the <s> a\xCC\x81\xE2\x96\x81 12\n\n \xFF x<|end|>";
    const struct dyno_encode_options options = {.control = true, .around = true};
    struct dyno_encoder *encoder;
    struct dyno_token_ids ids;
    struct dyno_error error;
    size_t size;
    char *back;
    dyno_status status = dyno_encoder_open(&encoder, tokenizer, &error);

    assert(status == DYNO_OK);
    status = dyno_encode(encoder, text, sizeof text - 1, options, &ids, &error);
    assert(status == DYNO_OK || status == DYNO_FULL);
    for (size_t i = 0; status == DYNO_OK && i < ids.count; i++) {
        assert(ids.ids[i] < dyno_tokenizer_count(tokenizer));
    }
    if (status == DYNO_OK) {
        status = dyno_decode(tokenizer, ids.ids, ids.count, true, &back, &size, &error);
        assert(status == DYNO_OK);
        free(back);
    }
    dyno_encoder_close(encoder);
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
    if (dyno_tokenizer_file_tokenizer(&tokenizer, file, 0, &error) == DYNO_OK) {
        fuzz_opened_count++;
        fuzz_use_tokenizer(tokenizer);
    } else {
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
