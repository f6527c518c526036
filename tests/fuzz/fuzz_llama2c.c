/* Any bytes as llama2.c's model.bin, and as its tokenizer.bin. */
#include "tests/fuzz/fuzz_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_begin();
    fuzz_write("m.bin", data, size);
    fuzz_open_weights(fuzz_path("m.bin"));
    fuzz_open_tokenizer(fuzz_path("m.bin"));
    fuzz_end();
    return 0;
}
