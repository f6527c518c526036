/* llama2.c's .bin: seven 32-bit numbers, then matrices of 32-bit floats in a fixed order; and its
 * version 2, whose matrices are 8-bit numbers, each group of which has a factor.  These become
 * floats.
 *
 * Layout: https://github.com/karpathy/llama2.c, export.py (legacy_export, version2_export), run.c
 * and runq.c (memory_map_weights).  Matrices of one kind lie together, layer after layer.  Behind
 * the weights are two tables of rotary factors that nobody reads any more.  Pairs are adjacent,
 * theta is 10,000 and the norms' epsilon 1e-5, which the file does not say. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/weights_parts.h"
#include "backends/host/allowance.h"
#include "core/base/words.h"

enum { HEAD_BYTES = 28, BOS = 1, EOS = 2, NAME_MAX = 96 };

/* Of version 2: magic, version, the seven numbers, whether logits are tied, elements of a group;
 * zeros up to 256 bytes. */
enum { INT8_HEAD_BYTES = 256, INT8_NUMBERS = 8, INT8_TIED = 36, INT8_GROUP = 37, INT8_VERSION = 2 };

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

/* A negative vocabulary: logits are not tied.  The first seven as in the file. */
struct head {
    int32_t hidden, intermediate, layers, heads, kv_heads, vocab, context;
    int32_t group; /* 0: matrices are floats */
};

struct reader {
    struct dyno_opening *opening;
    const struct dyno_mapping *file;
    uint64_t at;
    uint32_t group; /* as in the head */
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

static dyno_status refuse_end(const struct reader *reader, const char *name, uint64_t bytes)
{
    char path[DYNO_QUOTE_MAX];

    return dyno_fail(reader->error, DYNO_BAD_INPUT,
                     "%s: a llama2.c model of these shapes needs more than the file's %" PRIu64
                     " bytes: \"%s\" would end at %" PRIu64,
                     dyno_quote(path, reader->file->path), reader->file->size, name,
                     reader->at + bytes);
}

/* The next rows * columns 8-bit numbers, then a float for every group of them, as floats. */
static dyno_status take_groups(struct reader *reader, const char *name, uint64_t rows,
                               uint64_t columns)
{
    uint64_t count = rows * columns, bytes = count + count / reader->group * sizeof(float);
    const uint8_t *numbers = reader->file->data + reader->at, *factors = numbers + count;
    struct dyno_tensor tensor = {.type = "F32",
                                 .element = DYNO_ELEMENT_F32,
                                 .rank = 2,
                                 .shape = {rows, columns},
                                 .file = reader->file,
                                 .bytes = count * sizeof(float)};
    char path[DYNO_QUOTE_MAX];
    float *values, factor;

    if (count % reader->group != 0) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT,
                         "%s: \"%s\" of %" PRIu64 " elements is no whole number of groups of "
                         "%" PRIu32,
                         dyno_quote(path, reader->file->path), name, count, reader->group);
    }
    if (bytes > reader->file->size - reader->at) {
        return refuse_end(reader, name, bytes);
    }
    values = dyno_memory_take(&reader->opening->tensors.memory, (size_t)count, sizeof(*values));
    if (!values) {
        return dyno_fail(reader->error, DYNO_NO_MEMORY, "no memory for the weights of a model");
    }
    for (uint64_t i = 0; i < count; i++) {
        memcpy(&factor, factors + i / reader->group * sizeof(factor), sizeof(factor));
        values[i] = (float)(int8_t)numbers[i] * factor;
    }
    tensor.data = (const uint8_t *)values;
    reader->at += bytes;
    return dyno_tensors_add(&reader->opening->tensors, &tensor, name, strlen(name), reader->error);
}

/* The next rows * columns elements; columns 0: a vector, always of floats. */
static dyno_status take(struct reader *reader, const char *name, uint64_t rows, uint64_t columns)
{
    struct dyno_tensor tensor = {.type = "F32",
                                 .element = DYNO_ELEMENT_F32,
                                 .rank = columns ? 2 : 1,
                                 .shape = {rows, columns},
                                 .file = reader->file};

    if (columns && reader->group) {
        return take_groups(reader, name, rows, columns);
    }
    tensor.bytes = rows * (columns ? columns : 1) * sizeof(float);
    if (tensor.bytes > reader->file->size - reader->at) {
        return refuse_end(reader, name, tensor.bytes);
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

static dyno_status take_attention(struct reader *reader)
{
    const struct dyno_model *model = &reader->opening->weights.model;
    uint64_t queries = (uint64_t)model->heads * model->head_dim;
    uint64_t keys = (uint64_t)model->kv_heads * model->head_dim;

    DYNO_TRY(take_of_layers(reader, "query", queries, model->hidden));
    DYNO_TRY(take_of_layers(reader, "key", keys, model->hidden));
    DYNO_TRY(take_of_layers(reader, "value", keys, model->hidden));
    return take_of_layers(reader, "output", model->hidden, queries);
}

static dyno_status take_mlp(struct reader *reader)
{
    const struct dyno_model *model = &reader->opening->weights.model;

    DYNO_TRY(take_of_layers(reader, "gate", model->intermediate, model->hidden));
    DYNO_TRY(take_of_layers(reader, "down", model->hidden, model->intermediate));
    return take_of_layers(reader, "up", model->intermediate, model->hidden);
}

static dyno_status skip_rotary(struct reader *reader)
{
    const struct dyno_model *model = &reader->opening->weights.model;
    uint64_t bytes = 2 * (uint64_t)model->context_max * (model->head_dim / 2) * sizeof(float);
    char path[DYNO_QUOTE_MAX];

    if (bytes > reader->file->size - reader->at) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s is cut short within its rotary tables",
                         dyno_quote(path, reader->file->path));
    }
    reader->at += bytes;
    return DYNO_OK;
}

/* Version 2 has the norms first and no rotary tables. */
static dyno_status take_all(struct reader *reader)
{
    const struct dyno_model *model = &reader->opening->weights.model;
    bool norms_first = reader->group != 0;

    if (norms_first) {
        DYNO_TRY(take_of_layers(reader, "attention_norm", model->hidden, 0));
        DYNO_TRY(take_of_layers(reader, "mlp_norm", model->hidden, 0));
        DYNO_TRY(take(reader, "final_norm.weight", model->hidden, 0));
    }
    DYNO_TRY(take(reader, "embedding.weight", model->vocab, model->hidden));
    if (!norms_first) {
        DYNO_TRY(take_of_layers(reader, "attention_norm", model->hidden, 0));
    }
    DYNO_TRY(take_attention(reader));
    if (!norms_first) {
        DYNO_TRY(take_of_layers(reader, "mlp_norm", model->hidden, 0));
    }
    DYNO_TRY(take_mlp(reader));
    if (!norms_first) {
        DYNO_TRY(take(reader, "final_norm.weight", model->hidden, 0));
        DYNO_TRY(skip_rotary(reader));
    }
    return model->tied_embeddings ? DYNO_OK
                                  : take(reader, "logits.weight", model->vocab, model->hidden);
}

static dyno_status check_end(const struct reader *reader)
{
    char path[DYNO_QUOTE_MAX];

    if (reader->at == reader->file->size) {
        return DYNO_OK;
    }
    return dyno_fail(reader->error, DYNO_BAD_INPUT,
                     "%s: a llama2.c model of these shapes ends at byte %" PRIu64
                     " of a file of %" PRIu64,
                     dyno_quote(path, reader->file->path), reader->at, reader->file->size);
}

static dyno_status read_int8_head(const struct dyno_mapping *file, struct head *out,
                                  struct dyno_error *error)
{
    char path[DYNO_QUOTE_MAX];
    uint32_t version = 0;

    if (file->size >= INT8_HEAD_BYTES) {
        memcpy(&version, file->data + sizeof(uint32_t), sizeof(version));
    }
    if (version != INT8_VERSION) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "%s is a llama2.c file of another version; the first, of 32-bit floats, "
                         "and version 2, of int8, can be read",
                         dyno_quote(path, file->path));
    }
    memcpy(out, file->data + INT8_NUMBERS, HEAD_BYTES);
    memcpy(&out->group, file->data + INT8_GROUP, sizeof(out->group));
    if (out->group < 1 || out->vocab < 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: its group_size is %" PRId32 " and its vocab_size %" PRId32
                         "; both must be above 0",
                         dyno_quote(path, file->path), out->group, out->vocab);
    }
    out->vocab = file->data[INT8_TIED] ? out->vocab : -out->vocab;
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
        DYNO_TRY(read_int8_head(file, out, error));
    } else {
        memcpy(out, file->data, HEAD_BYTES);
    }
    return check_head(file, out, error);
}

dyno_status dyno_weights_read_llama2c(struct dyno_opening *opening, struct dyno_error *error)
{
    struct reader reader = {.opening = opening, .error = error};
    struct dyno_weights *weights = &opening->weights;
    struct head head = {0};

    DYNO_TRY(dyno_tensors_map(&opening->tensors, opening->path, &reader.file, error));
    DYNO_TRY(read_head(reader.file, &head, error));
    reader.group = (uint32_t)head.group;
    reader.at = head.group ? INT8_HEAD_BYTES : HEAD_BYTES;
    fill_model(weights, &head, opening->path);
    DYNO_TRY(dyno_weights_check_shapes(opening, error));
    if (reader.group) { /* of each byte a float is made */
        DYNO_TRY(dyno_memory_check(opening->path, reader.file->size * sizeof(float),
                                   dyno_allowed_memory_bytes(), error));
    }
    DYNO_TRY(take_all(&reader));
    DYNO_TRY(check_end(&reader));
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
