/* Any bytes as a JSON Schema: a refusal of one sentence, or a grammar under which a text never gets
 * stuck and, where it ends, is JSON.  The bytes behind the schema's last '}' choose the text. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "backends/grammar/grammar.h"

enum { FUZZ_TEXT_MAX = 48 };

/* Byte `choice` of those that may follow, counted around; their number. */
static unsigned fuzz_follow(const struct dyno_grammar *grammar, struct dyno_grammar_state *state,
                            unsigned choice, char *byte)
{
    char possible[256];
    unsigned count = 0;

    for (int i = 0; i < 256; i++) {
        struct dyno_grammar_state next = *state;
        char one = (char)i;

        if (dyno_grammar_advance(grammar, &next, &one, 1)) {
            possible[count++] = one;
        }
    }
    if (count > 0) {
        bool went = dyno_grammar_advance(grammar, state, &possible[choice % count], 1);

        assert(went);
        *byte = possible[choice % count];
    }
    return count;
}

static void fuzz_text(const struct dyno_grammar *grammar, const uint8_t *choices, size_t count)
{
    struct dyno_grammar_state state;
    char text[FUZZ_TEXT_MAX];
    size_t size = 0;

    dyno_grammar_begin(grammar, &state);
    while (size < FUZZ_TEXT_MAX) {
        unsigned choice = count > 0 ? choices[size % count] : 0;

        if (dyno_grammar_may_end(grammar, &state)) {
            json_t *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

            assert(value);
            json_decref(value);
            if (choice % 2) {
                return;
            }
        }
        if (fuzz_follow(grammar, &state, choice / 2, text + size) == 0) {
            assert(dyno_grammar_may_end(grammar, &state));
            return;
        }
        size++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t schema_size = size;
    struct dyno_grammar_options options = {.strict = size % 2};
    struct dyno_grammar *grammar;
    struct dyno_error error = {.text = ""};
    json_t *schema;

    while (schema_size > 0 && data[schema_size - 1] != '}') {
        schema_size--;
    }
    schema = json_loadb((const char *)data, schema_size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!schema) {
        return 0;
    }
    if (dyno_grammar_of_schema(&grammar, schema, &options, &error) == DYNO_OK) {
        fuzz_text(grammar, data + schema_size, size - schema_size);
        dyno_grammar_close(grammar);
    } else {
        assert(error.text[0] != '\0');
    }
    json_decref(schema);
    return 0;
}
