/* The texts of a tokenizer's folder, with a NUL between them (fuzz_model.h): tokenizer.json,
 * tokenizer_config.json, vocab.json, merges.txt, encoder.json, vocab.bpe, chat_template.jinja.  A
 * tokenizer that encodes, or a refusal of one sentence. */
#include "tests/fuzz/fuzz_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"tokenizer.json",     "tokenizer_config.json", "vocab.json",
                                        "merges.txt",         "encoder.json",          "vocab.bpe",
                                        "chat_template.jinja"};

    fuzz_begin();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)fuzz_write_part(&data, &size, names[i]);
    }
    fuzz_open_tokenizer(fuzz_folder);
    fuzz_end();
    return 0;
}
