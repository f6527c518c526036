/* Any bytes as a tokenizer.json: a tokenizer that encodes, or a refusal of one sentence. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_json.h"

static void fuzz_use(const struct dyno_tokenizer *tokenizer)
{
    static const char text[] = "the <s> a\xCC\x81\xE2\x96\x81 12\n\n \xFF x";
    const struct dyno_encode_options options = {.control = true, .around = true};
    struct dyno_encoder *encoder;
    struct dyno_token_ids ids;
    struct dyno_error error;
    size_t size;
    char *back;
    dyno_status status = dyno_encoder_open(&encoder, tokenizer, &error);

    assert(status == DYNO_OK);
    status = dyno_encode(encoder, text, sizeof text - 1, options, &ids, &error);
    assert(status == DYNO_OK || status == DYNO_FULL);
    for (size_t i = 0; status == DYNO_OK && i < ids.count; i++) {
        assert(ids.ids[i] < dyno_tokenizer_count(tokenizer));
    }
    if (status == DYNO_OK) {
        status = dyno_decode(tokenizer, ids.ids, ids.count, true, &back, &size, &error);
        assert(status == DYNO_OK);
        free(back);
    }
    dyno_encoder_close(encoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root =
        json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    struct dyno_vocabulary_builder builder;
    struct dyno_tokenizer *tokenizer;
    struct dyno_error error = {.text = ""};
    char *patterns = NULL;
    dyno_status status;

    if (!json_is_object(root)) {
        json_decref(root);
        return 0;
    }
    dyno_vocabulary_builder_init(&builder, DYNO_TOKENIZER_BYTE_LEVEL);
    status = dyno_tokenizer_json_pipeline(&builder, &patterns, root, &error);
    if (status == DYNO_OK) {
        status = dyno_tokenizer_json_model(&builder, root, &error);
    }
    if (status == DYNO_OK) {
        status = dyno_tokenizer_json_around(&builder, root, &error);
    }
    if (status == DYNO_OK) {
        status = dyno_tokenizer_open(&tokenizer, dyno_vocabulary_builder_finish(&builder), &error);
    }
    if (status == DYNO_OK) {
        fuzz_use(tokenizer);
        dyno_tokenizer_close(tokenizer);
    } else {
        assert(error.text[0] != '\0');
    }
    dyno_vocabulary_builder_release(&builder);
    free(patterns);
    json_decref(root);
    return 0;
}
