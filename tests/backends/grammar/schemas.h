/* Grammars of schemas that stand in tests as text. */
#ifndef DYNO_TESTS_BACKENDS_GRAMMAR_SCHEMAS_H
#define DYNO_TESTS_BACKENDS_GRAMMAR_SCHEMAS_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/grammar.h"

/* Of the schema `text`, with ' for "; NULL and *error where it is refused. */
static inline struct dyno_grammar *grammar_of(const char *text, bool strict,
                                              struct dyno_error *error)
{
    const struct dyno_grammar_options options = {.strict = strict};
    struct dyno_grammar *grammar = NULL;
    char *copy = strdup(text);
    json_t *schema;

    for (char *at = copy; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    schema = json_loads(copy, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    error->text[0] = '\0';
    if (!schema || dyno_grammar_of_schema(&grammar, schema, &options, error) != DYNO_OK) {
        grammar = NULL;
    }
    json_decref(schema);
    free(copy);
    return grammar;
}

/* How many bytes of text[size] can be read. */
static inline size_t readable(const struct dyno_grammar *grammar, const char *text, size_t size,
                              bool *may_end)
{
    struct dyno_grammar_state state;
    size_t at = 0;

    dyno_grammar_begin(grammar, &state);
    while (at < size && dyno_grammar_advance(grammar, &state, text + at, 1)) {
        at++;
    }
    *may_end = dyno_grammar_may_end(grammar, &state);
    return at;
}

static inline bool is_complete(const struct dyno_grammar *grammar, const char *text)
{
    bool may_end;

    return readable(grammar, text, strlen(text), &may_end) == strlen(text) && may_end;
}

#endif
