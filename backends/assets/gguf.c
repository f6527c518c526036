/* One pass over the file checks that every length stays within it; later look-ups need not. */
#include "backends/assets/gguf.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/words.h"

enum {
    ALIGNMENT = 32, /* where general.alignment is absent */
    ALIGNMENT_MAX = 1 << 20,
    KEY_BYTES_MAX = 65535,
    NAME_BYTES_MAX = 64,
    VALUE_BYTES_MIN = 8 + 4 + 1, /* a key of no letters, its type, one byte */
    TENSOR_BYTES_MIN = 8 + 4 + 4 + 8,
};

static const char magic[4] = {'G', 'G', 'U', 'F'};

static const uint8_t type_bytes[DYNO_GGUF_TYPES] = {
    [DYNO_GGUF_U8] = 1,  [DYNO_GGUF_I8] = 1,  [DYNO_GGUF_U16] = 2, [DYNO_GGUF_I16] = 2,
    [DYNO_GGUF_U32] = 4, [DYNO_GGUF_I32] = 4, [DYNO_GGUF_F32] = 4, [DYNO_GGUF_BOOL] = 1,
    [DYNO_GGUF_U64] = 8, [DYNO_GGUF_I64] = 8, [DYNO_GGUF_F64] = 8,
};

/* Numbers of ggml's tensor types: those that are computed with, and the names of others. */
static const struct tensor_type {
    uint32_t number;
    const char *name;
    enum dyno_element element;
} tensor_types[] = {
    {0, "F32", DYNO_ELEMENT_F32},    {1, "F16", DYNO_ELEMENT_F16}, {8, "Q8_0", DYNO_ELEMENT_Q8_0},
    {30, "BF16", DYNO_ELEMENT_BF16}, {2, "Q4_0", DYNO_ELEMENTS},   {3, "Q4_1", DYNO_ELEMENTS},
    {6, "Q5_0", DYNO_ELEMENTS},      {7, "Q5_1", DYNO_ELEMENTS},   {10, "Q2_K", DYNO_ELEMENTS},
    {11, "Q3_K", DYNO_ELEMENTS},     {12, "Q4_K", DYNO_ELEMENTS},  {13, "Q5_K", DYNO_ELEMENTS},
    {14, "Q6_K", DYNO_ELEMENTS},     {24, "I8", DYNO_ELEMENTS},    {25, "I16", DYNO_ELEMENTS},
    {26, "I32", DYNO_ELEMENTS},      {27, "I64", DYNO_ELEMENTS},   {28, "F64", DYNO_ELEMENTS},
    {39, "MXFP4", DYNO_ELEMENTS},
};

/* The file from `at` on. */
struct reader {
    const struct dyno_mapping *file;
    const uint8_t *at, *end;
    struct dyno_error *error;
};

static uint64_t place_of(const struct reader *reader)
{
    return (uint64_t)(reader->at - reader->file->data);
}

static dyno_status refuse(const struct reader *reader, const char *what)
{
    char path[DYNO_QUOTE_MAX];

    return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s, byte %" PRIu64 ": %s",
                     dyno_quote(path, reader->file->path), place_of(reader), what);
}

static dyno_status take(struct reader *reader, void *out, size_t size)
{
    if ((size_t)(reader->end - reader->at) < size) {
        return refuse(reader, "the file ends within its metadata; is it cut short?");
    }
    memcpy(out, reader->at, size);
    reader->at += size;
    return DYNO_OK;
}

static dyno_status take_text(struct reader *reader, struct dyno_gguf_text *out)
{
    uint64_t size = 0;

    DYNO_TRY(take(reader, &size, sizeof(size)));
    if (size > (uint64_t)(reader->end - reader->at)) {
        return refuse(reader, "a string is longer than the rest of the file");
    }
    *out = (struct dyno_gguf_text){(const char *)reader->at, size};
    reader->at += size;
    return DYNO_OK;
}

static dyno_status take_type(struct reader *reader, enum dyno_gguf_type *out)
{
    uint32_t type = 0;

    DYNO_TRY(take(reader, &type, sizeof(type)));
    if (type >= DYNO_GGUF_TYPES) {
        return refuse(reader, "a metadata type that GGUF does not have; they go from 0 to 12");
    }
    *out = (enum dyno_gguf_type)type;
    return DYNO_OK;
}

static dyno_status skip_items(struct reader *reader, enum dyno_gguf_type type, uint64_t count)
{
    struct dyno_gguf_text text = {0};

    if (type == DYNO_GGUF_STRING) {
        for (uint64_t i = 0; i < count; i++) {
            DYNO_TRY(take_text(reader, &text));
        }
        return DYNO_OK;
    }
    if (count > (uint64_t)(reader->end - reader->at) / type_bytes[type]) {
        return refuse(reader, "an array is longer than the rest of the file");
    }
    reader->at += count * type_bytes[type];
    return DYNO_OK;
}

static dyno_status take_value(struct reader *reader, struct dyno_gguf_value *out)
{
    DYNO_TRY(take_text(reader, &out->key));
    if (out->key.size == 0 || out->key.size > KEY_BYTES_MAX) {
        return refuse(reader, "a metadata key must have 1 to 65535 bytes");
    }
    DYNO_TRY(take_type(reader, &out->type));
    out->count = 1;
    if (out->type == DYNO_GGUF_ARRAY) {
        out->is_array = true;
        DYNO_TRY(take_type(reader, &out->type));
        DYNO_TRY(take(reader, &out->count, sizeof(out->count)));
    }
    if (out->type == DYNO_GGUF_ARRAY) {
        return refuse(reader, "an array of arrays; no key of a language model has one");
    }
    out->data = reader->at;
    return skip_items(reader, out->type, out->count);
}

static int compare_texts(struct dyno_gguf_text a, struct dyno_gguf_text b)
{
    int order = memcmp(a.bytes, b.bytes, (size_t)(a.size < b.size ? a.size : b.size));

    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_values(const void *left, const void *right)
{
    const struct dyno_gguf_value *a = left, *b = right;

    return compare_texts(a->key, b->key);
}

static dyno_status take_values(struct reader *reader, uint64_t count, struct dyno_gguf *gguf,
                               struct dyno_memory_blocks *memory)
{
    struct dyno_gguf_value *values;

    if (count > (uint64_t)(reader->end - reader->at) / VALUE_BYTES_MIN) {
        return refuse(reader, "more metadata is announced than the file could hold");
    }
    values = dyno_memory_take(memory, (size_t)count, sizeof(*values));
    if (!values) {
        return dyno_fail(reader->error, DYNO_NO_MEMORY, "no memory for the metadata of a model");
    }
    for (uint64_t i = 0; i < count; i++) {
        DYNO_TRY(take_value(reader, &values[i]));
    }
    if (count > 1) {
        qsort(values, (size_t)count, sizeof(*values), compare_values);
    }
    for (uint64_t i = 1; i < count; i++) {
        if (compare_values(&values[i - 1], &values[i]) == 0) {
            return refuse(reader, "a metadata key is there twice; each may be used once");
        }
    }
    gguf->values = values;
    gguf->value_count = (size_t)count;
    return DYNO_OK;
}

static dyno_status take_tensor_type(struct reader *reader, const char *name,
                                    struct dyno_tensor *tensor)
{
    const struct tensor_type *found = NULL;
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX];
    uint32_t number = 0;

    DYNO_TRY(take(reader, &number, sizeof(number)));
    for (size_t i = 0; i < sizeof tensor_types / sizeof tensor_types[0]; i++) {
        if (tensor_types[i].number == number) {
            found = &tensor_types[i];
        }
    }
    if (!found || found->element == DYNO_ELEMENTS) {
        return dyno_fail(reader->error, DYNO_UNSUPPORTED,
                         "%s: tensor %s is of type %s (number %" PRIu32
                         "); F32, F16, BF16 and Q8_0 can be computed with",
                         dyno_quote(path, reader->file->path), dyno_quote(quoted, name),
                         found ? found->name : "unknown", number);
    }
    tensor->element = found->element;
    tensor->type = found->name;
    return DYNO_OK;
}

/* Where the tensor lies is known once the alignment and the end of the list are; until then `data`
 * is the offset from there. */
static dyno_status take_tensor(struct reader *reader, struct dyno_tensors *tensors)
{
    struct dyno_tensor tensor = {.file = reader->file};
    char name[NAME_BYTES_MAX + 1] = "";
    struct dyno_gguf_text text = {0};
    uint64_t offset = 0;

    DYNO_TRY(take_text(reader, &text));
    if (text.size == 0 || text.size > NAME_BYTES_MAX || memchr(text.bytes, 0, (size_t)text.size)) {
        return refuse(reader, "a tensor's name must have 1 to 64 bytes, none of them zero");
    }
    memcpy(name, text.bytes, (size_t)text.size);
    DYNO_TRY(take(reader, &tensor.rank, sizeof(tensor.rank)));
    if (tensor.rank == 0 || tensor.rank > DYNO_TENSOR_RANK_MAX) {
        return refuse(reader, "a tensor must have 1 to 4 dimensions");
    }
    for (uint32_t i = tensor.rank; i-- > 0;) {
        DYNO_TRY(take(reader, &tensor.shape[i], sizeof(tensor.shape[i])));
    }
    DYNO_TRY(take_tensor_type(reader, name, &tensor));
    DYNO_TRY(take(reader, &offset, sizeof(offset)));
    if (!dyno_tensor_bytes(tensor.element, tensor.shape, tensor.rank, &tensor.bytes)) {
        return refuse(reader, "a tensor's shape overflows, or its rows are not whole blocks");
    }
    if (offset > reader->file->size || tensor.bytes > reader->file->size - offset) {
        return refuse(reader, "a tensor lies beyond the end of the file; is it cut short?");
    }
    tensor.data = reader->file->data + offset;
    return dyno_tensors_add(tensors, &tensor, name, (size_t)text.size, reader->error);
}

static dyno_status place_tensors(struct reader *reader, struct dyno_tensors *tensors, size_t first,
                                 uint32_t alignment)
{
    uint64_t past = place_of(reader) % alignment;
    uint64_t begin = place_of(reader) + (past ? alignment - past : 0);
    const uint8_t *end;

    for (size_t i = first; i < tensors->count; i++) {
        struct dyno_tensor *tensor = &tensors->items[i];
        uint64_t offset = (uint64_t)(tensor->data - reader->file->data);
        char path[DYNO_QUOTE_MAX], name[DYNO_QUOTE_MAX];

        if (begin > reader->file->size || offset + tensor->bytes > reader->file->size - begin) {
            return dyno_fail(reader->error, DYNO_BAD_INPUT,
                             "%s: tensor %s lies beyond the end of the file; is it cut short?",
                             dyno_quote(path, reader->file->path), dyno_quote(name, tensor->name));
        }
        tensor->data += begin;
    }
    if (first == tensors->count) {
        return DYNO_OK;
    }
    return dyno_tensors_check_layout(tensors, first, reader->file->data + begin, alignment, &end,
                                     reader->error);
}

static dyno_status take_head(struct reader *reader, uint64_t *tensor_count, uint64_t *value_count)
{
    char path[DYNO_QUOTE_MAX], begin[sizeof magic];
    uint32_t version = 0;

    DYNO_TRY(take(reader, begin, sizeof(begin)));
    if (memcmp(begin, magic, sizeof(magic)) != 0) {
        return dyno_fail(reader->error, DYNO_BAD_INPUT, "%s does not begin with \"GGUF\"",
                         dyno_quote(path, reader->file->path));
    }
    DYNO_TRY(take(reader, &version, sizeof(version)));
    if (version != 2 && version != 3) {
        return dyno_fail(reader->error, DYNO_UNSUPPORTED,
                         "%s is GGUF of version %" PRIu32
                         "; versions 2 and 3, little-endian, can be read",
                         dyno_quote(path, reader->file->path), version);
    }
    DYNO_TRY(take(reader, tensor_count, sizeof(*tensor_count)));
    return take(reader, value_count, sizeof(*value_count));
}

static dyno_status read_alignment(const struct dyno_gguf *gguf, uint32_t *out,
                                  struct dyno_error *error)
{
    char path[DYNO_QUOTE_MAX];

    DYNO_TRY(dyno_gguf_u32(gguf, "general.alignment", 1, ALIGNMENT_MAX, ALIGNMENT, out, error));
    if ((*out & (*out - 1)) != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: \"general.alignment\" is %" PRIu32 ", which is not a power of two",
                         dyno_quote(path, gguf->file->path), *out);
    }
    return DYNO_OK;
}

dyno_status dyno_gguf_read(struct dyno_gguf *out, struct dyno_tensors *tensors, const char *path,
                           struct dyno_error *error)
{
    struct reader reader = {.error = error};
    struct dyno_gguf gguf = {0};
    uint64_t tensor_count = 0, value_count = 0;
    size_t first = tensors->count;
    uint32_t alignment;

    DYNO_TRY(dyno_tensors_map(tensors, path, &gguf.file, error));
    reader.file = gguf.file;
    reader.at = gguf.file->data;
    reader.end = gguf.file->data + gguf.file->size;
    DYNO_TRY(take_head(&reader, &tensor_count, &value_count));
    DYNO_TRY(take_values(&reader, value_count, &gguf, &tensors->memory));
    if (tensor_count > (uint64_t)(reader.end - reader.at) / TENSOR_BYTES_MIN) {
        return refuse(&reader, "more tensors are announced than the file could hold");
    }
    for (uint64_t i = 0; i < tensor_count; i++) {
        DYNO_TRY(take_tensor(&reader, tensors));
    }
    DYNO_TRY(read_alignment(&gguf, &alignment, error));
    DYNO_TRY(place_tensors(&reader, tensors, first, alignment));
    *out = gguf;
    return DYNO_OK;
}

bool dyno_gguf_is(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char begin[sizeof magic] = "";
    ssize_t got;

    if (descriptor < 0) {
        return false;
    }
    got = read(descriptor, begin, sizeof(begin));
    (void)close(descriptor);
    return got == (ssize_t)sizeof(begin) && memcmp(begin, magic, sizeof(magic)) == 0;
}

const struct dyno_gguf_value *dyno_gguf_find(const struct dyno_gguf *gguf, const char *key)
{
    const struct dyno_gguf_value wanted = {.key = {key, strlen(key)}};

    if (gguf->value_count == 0) {
        return NULL;
    }
    return bsearch(&wanted, gguf->values, gguf->value_count, sizeof(*gguf->values), compare_values);
}
