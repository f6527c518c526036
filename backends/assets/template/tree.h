/* A parsed template: nodes in an arena. */
#ifndef DYNO_BACKENDS_ASSETS_TEMPLATE_TREE_H
#define DYNO_BACKENDS_ASSETS_TEMPLATE_TREE_H

#include "backends/assets/template/value.h"

enum dyno_jinja_kind {
    /* Expressions. */
    DYNO_JINJA_LITERAL,     /* literal */
    DYNO_JINJA_NAME,        /* name */
    DYNO_JINJA_LIST_OF,     /* items */
    DYNO_JINJA_TUPLE_OF,    /* items */
    DYNO_JINJA_DICT_OF,     /* items: PAIR */
    DYNO_JINJA_PAIR,        /* a: key, b: value */
    DYNO_JINJA_ATTRIBUTE,   /* a . name */
    DYNO_JINJA_ITEM,        /* a [ b ] */
    DYNO_JINJA_SLICE,       /* a [ items ]: three, LITERAL none where absent */
    DYNO_JINJA_CALL,        /* a ( items ): ARGUMENT */
    DYNO_JINJA_ARGUMENT,    /* name = a; name empty: positional */
    DYNO_JINJA_FILTER,      /* a | function ( items ) */
    DYNO_JINJA_TEST,        /* a is function ( items ) */
    DYNO_JINJA_UNARY,       /* operation a */
    DYNO_JINJA_BINARY,      /* a operation b */
    DYNO_JINJA_COMPARE,     /* a, then items: BINARY without a, each compared with the one before */
    DYNO_JINJA_AND,         /* a and b */
    DYNO_JINJA_OR,          /* a or b */
    DYNO_JINJA_CONDITIONAL, /* a if b else c; c may be NULL */
    /* Statements. */
    DYNO_JINJA_DATA,         /* name: the text */
    DYNO_JINJA_OUTPUT,       /* a */
    DYNO_JINJA_IF,           /* a: condition, b: body; filter: the elif, or c: the else */
    DYNO_JINJA_FOR,          /* items: targets, a: over, b: body, c: else, filter */
    DYNO_JINJA_SET,          /* items: targets, a: value */
    DYNO_JINJA_SET_BLOCK,    /* items: target, a: FILTERs around BODY or NULL, b: body */
    DYNO_JINJA_MACRO_BLOCK,  /* name, items: ARGUMENT with default or NULL, b: body */
    DYNO_JINJA_CALL_BLOCK,   /* a: CALL, c: MACRO_BLOCK without a name */
    DYNO_JINJA_FILTER_BLOCK, /* a: FILTERs around BODY, b: body */
    DYNO_JINJA_BODY,         /* the text of a FILTER_BLOCK or a SET_BLOCK */
    DYNO_JINJA_WITH,         /* items: ARGUMENT, b: body */
    DYNO_JINJA_BREAK_LOOP,
    DYNO_JINJA_CONTINUE_LOOP,
};

enum dyno_jinja_operator {
    DYNO_JINJA_ADD,
    DYNO_JINJA_SUBTRACT,
    DYNO_JINJA_MULTIPLY,
    DYNO_JINJA_DIVIDE,
    DYNO_JINJA_FLOOR_DIVIDE,
    DYNO_JINJA_MODULO,
    DYNO_JINJA_POWER,
    DYNO_JINJA_CONCATENATE,
    DYNO_JINJA_EQUAL,
    DYNO_JINJA_UNEQUAL,
    DYNO_JINJA_LESS,
    DYNO_JINJA_LESS_EQUAL,
    DYNO_JINJA_GREATER,
    DYNO_JINJA_GREATER_EQUAL,
    DYNO_JINJA_IN,
    DYNO_JINJA_NOT_IN,
    DYNO_JINJA_NOT,
    DYNO_JINJA_MINUS,
    DYNO_JINJA_PLUS,
};

struct dyno_jinja_function;

struct dyno_jinja_node {
    enum dyno_jinja_kind kind;
    enum dyno_jinja_operator operation;
    uint32_t line;
    struct dyno_jinja_text name;
    struct dyno_jinja_value literal;
    const struct dyno_jinja_function *function;
    struct dyno_jinja_node *a, *b, *c, *items, *filter;
    struct dyno_jinja_node *next; /* in the list that it is an item of */
};

/* Parse a template's text into a list of statements; all of it is the arena's, the text too.
 * Errors as dyno_template_open. */
dyno_status dyno_jinja_parse(struct dyno_jinja_node **out, struct dyno_arena *arena,
                             const char *text, struct dyno_error *error);

#endif
