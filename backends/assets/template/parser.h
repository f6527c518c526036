/* What the parsers of statements and of expressions share. */
#ifndef DYNO_BACKENDS_ASSETS_TEMPLATE_PARSER_H
#define DYNO_BACKENDS_ASSETS_TEMPLATE_PARSER_H

#include "backends/assets/template/lexer.h"
#include "backends/assets/template/tree.h"

struct dyno_jinja_parser {
    struct dyno_jinja_lexer lexer;
    struct dyno_arena *arena;
    struct dyno_error *error;
    struct dyno_jinja_token token; /* not taken yet */
    uint32_t depth;
    uint32_t loops; /* around this place, within a macro */
};

/* A list under construction: nodes through `next`. */
struct dyno_jinja_nodes {
    struct dyno_jinja_node *first, **last;
};

void dyno_jinja_nodes_start(struct dyno_jinja_nodes *nodes);
void dyno_jinja_nodes_add(struct dyno_jinja_nodes *nodes, struct dyno_jinja_node *node);

/* Note what is wrong at this place. */
void dyno_jinja_parser_report(const struct dyno_jinja_parser *parser, dyno_status status,
                              const char *what);
/* The same, and the status: not a function, so that compilers see that it is no success. */
#define dyno_jinja_parser_fail(parser, status, what)                                               \
    (dyno_jinja_parser_report(parser, status, what), (status))
dyno_status dyno_jinja_new_node(const struct dyno_jinja_parser *parser, enum dyno_jinja_kind kind,
                                struct dyno_jinja_node **out);
/* A node of two parts. */
dyno_status dyno_jinja_pair_node(const struct dyno_jinja_parser *parser, enum dyno_jinja_kind kind,
                                 struct dyno_jinja_node *left, struct dyno_jinja_node *right,
                                 struct dyno_jinja_node **out);
dyno_status dyno_jinja_advance(struct dyno_jinja_parser *parser);
bool dyno_jinja_at_sign(const struct dyno_jinja_parser *parser, const char *sign);
bool dyno_jinja_at_name(const struct dyno_jinja_parser *parser, const char *name);
/* Take a sign or a name that must be there. */
dyno_status dyno_jinja_expect_sign(struct dyno_jinja_parser *parser, const char *sign);
dyno_status dyno_jinja_expect_name(struct dyno_jinja_parser *parser, const char *name);
/* Take any name. */
dyno_status dyno_jinja_take_name(struct dyno_jinja_parser *parser, struct dyno_jinja_text *out);

/* One level deeper, and out again. */
dyno_status dyno_jinja_enter(struct dyno_jinja_parser *parser);
void dyno_jinja_leave(struct dyno_jinja_parser *parser);

/* A whole expression; `conditional`: with `x if y else z`. */
dyno_status dyno_jinja_parse_expression(struct dyno_jinja_parser *parser, bool conditional,
                                        struct dyno_jinja_node **out);
/* One or more expressions; a tuple where there are commas. */
dyno_status dyno_jinja_parse_tuple(struct dyno_jinja_parser *parser, bool conditional,
                                   struct dyno_jinja_node **out);
/* A name, a literal or brackets, with the attributes, items and calls after it. */
dyno_status dyno_jinja_parse_operand(struct dyno_jinja_parser *parser,
                                     struct dyno_jinja_node **out);
/* Names with their filters and calls, without operators. */
dyno_status dyno_jinja_parse_unary(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out);
/* The filters after `subject`; a | that was taken stands before the first if `piped`. */
dyno_status dyno_jinja_parse_filters(struct dyno_jinja_parser *parser, bool piped,
                                     struct dyno_jinja_node *subject, struct dyno_jinja_node **out);

#endif
