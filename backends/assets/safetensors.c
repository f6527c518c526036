/* The header is JSON of {name: {dtype, shape, data_offsets: [begin, end]}}, offsets counted from
 * the header's end.  The tensors must fill the rest of the file exactly, without holes. */
#include "backends/assets/safetensors.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "backends/assets/json_weight.h"
#include "backends/host/allowance.h"
#include "core/base/words.h"

/* As in the reference implementation. */
enum { HEADER_BYTES_MAX = 100 * 1000 * 1000, LENGTH_BYTES = 8 };

static const struct dtype {
    const char *name;
    enum dyno_element element;
    uint32_t bytes;
} dtypes[] = {
    {"F32", DYNO_ELEMENT_F32, 4}, {"F16", DYNO_ELEMENT_F16, 2},  {"BF16", DYNO_ELEMENT_BF16, 2},
    {"F64", DYNO_ELEMENTS, 8},    {"I64", DYNO_ELEMENTS, 8},     {"U64", DYNO_ELEMENTS, 8},
    {"I32", DYNO_ELEMENTS, 4},    {"U32", DYNO_ELEMENTS, 4},     {"I16", DYNO_ELEMENTS, 2},
    {"U16", DYNO_ELEMENTS, 2},    {"I8", DYNO_ELEMENTS, 1},      {"U8", DYNO_ELEMENTS, 1},
    {"BOOL", DYNO_ELEMENTS, 1},   {"F8_E4M3", DYNO_ELEMENTS, 1}, {"F8_E5M2", DYNO_ELEMENTS, 1},
};

enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

/* What is being read. */
struct header {
    struct dyno_tensors *tensors;
    const struct dyno_mapping *file;
    const uint8_t *data; /* [data_bytes], the tensors */
    uint64_t data_bytes;
    struct dyno_error *error;
};

static dyno_status refuse(const struct header *header, const char *name, const char *why)
{
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX];

    return dyno_fail(header->error, DYNO_BAD_INPUT, "%s: tensor %s: %s",
                     dyno_quote(path, header->file->path), dyno_quote(quoted, name), why);
}

static dyno_status read_dtype(const struct header *header, const char *name, const json_t *entry,
                              const struct dtype **out)
{
    const char *text = json_string_value(json_object_get(entry, "dtype"));
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX], typed[DYNO_QUOTE_MAX];

    for (size_t i = 0; text && i < DTYPES; i++) {
        if (strcmp(dtypes[i].name, text) == 0) {
            *out = &dtypes[i];
            return DYNO_OK;
        }
    }
    if (!text) {
        return refuse(header, name, "\"dtype\" must be a string such as \"BF16\"");
    }
    return dyno_fail(header->error, DYNO_UNSUPPORTED,
                     "%s: tensor %s is of dtype %s; F32, F16 and BF16 can be computed with",
                     dyno_quote(path, header->file->path), dyno_quote(quoted, name),
                     dyno_quote(typed, text));
}

static dyno_status read_shape(const struct header *header, const char *name, const json_t *entry,
                              struct dyno_tensor *tensor)
{
    const json_t *shape = json_object_get(entry, "shape");

    if (!json_is_array(shape) || json_array_size(shape) > DYNO_TENSOR_RANK_MAX) {
        return refuse(header, name, "\"shape\" must be an array of at most 4 whole numbers");
    }
    tensor->rank = (uint32_t)json_array_size(shape);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        const json_t *side = json_array_get(shape, i);

        if (!json_is_integer(side) || json_integer_value(side) < 0) {
            return refuse(header, name, "\"shape\" must hold whole numbers from 0 on");
        }
        tensor->shape[i] = (uint64_t)json_integer_value(side);
    }
    return DYNO_OK;
}

/* The product of the sides and the element's bytes; false where it leaves 64 bits. */
static bool bytes_of(const struct dyno_tensor *tensor, uint32_t element_bytes, uint64_t *out)
{
    uint64_t bytes = element_bytes;

    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (__builtin_mul_overflow(bytes, tensor->shape[i], &bytes)) {
            return false;
        }
    }
    *out = bytes;
    return true;
}

static dyno_status read_place(const struct header *header, const char *name, const json_t *entry,
                              uint32_t element_bytes, struct dyno_tensor *tensor)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX], shape[DYNO_TENSOR_SHAPE_TEXT];
    uint64_t due;

    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last)) {
        return refuse(header, name, "\"data_offsets\" must be two whole numbers");
    }
    if (begin < 0 || end < begin || (uint64_t)end > header->data_bytes) {
        return dyno_fail(header->error, DYNO_BAD_INPUT,
                         "%s: tensor %s: \"data_offsets\" [%" JSON_INTEGER_FORMAT
                         ", %" JSON_INTEGER_FORMAT "] do not lie in order within the %" PRIu64
                         " bytes of data; is the file cut short?",
                         dyno_quote(path, header->file->path), dyno_quote(quoted, name), begin, end,
                         header->data_bytes);
    }
    if (!bytes_of(tensor, element_bytes, &due) || due != (uint64_t)(end - begin)) {
        return dyno_fail(header->error, DYNO_BAD_INPUT,
                         "%s: tensor %s: \"data_offsets\" give it %" PRIu64
                         " bytes, which are not those of %s of %" PRIu32 " bytes each",
                         dyno_quote(path, header->file->path), dyno_quote(quoted, name),
                         (uint64_t)(end - begin),
                         dyno_tensor_shape_text(shape, tensor->shape, tensor->rank), element_bytes);
    }
    tensor->data = header->data + begin;
    tensor->bytes = due;
    return DYNO_OK;
}

static dyno_status read_tensor(const struct header *header, const char *name, const json_t *entry)
{
    struct dyno_tensor tensor = {.file = header->file};
    const struct dtype *dtype = NULL;

    if (!json_is_object(entry)) {
        return refuse(header, name, "an object with dtype, shape and data_offsets is expected");
    }
    DYNO_TRY(read_dtype(header, name, entry, &dtype));
    assert(dtype);
    tensor.element = dtype->element;
    tensor.type = dtype->name;
    DYNO_TRY(read_shape(header, name, entry, &tensor));
    DYNO_TRY(read_place(header, name, entry, dtype->bytes, &tensor));
    return dyno_tensors_add(header->tensors, &tensor, name, strlen(name), header->error);
}

static dyno_status read_tensors(const struct header *header, json_t *root)
{
    size_t first = header->tensors->count;
    char path[DYNO_QUOTE_MAX];
    const uint8_t *end;
    const char *name;
    json_t *entry;

    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, "__metadata__") != 0) {
            DYNO_TRY(read_tensor(header, name, entry));
        }
    }
    DYNO_TRY(
        dyno_tensors_check_layout(header->tensors, first, header->data, 1, &end, header->error));
    if (end != header->data + header->data_bytes) {
        return dyno_fail(header->error, DYNO_BAD_INPUT,
                         "%s: the tensors end at byte %" PRIu64 " of a file of %" PRIu64
                         "; nothing may follow them",
                         dyno_quote(path, header->file->path), (uint64_t)(end - header->file->data),
                         header->file->size);
    }
    return DYNO_OK;
}

static dyno_status find_header(const struct dyno_mapping *file, uint64_t *out,
                               struct dyno_error *error)
{
    char path[DYNO_QUOTE_MAX];
    uint64_t length = 0;

    if (file->size < LENGTH_BYTES) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is %" PRIu64 " bytes long, too short to be a safetensors file",
                         dyno_quote(path, file->path), file->size);
    }
    memcpy(&length, file->data, LENGTH_BYTES);
    if (length > HEADER_BYTES_MAX || length > file->size - LENGTH_BYTES) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: its first eight bytes give a header of %" PRIu64
                         " bytes in a file of %" PRIu64
                         "; it must fit the file and 100 MB (is this a safetensors file?)",
                         dyno_quote(path, file->path), length, file->size);
    }
    *out = length;
    return DYNO_OK;
}

dyno_status dyno_safetensors_read(struct dyno_tensors *tensors, const char *path,
                                  struct dyno_error *error)
{
    struct header header = {.tensors = tensors, .error = error};
    struct dyno_json_weight weight = {0};
    char quoted[DYNO_QUOTE_MAX];
    const char *text;
    uint64_t length = 0;
    json_error_t where;
    dyno_status status;
    json_t *root = NULL;

    DYNO_TRY(dyno_tensors_map(tensors, path, &header.file, error));
    DYNO_TRY(find_header(header.file, &length, error));
    header.data = header.file->data + LENGTH_BYTES + length;
    header.data_bytes = header.file->size - LENGTH_BYTES - length;
    text = (const char *)header.file->data + LENGTH_BYTES;
    dyno_json_weigh(&weight, text, (size_t)length);
    DYNO_TRY(dyno_json_weight_check(&weight, path, dyno_allowed_memory_bytes(), error));
    root = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (!root) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: the header is not JSON: byte %d: %s",
                         dyno_quote(quoted, path), where.position, where.text);
    }
    status = json_is_object(root)
                 ? read_tensors(&header, root)
                 : dyno_fail(error, DYNO_BAD_INPUT, "%s: the header is not a JSON object",
                             dyno_quote(quoted, path));
    json_decref(root);
    return status;
}
