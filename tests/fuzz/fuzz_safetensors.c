/* Any bytes as model.safetensors beside a good config.json.  An even first byte: the rest is the
 * file; an odd one: the rest is the header, and what follows it is as long as a good model's. */
#include "tests/fuzz/fuzz_model.h"

enum { FUZZ_DATA_BYTES = (16 * 8 + 7 * 8 * 8 + 3 * 8) * 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_header(const uint8_t *data, size_t size)
{
    uint8_t *file = calloc(1, sizeof(uint64_t) + size + FUZZ_DATA_BYTES);
    uint64_t length = size;

    if (!file) {
        abort();
    }
    memcpy(file, &length, sizeof(length));
    memcpy(file + sizeof(length), data, size);
    fuzz_write("model.safetensors", file, sizeof(length) + size + FUZZ_DATA_BYTES);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    fuzz_begin();
    fuzz_write("config.json", FUZZ_CONFIG, strlen(FUZZ_CONFIG));
    if (data[0] % 2) {
        write_header(data + 1, size - 1);
    } else {
        fuzz_write("model.safetensors", data + 1, size - 1);
    }
    fuzz_open_weights(fuzz_folder);
    fuzz_end();
    return 0;
}
