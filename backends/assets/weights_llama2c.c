/* llama2.c's .bin: seven 32-bit numbers, then matrices of 32-bit floats in a fixed order.
 *
 * Layout: https://github.com/karpathy/llama2.c, export.py (legacy_export) and run.c
 * (memory_map_weights).  Matrices of one kind lie together, layer after layer.  Behind the weights
 * are two tables of rotary factors that nobody reads any more.  Pairs are adjacent, theta is 10,000
 * and the norms' epsilon 1e-5, which the file does not say. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/weights_parts.h"
#include "core/base/words.h"

enum { HEAD_BYTES = 28, BOS = 1, EOS = 2, NAME_MAX = 96 };

static const uint32_t magic_of_later_versions = 0x616b3432; /* "ak42" */

static const struct dyno_tensor_names names = {
    .prefix = "",
    .embedding = "embedding",
    .final_norm = "final_norm",
    .logits = "logits",
    .layers = "layer.",
    .attention_norm = "attention_norm",
    .query = "query",
    .key = "key",
    .value = "value",
    .output = "output",
    .mlp_norm = "mlp_norm",
    .gate = "gate",
    .up = "up",
    .down = "down",
};

struct head {
    int32_t hidden, intermediate, layers, heads, kv_heads, vocab, context;
};

struct reader {
    struct dyno_opening *opening;
    const struct dyno_mapping *file;
    uint64_t at;
    struct dyno_error *error;
};

static dyno_status check_head(const struct dyno_mapping *file, const struct head *head,
                              struct dyno_error *error)
{
    const struct {
        const char *name;
        int64_t value, max;
    } bounds[] = {
        {"dim", head->hidden, 1 << 20},
        {"hidden_dim", head->intermediate, 1 << 20},
        {"n_layers", head->layers, 4096},
        {"n_heads", head->heads, 8192},
        {"n_kv_heads", head->kv_heads, head->heads},
        {"vocab_size", head->vocab < 0 ? -(int64_t)head->vocab : head->vocab, 1 << 24},
        {"seq_len", head->context, 1 << 30},
    };
    char path[DYNO_QUOTE_MAX];

    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        if (bounds[i].value < 1 || bounds[i].value > bounds[i].max) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s: read as a llama2.c model, its %s is %" PRId64
                             ", which is not from 1 to %" PRId64
                             "; a model is a folder, a .gguf file or a llama2.c .bin file",
                             dyno_quote(path, file->path), bounds[i].name, bounds[i].value,
                             bounds[i].max);
        }
    }
    assert(head->heads > 0);
    if (head->hidden % head->heads != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: n_heads %" PRId32 " does not divide dim %" PRId32,
                         dyno_quote(path, file->path), head->heads, head->hidden);
    }
    return DYNO_OK;
}

static void fill_model(struct dyno_weights *weights, const struct head *head, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct dyno_model *model = &weights->model;

    (void)snprintf(model->name, sizeof(model->name), "%s", slash ? slash + 1 : path);
    if (!model->name[0] || !dyno_text_is_clean(model->name)) {
        (void)snprintf(model->name, sizeof(model->name), "llama2.c");
    }
    model->source = "the user's llama2.c file";
    model->gated_mlp = true;
    model->tied_embeddings = head->vocab > 0;
    model->layers = model->dense_layers = (uint32_t)head->layers;
    model->hidden = (uint32_t)head->hidden;
    model->heads = (uint32_t)head->heads;
    assert(model->heads > 0);
    model->kv_heads = (uint32_t)head->kv_heads;
    model->head_dim = model->hidden / model->heads;
    model->vocab = (uint32_t)(head->vocab < 0 ? -head->vocab : head->vocab);
    model->context_max = (uint32_t)head->context;
    model->intermediate = (uint32_t)head->intermediate;
    weights->activation = DYNO_ACTIVATION_SILU;
    weights->norm_epsilon = 1e-5;
    weights->rope.pairs = DYNO_ROPE_ADJACENT;
    weights->rope.theta = 10000;
}

/* The next rows * columns floats; columns 0: a vector. */
static dyno_status take(struct reader *reader, const char *name, uint64_t rows, uint64_t columns)
{
    struct dyno_tensor tensor = {.type = "F32",
                                 .element = DYNO_ELEMENT_F32,
                                 .rank = columns ? 2 : 1,
                                 .shape = {rows, columns},
                                 .file = reader->file};
    char path[DYNO_QUOTE_MAX];

    tensor.bytes = rows * (columns ? columns : 1) * sizeof(float);
    if (tensor.bytes > reader->file->size - reader->at) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT,
                         "%s: a llama2.c model of these shapes needs more than the file's %" PRIu64
                         " bytes: \"%s\" would end at %" PRIu64,
                         dyno_quote(path, reader->file->path), reader->file->size, name,
                         reader->at + tensor.bytes);
    }
    tensor.data = reader->file->data + reader->at;
    reader->at += tensor.bytes;
    return dyno_tensors_add(&reader->opening->tensors, &tensor, name, strlen(name), reader->error);
}

static dyno_status take_of_layers(struct reader *reader, const char *part, uint64_t rows,
                                  uint64_t columns)
{
    char name[NAME_MAX];

    for (uint32_t layer = 0; layer < reader->opening->weights.model.layers; layer++) {
        (void)snprintf(name, sizeof(name), "layer.%" PRIu32 ".%s.weight", layer, part);
        DYNO_TRY(take(reader, name, rows, columns));
    }
    return DYNO_OK;
}

static dyno_status take_all(struct reader *reader)
{
    const struct dyno_model *model = &reader->opening->weights.model;
    uint64_t hidden = model->hidden, width = model->intermediate;
    uint64_t queries = (uint64_t)model->heads * model->head_dim;
    uint64_t keys = (uint64_t)model->kv_heads * model->head_dim;
    uint64_t rotary = (uint64_t)model->context_max * (model->head_dim / 2) * sizeof(float);
    char path[DYNO_QUOTE_MAX];

    DYNO_TRY(take(reader, "embedding.weight", model->vocab, hidden));
    DYNO_TRY(take_of_layers(reader, "attention_norm", hidden, 0));
    DYNO_TRY(take_of_layers(reader, "query", queries, hidden));
    DYNO_TRY(take_of_layers(reader, "key", keys, hidden));
    DYNO_TRY(take_of_layers(reader, "value", keys, hidden));
    DYNO_TRY(take_of_layers(reader, "output", hidden, queries));
    DYNO_TRY(take_of_layers(reader, "mlp_norm", hidden, 0));
    DYNO_TRY(take_of_layers(reader, "gate", width, hidden));
    DYNO_TRY(take_of_layers(reader, "down", hidden, width));
    DYNO_TRY(take_of_layers(reader, "up", width, hidden));
    DYNO_TRY(take(reader, "final_norm.weight", hidden, 0));
    if (2 * rotary > reader->file->size - reader->at) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s is cut short within its rotary tables",
                         dyno_quote(path, reader->file->path));
    }
    reader->at += 2 * rotary;
    if (!model->tied_embeddings) {
        DYNO_TRY(take(reader, "logits.weight", model->vocab, hidden));
    }
    if (reader->at != reader->file->size) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT,
                         "%s: a llama2.c model of these shapes ends at byte %" PRIu64
                         " of a file of %" PRIu64,
                         dyno_quote(path, reader->file->path), reader->at, reader->file->size);
    }
    return DYNO_OK;
}

static dyno_status read_head(const struct dyno_mapping *file, struct head *out,
                             struct dyno_error *error)
{
    char path[DYNO_QUOTE_MAX];
    uint32_t begin;

    if (file->size < HEAD_BYTES) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is too short to be a model; a model is a folder, a .gguf file or a "
                         "llama2.c .bin file",
                         dyno_quote(path, file->path));
    }
    memcpy(&begin, file->data, sizeof(begin));
    if (begin == magic_of_later_versions) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "%s is a llama2.c file of a later version (int8, or with a magic "
                         "number); the first version, of 32-bit floats, can be read",
                         dyno_quote(path, file->path));
    }
    memcpy(out, file->data, sizeof(*out));
    return check_head(file, out, error);
}

dyno_status dyno_weights_read_llama2c(struct dyno_opening *opening, struct dyno_error *error)
{
    struct reader reader = {.opening = opening, .at = HEAD_BYTES, .error = error};
    struct dyno_weights *weights = &opening->weights;
    struct head head = {0};

    DYNO_TRY(dyno_tensors_map(&opening->tensors, opening->path, &reader.file, error));
    DYNO_TRY(read_head(reader.file, &head, error));
    fill_model(weights, &head, opening->path);
    DYNO_TRY(dyno_weights_check_shapes(opening, error));
    DYNO_TRY(take_all(&reader));
    DYNO_TRY(dyno_tensors_seal(&opening->tensors, error));
    DYNO_TRY(dyno_weights_bind(opening, &names, error));
    if (weights->model.vocab > EOS) {
        /* run.c stops at the token that begins the next text. */
        weights->bos = BOS;
        DYNO_TRY(dyno_weights_add_eos(weights, opening->path, BOS, error));
        DYNO_TRY(dyno_weights_add_eos(weights, opening->path, EOS, error));
    }
    return DYNO_OK;
}
