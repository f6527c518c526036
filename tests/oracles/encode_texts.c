/* Encodes texts for comparison: the argument is a tokenizer, each line of the input a JSON string,
 * each line of the output {"ids": [..], "text": decoded} or {"error": sentence}. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"

static json_t *encode(struct dyno_encoder *encoder, const struct dyno_tokenizer *tokenizer,
                      const json_t *text)
{
    const struct dyno_encode_options options = {.control = true, .around = true};
    struct dyno_token_ids got;
    struct dyno_error error;
    json_t *ids, *answer;
    char *decoded;
    size_t size;

    if (dyno_encode(encoder, json_string_value(text), json_string_length(text), options, &got,
                    &error) != DYNO_OK ||
        dyno_decode(tokenizer, got.ids, got.count, true, &decoded, &size, &error) != DYNO_OK) {
        return json_pack("{ss}", "error", error.text);
    }
    ids = json_array();
    for (size_t i = 0; i < got.count; i++) {
        (void)json_array_append_new(ids, json_integer(got.ids[i]));
    }
    answer = json_pack("{soss%}", "ids", ids, "text", decoded, size);
    free(decoded);
    return answer;
}

int main(int argc, char **argv)
{
    const struct dyno_tokenizer_file *file;
    struct dyno_tokenizer *tokenizer;
    struct dyno_encoder *encoder;
    struct dyno_error error;
    char *line = NULL;
    size_t capacity = 0;

    if (argc != 2 || dyno_tokenizer_file_open(&file, argv[1], &error) != DYNO_OK ||
        dyno_tokenizer_open(&tokenizer, &file->vocabulary, &error) != DYNO_OK ||
        dyno_encoder_open(&encoder, tokenizer, &error) != DYNO_OK) {
        (void)fprintf(stderr, "%s\n", argc == 2 ? error.text : "usage: encode_texts TOKENIZER");
        return EXIT_FAILURE;
    }
    while (getline(&line, &capacity, stdin) > 0) {
        json_t *text = json_loads(line, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        json_t *answer = json_is_string(text) ? encode(encoder, tokenizer, text)
                                              : json_pack("{ss}", "error", "no JSON string");

        (void)json_dumpf(answer, stdout, JSON_COMPACT);
        (void)putchar('\n');
        json_decref(answer);
        json_decref(text);
    }
    free(line);
    dyno_encoder_close(encoder);
    dyno_tokenizer_close(tokenizer);
    dyno_tokenizer_file_close(file);
    return EXIT_SUCCESS;
}
