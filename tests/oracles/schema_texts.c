/* Texts that grammars of random schemas allow: a line {"schema": ..., "text": "..."} each.
 *
 * usage: oracle_schema_texts SEED COUNT */
#include <stdio.h>
#include <stdlib.h>

#include "backends/grammar/grammar.h"
#include "tests/backends/grammar/random_schema.h"

enum { TEXT_MAX = 4000, HURRY = 40 };

static bool follows(const struct dyno_grammar *grammar, struct dyno_grammar_state *state, char byte)
{
    return dyno_grammar_advance(grammar, state, &byte, 1);
}

/* One of the bytes that may follow; more and more often one that may bring the end nearer. */
static char step(struct dyno_rng *rng, const struct dyno_grammar *grammar,
                 struct dyno_grammar_state *state, size_t turn)
{
    char byte = "\"}]"[pick(rng, 3)];

    if (dyno_rng_below(rng, HURRY) < turn && follows(grammar, state, byte)) {
        return byte;
    }
    for (byte = (char)pick(rng, 256); !follows(grammar, state, byte); byte = (char)(byte + 1)) {
    }
    return byte;
}

/* The size of a text; 0: it did not end. */
static size_t write_text(struct dyno_rng *rng, const struct dyno_grammar *grammar,
                         char text[TEXT_MAX])
{
    struct dyno_grammar_state state;

    dyno_grammar_begin(grammar, &state);
    for (size_t size = 0; size < TEXT_MAX; size++) {
        struct dyno_grammar_state next = state;
        bool last = true;

        for (int byte = 0; byte < 256 && last; byte++) {
            last = !follows(grammar, &next, (char)byte);
        }
        if (dyno_grammar_may_end(grammar, &state) && (last || pick(rng, 3) == 0)) {
            return size;
        }
        text[size] = step(rng, grammar, &state, size);
    }
    return 0;
}

int main(int argc, char **argv)
{
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    struct dyno_rng rng;
    char text[TEXT_MAX];

    dyno_rng_init(&rng, argc == 3 ? strtoull(argv[1], NULL, 10) : 0, "schema texts");
    for (long written = 0; written < count;) {
        struct dyno_grammar_options options = {.strict = pick(&rng, 2)};
        struct dyno_grammar *grammar;
        json_t *schema = random_schema(&rng, 3), *line;
        struct dyno_error error;
        size_t size;

        if (dyno_grammar_of_schema(&grammar, schema, &options, &error) != DYNO_OK) {
            (void)fprintf(stderr, "%s\n", error.text);
            return EXIT_FAILURE;
        }
        size = write_text(&rng, grammar, text);
        if (size > 0) {
            line = json_pack("{s:O, s:s%}", "schema", schema, "text", text, size);
            (void)json_dumpf(line, stdout, JSON_COMPACT);
            (void)fputc('\n', stdout);
            json_decref(line);
            written++;
        }
        dyno_grammar_close(grammar);
        json_decref(schema);
    }
    return EXIT_SUCCESS;
}
