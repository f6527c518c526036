/* The texts of a folder of Hugging Face, with a NUL between them (fuzz_model.h): config.json,
 * generation_config.json, the header of one file of safetensors, the index, the header of a second
 * file.  What headers place are zeros, so that a model of any shape is whole as soon as its texts
 * agree, and binding is reached. */
#include <jansson.h>

#include "backends/assets/assets.h"
#include "tests/fuzz/fuzz_model.h"

enum { FUZZ_SHARD_BYTES_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the last tensor ends; 0 where that is no number of some size. */
static size_t data_bytes(const uint8_t *header, size_t size)
{
    json_t *root = json_loadb((const char *)header, size, 0, NULL);
    json_int_t most = 0;
    const char *name;
    json_t *entry;

    json_object_foreach(root, name, entry)
    {
        json_int_t end =
            json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 1));

        most = end > most ? end : most;
    }
    json_decref(root);
    return most <= FUZZ_SHARD_BYTES_MAX ? (size_t)most : 0;
}

static void write_shard(const uint8_t **data, size_t *size, const char *name)
{
    size_t header_size, zeros;
    const uint8_t *header = fuzz_part(data, size, &header_size);
    uint64_t length = header_size;
    uint8_t *file = malloc(sizeof length + header_size);

    if (!file) {
        abort();
    }
    memcpy(file, &length, sizeof length);
    if (header_size > 0) {
        memcpy(file + sizeof length, header, header_size);
        zeros = data_bytes(header, header_size);
        fuzz_write_padded(name, file, sizeof length + header_size, zeros);
    }
    free(file);
}

/* What the simulator makes of a config.json, which knows more families. */
static void describe(void)
{
    struct dyno_model model = {.layers = 0};
    struct dyno_error error;

    if (dyno_assets_model(&model, fuzz_folder, &error) == DYNO_OK) {
        assert(model.layers > 0);
    } else {
        assert(model.layers == 0);
        fuzz_check_refusal(&error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *first;
    size_t first_size, indexed;

    fuzz_begin();
    (void)fuzz_write_part(&data, &size, "config.json");
    (void)fuzz_write_part(&data, &size, "generation_config.json");
    first = fuzz_part(&data, &size, &first_size);
    indexed = fuzz_write_part(&data, &size, "model.safetensors.index.json");
    write_shard(&first, &first_size,
                indexed ? "model-00001-of-00002.safetensors" : "model.safetensors");
    write_shard(&data, &size, "model-00002-of-00002.safetensors");
    describe();
    fuzz_open_weights(fuzz_folder);
    fuzz_end();
    return 0;
}
