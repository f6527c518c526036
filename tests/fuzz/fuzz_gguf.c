/* Any bytes as a GGUF file: a model, and a tokenizer. */
#include "tests/fuzz/fuzz_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_begin();
    fuzz_write("m.gguf", data, size);
    fuzz_open_weights(fuzz_path("m.gguf"));
    fuzz_open_tokenizer(fuzz_path("m.gguf"));
    fuzz_end();
    return 0;
}
