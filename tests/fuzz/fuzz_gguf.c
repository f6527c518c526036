/* Any bytes as a GGUF file: a model, and a tokenizer.  Where the last bit is 0, zeros follow, as
 * many as a small model has weights. */
#include "tests/fuzz/fuzz_model.h"

enum { FUZZ_GGUF_DATA_BYTES = 256 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool whole = size > 0 && data[size - 1] & 1;

    fuzz_begin();
    fuzz_write_padded("m.gguf", data, size, whole ? 0 : FUZZ_GGUF_DATA_BYTES);
    fuzz_open_weights(fuzz_path("m.gguf"));
    fuzz_open_tokenizer(fuzz_path("m.gguf"));
    fuzz_end();
    return 0;
}
