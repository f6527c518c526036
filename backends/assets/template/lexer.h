/* A template's text as tokens, with the white space that its tags take away gone. */
#ifndef DYNO_BACKENDS_ASSETS_TEMPLATE_LEXER_H
#define DYNO_BACKENDS_ASSETS_TEMPLATE_LEXER_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/assets/template/value.h"

enum dyno_jinja_token_kind {
    DYNO_JINJA_T_END,
    DYNO_JINJA_T_DATA,         /* text */
    DYNO_JINJA_T_OUTPUT_BEGIN, /* {{ */
    DYNO_JINJA_T_OUTPUT_END,
    DYNO_JINJA_T_BLOCK_BEGIN, /* {% */
    DYNO_JINJA_T_BLOCK_END,
    DYNO_JINJA_T_NAME,    /* text */
    DYNO_JINJA_T_STRING,  /* text, without quotes and escapes */
    DYNO_JINJA_T_INTEGER, /* integer */
    DYNO_JINJA_T_DECIMAL, /* decimal */
    DYNO_JINJA_T_SIGN,    /* text: an operator or a bracket */
};

struct dyno_jinja_token {
    enum dyno_jinja_token_kind kind;
    uint32_t line;
    struct dyno_jinja_text text;
    int64_t integer;
    double decimal;
};

struct dyno_jinja_lexer {
    struct dyno_arena *arena;
    struct dyno_error *error;
    const char *at, *end;
    uint32_t line;
    bool in_tag, in_output; /* between {{ or {% and its end */
    uint32_t open_brackets;
    bool line_starts; /* nothing but blanks was seen in this line */
    bool strip_next;  /* the tag before takes the blanks that follow */
};

/* `text` is copied into the arena.  Errors: DYNO_BAD_INPUT, DYNO_NO_MEMORY. */
dyno_status dyno_jinja_lexer_start(struct dyno_jinja_lexer *lexer, struct dyno_arena *arena,
                                   const char *text, struct dyno_error *error);

/* The next token; END again and again at the end. */
dyno_status dyno_jinja_lexer_next(struct dyno_jinja_lexer *lexer, struct dyno_jinja_token *out);

#endif
