/* Expressions, in Jinja's order: x if y else z, or, and, not, comparisons, + -, ~, * / // %, **,
 * signs, then calls, attributes, filters and tests. */
#include <string.h>

#include "backends/assets/template/parser.h"
#include "backends/assets/template/run.h"
#include "backends/assets/template/template.h"

struct sign_operator {
    const char *sign;
    enum dyno_jinja_operator operation;
};

static dyno_status parse_or(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out);

/* The operator at the place of the parser among `signs`, which end with NULL; it is taken. */
static dyno_status take_operator(struct dyno_jinja_parser *parser,
                                 const struct sign_operator *signs,
                                 const struct sign_operator **out)
{
    *out = NULL;
    for (; signs->sign; signs++) {
        if (dyno_jinja_at_sign(parser, signs->sign)) {
            *out = signs;
            return dyno_jinja_advance(parser);
        }
    }
    return DYNO_OK;
}

/* Operands of the next level, joined from the left. */
static dyno_status parse_level(struct dyno_jinja_parser *parser, const struct sign_operator *signs,
                               dyno_status (*next)(struct dyno_jinja_parser *,
                                                   struct dyno_jinja_node **),
                               struct dyno_jinja_node **out)
{
    const struct sign_operator *sign;
    struct dyno_jinja_node *left, *right;

    DYNO_TRY(next(parser, &left));
    DYNO_TRY(take_operator(parser, signs, &sign));
    while (sign) {
        DYNO_TRY(next(parser, &right));
        DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_BINARY, left, right, &left));
        left->operation = sign->operation;
        DYNO_TRY(take_operator(parser, signs, &sign));
    }
    *out = left;
    return DYNO_OK;
}

/* A sign, without the filters that follow: they belong to the whole of it. */
static dyno_status parse_signed(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    bool minus = dyno_jinja_at_sign(parser, "-");
    struct dyno_jinja_node *operand;

    if (!minus && !dyno_jinja_at_sign(parser, "+")) {
        return dyno_jinja_parse_operand(parser, out);
    }
    DYNO_TRY(dyno_jinja_enter(parser));
    DYNO_TRY(dyno_jinja_advance(parser));
    DYNO_TRY(parse_signed(parser, &operand));
    dyno_jinja_leave(parser);
    DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_UNARY, operand, NULL, out));
    (*out)->operation = minus ? DYNO_JINJA_MINUS : DYNO_JINJA_PLUS;
    return DYNO_OK;
}

dyno_status dyno_jinja_parse_unary(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *operand;

    DYNO_TRY(parse_signed(parser, &operand));
    return dyno_jinja_parse_filters(parser, false, operand, out);
}

static dyno_status parse_power(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    static const struct sign_operator signs[] = {{"**", DYNO_JINJA_POWER}, {0}};

    return parse_level(parser, signs, dyno_jinja_parse_unary, out);
}

static dyno_status parse_product(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    static const struct sign_operator signs[] = {{"*", DYNO_JINJA_MULTIPLY},
                                                 {"/", DYNO_JINJA_DIVIDE},
                                                 {"//", DYNO_JINJA_FLOOR_DIVIDE},
                                                 {"%", DYNO_JINJA_MODULO},
                                                 {0}};

    return parse_level(parser, signs, parse_power, out);
}

static dyno_status parse_concatenation(struct dyno_jinja_parser *parser,
                                       struct dyno_jinja_node **out)
{
    static const struct sign_operator signs[] = {{"~", DYNO_JINJA_CONCATENATE}, {0}};

    return parse_level(parser, signs, parse_product, out);
}

static dyno_status parse_sum(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    static const struct sign_operator signs[] = {
        {"+", DYNO_JINJA_ADD}, {"-", DYNO_JINJA_SUBTRACT}, {0}};

    return parse_level(parser, signs, parse_concatenation, out);
}

/* `in` and `not in` are words. */
static dyno_status take_comparison(struct dyno_jinja_parser *parser,
                                   const struct sign_operator **out)
{
    static const struct sign_operator signs[] = {{"==", DYNO_JINJA_EQUAL},
                                                 {"!=", DYNO_JINJA_UNEQUAL},
                                                 {"<", DYNO_JINJA_LESS},
                                                 {"<=", DYNO_JINJA_LESS_EQUAL},
                                                 {">", DYNO_JINJA_GREATER},
                                                 {">=", DYNO_JINJA_GREATER_EQUAL},
                                                 {0}};
    static const struct sign_operator in = {"in", DYNO_JINJA_IN};
    static const struct sign_operator not_in = {"not in", DYNO_JINJA_NOT_IN};

    if (dyno_jinja_at_name(parser, "in")) {
        *out = &in;
        return dyno_jinja_advance(parser);
    }
    if (dyno_jinja_at_name(parser, "not")) {
        *out = &not_in;
        DYNO_TRY(dyno_jinja_advance(parser));
        return dyno_jinja_expect_name(parser, "in");
    }
    return take_operator(parser, signs, out);
}

static dyno_status parse_comparison(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    const struct sign_operator *sign;
    struct dyno_jinja_node *first, *comparison;
    struct dyno_jinja_nodes others;

    DYNO_TRY(parse_sum(parser, &first));
    dyno_jinja_nodes_start(&others);
    for (;;) {
        DYNO_TRY(take_comparison(parser, &sign));
        if (!sign) {
            break;
        }
        DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_BINARY, &comparison));
        comparison->operation = sign->operation;
        DYNO_TRY(parse_sum(parser, &comparison->b));
        dyno_jinja_nodes_add(&others, comparison);
    }
    *out = first;
    if (others.first) {
        DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_COMPARE, first, NULL, out));
        (*out)->items = others.first;
    }
    return DYNO_OK;
}

static dyno_status parse_not(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *operand;

    if (!dyno_jinja_at_name(parser, "not")) {
        return parse_comparison(parser, out);
    }
    DYNO_TRY(dyno_jinja_enter(parser));
    DYNO_TRY(dyno_jinja_advance(parser));
    DYNO_TRY(parse_not(parser, &operand));
    dyno_jinja_leave(parser);
    DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_UNARY, operand, NULL, out));
    (*out)->operation = DYNO_JINJA_NOT;
    return DYNO_OK;
}

static dyno_status parse_and(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *right;

    DYNO_TRY(parse_not(parser, out));
    while (dyno_jinja_at_name(parser, "and")) {
        DYNO_TRY(dyno_jinja_advance(parser));
        DYNO_TRY(parse_not(parser, &right));
        DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_AND, *out, right, out));
    }
    return DYNO_OK;
}

static dyno_status parse_or(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *right;

    DYNO_TRY(parse_and(parser, out));
    while (dyno_jinja_at_name(parser, "or")) {
        DYNO_TRY(dyno_jinja_advance(parser));
        DYNO_TRY(parse_and(parser, &right));
        DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_OR, *out, right, out));
    }
    return DYNO_OK;
}

static dyno_status parse_conditional(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *condition;

    while (dyno_jinja_at_name(parser, "if")) {
        DYNO_TRY(dyno_jinja_advance(parser));
        DYNO_TRY(parse_or(parser, &condition));
        DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_CONDITIONAL, *out, condition, out));
        if (dyno_jinja_at_name(parser, "else")) {
            DYNO_TRY(dyno_jinja_advance(parser));
            DYNO_TRY(dyno_jinja_parse_expression(parser, true, &(*out)->c));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_jinja_parse_expression(struct dyno_jinja_parser *parser, bool conditional,
                                        struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_enter(parser));
    DYNO_TRY(parse_or(parser, out));
    if (conditional) {
        DYNO_TRY(parse_conditional(parser, out));
    }
    dyno_jinja_leave(parser);
    return DYNO_OK;
}

/* Where no further item of a tuple can begin. */
static bool at_tuple_end(const struct dyno_jinja_parser *parser)
{
    return parser->token.kind == DYNO_JINJA_T_BLOCK_END ||
           parser->token.kind == DYNO_JINJA_T_OUTPUT_END || dyno_jinja_at_sign(parser, ")") ||
           dyno_jinja_at_sign(parser, "]") || dyno_jinja_at_sign(parser, "=") ||
           dyno_jinja_at_name(parser, "in");
}

dyno_status dyno_jinja_parse_tuple(struct dyno_jinja_parser *parser, bool conditional,
                                   struct dyno_jinja_node **out)
{
    struct dyno_jinja_nodes items;
    struct dyno_jinja_node *item;

    DYNO_TRY(dyno_jinja_parse_expression(parser, conditional, &item));
    *out = item;
    if (!dyno_jinja_at_sign(parser, ",")) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_TUPLE_OF, out));
    dyno_jinja_nodes_start(&items);
    dyno_jinja_nodes_add(&items, item);
    while (dyno_jinja_at_sign(parser, ",")) {
        DYNO_TRY(dyno_jinja_advance(parser));
        if (at_tuple_end(parser)) {
            break;
        }
        DYNO_TRY(dyno_jinja_parse_expression(parser, conditional, &item));
        dyno_jinja_nodes_add(&items, item);
    }
    (*out)->items = items.first;
    return DYNO_OK;
}
