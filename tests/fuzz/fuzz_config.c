/* Any bytes as config.json (first byte even), generation_config.json (1 modulo 4) or the index of
 * the safetensors (3 modulo 4), beside good files. */
#include "tests/fuzz/fuzz_model.h"

#define FUZZ_HEADER "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_tensors(const char *name)
{
    uint8_t file[sizeof(uint64_t) + sizeof FUZZ_HEADER - 1 + 8] = {sizeof FUZZ_HEADER - 1};

    memcpy(file + sizeof(uint64_t), FUZZ_HEADER, sizeof FUZZ_HEADER - 1);
    fuzz_write(name, file, sizeof file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t how = size > 0 ? data[0] : 0;
    const uint8_t *text = size > 0 ? data + 1 : (const uint8_t *)"";
    size_t length = size > 0 ? size - 1 : 0;

    fuzz_begin();
    fuzz_write("config.json", FUZZ_CONFIG, strlen(FUZZ_CONFIG));
    if (how % 4 == 3) {
        write_tensors("m.bin");
        fuzz_write("model.safetensors.index.json", text, length);
    } else {
        write_tensors("model.safetensors");
        fuzz_write(how % 2 ? "generation_config.json" : "config.json", text, length);
    }
    fuzz_open_weights(fuzz_folder);
    fuzz_end();
    return 0;
}
