/* What stands between operators: names, literals, brackets, and the attributes, items, calls,
 * filters and tests after them. */
#include <string.h>

#include "backends/assets/template/parser.h"
#include "backends/assets/template/run.h"

static dyno_status literal(struct dyno_jinja_parser *parser, struct dyno_jinja_value value,
                           struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_LITERAL, out));
    (*out)->literal = value;
    return dyno_jinja_advance(parser);
}

static dyno_status parse_name(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_text name = parser->token.text;

    if (dyno_jinja_is_text(name, "true") || dyno_jinja_is_text(name, "True")) {
        return literal(parser, dyno_jinja_boolean(true), out);
    }
    if (dyno_jinja_is_text(name, "false") || dyno_jinja_is_text(name, "False")) {
        return literal(parser, dyno_jinja_boolean(false), out);
    }
    if (dyno_jinja_is_text(name, "none") || dyno_jinja_is_text(name, "None")) {
        return literal(parser, dyno_jinja_none(), out);
    }
    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_NAME, out));
    (*out)->name = name;
    return dyno_jinja_advance(parser);
}

/* Strings side by side are one. */
static dyno_status parse_string(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_text text = parser->token.text;

    DYNO_TRY(literal(parser, dyno_jinja_string(text.bytes, text.size), out));
    while (parser->token.kind == DYNO_JINJA_T_STRING) {
        struct dyno_jinja_text more = parser->token.text;
        char *both = dyno_arena_take(parser->arena, text.size + more.size + 1);

        if (!both) {
            return dyno_jinja_parser_fail(parser, DYNO_NO_MEMORY, "no memory for a string");
        }
        memcpy(both, text.bytes, text.size);
        memcpy(both + text.size, more.bytes, more.size);
        text = (struct dyno_jinja_text){both, text.size + more.size};
        (*out)->literal = dyno_jinja_string(text.bytes, text.size);
        DYNO_TRY(dyno_jinja_advance(parser));
    }
    return DYNO_OK;
}

/* Expressions up to a closing sign, which is taken. */
static dyno_status parse_items(struct dyno_jinja_parser *parser, const char *close,
                               struct dyno_jinja_node **first)
{
    struct dyno_jinja_nodes items;
    struct dyno_jinja_node *item;

    dyno_jinja_nodes_start(&items);
    while (!dyno_jinja_at_sign(parser, close)) {
        DYNO_TRY(dyno_jinja_parse_expression(parser, true, &item));
        dyno_jinja_nodes_add(&items, item);
        if (!dyno_jinja_at_sign(parser, close)) {
            DYNO_TRY(dyno_jinja_expect_sign(parser, ","));
        }
    }
    *first = items.first;
    return dyno_jinja_advance(parser);
}

static dyno_status parse_list(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_LIST_OF, out));
    DYNO_TRY(dyno_jinja_advance(parser));
    return parse_items(parser, "]", &(*out)->items);
}

static dyno_status parse_dict(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_nodes pairs;

    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_DICT_OF, out));
    DYNO_TRY(dyno_jinja_advance(parser));
    dyno_jinja_nodes_start(&pairs);
    while (!dyno_jinja_at_sign(parser, "}")) {
        struct dyno_jinja_node *pair;

        DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_PAIR, &pair));
        DYNO_TRY(dyno_jinja_parse_expression(parser, true, &pair->a));
        DYNO_TRY(dyno_jinja_expect_sign(parser, ":"));
        DYNO_TRY(dyno_jinja_parse_expression(parser, true, &pair->b));
        dyno_jinja_nodes_add(&pairs, pair);
        if (!dyno_jinja_at_sign(parser, "}")) {
            DYNO_TRY(dyno_jinja_expect_sign(parser, ","));
        }
    }
    (*out)->items = pairs.first;
    return dyno_jinja_advance(parser);
}

/* (), (x), (x,) and (x, y). */
static dyno_status parse_brackets(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_advance(parser));
    if (dyno_jinja_at_sign(parser, ")")) {
        DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_TUPLE_OF, out));
        return dyno_jinja_advance(parser);
    }
    DYNO_TRY(dyno_jinja_parse_tuple(parser, true, out));
    return dyno_jinja_expect_sign(parser, ")");
}

static dyno_status parse_primary(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    switch (parser->token.kind) {
    case DYNO_JINJA_T_NAME:
        return parse_name(parser, out);
    case DYNO_JINJA_T_STRING:
        return parse_string(parser, out);
    case DYNO_JINJA_T_INTEGER:
        return literal(parser, dyno_jinja_integer(parser->token.integer), out);
    case DYNO_JINJA_T_DECIMAL:
        return literal(parser, dyno_jinja_decimal(parser->token.decimal), out);
    default:
        break;
    }
    if (dyno_jinja_at_sign(parser, "(")) {
        return parse_brackets(parser, out);
    }
    if (dyno_jinja_at_sign(parser, "[")) {
        return parse_list(parser, out);
    }
    if (dyno_jinja_at_sign(parser, "{")) {
        return parse_dict(parser, out);
    }
    return dyno_jinja_parser_fail(parser, DYNO_BAD_INPUT, "an expression is expected here");
}

/* A named argument is a name before "="; "==" is a sign of its own. */
static dyno_status parse_argument(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *value;

    if (dyno_jinja_at_sign(parser, "*") || dyno_jinja_at_sign(parser, "**")) {
        return dyno_jinja_parser_fail(parser, DYNO_UNSUPPORTED, "* before an argument");
    }
    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_ARGUMENT, out));
    DYNO_TRY(dyno_jinja_parse_expression(parser, true, &value));
    if (value->kind == DYNO_JINJA_NAME && dyno_jinja_at_sign(parser, "=")) {
        (*out)->name = value->name;
        DYNO_TRY(dyno_jinja_advance(parser));
        DYNO_TRY(dyno_jinja_parse_expression(parser, true, &value));
    }
    (*out)->a = value;
    return DYNO_OK;
}

/* "(" is there.  Positional ones come first. */
static dyno_status parse_arguments(struct dyno_jinja_parser *parser, struct dyno_jinja_node **first)
{
    struct dyno_jinja_nodes arguments;
    struct dyno_jinja_node *argument;
    bool named = false;

    dyno_jinja_nodes_start(&arguments);
    DYNO_TRY(dyno_jinja_advance(parser));
    while (!dyno_jinja_at_sign(parser, ")")) {
        DYNO_TRY(parse_argument(parser, &argument));
        if (named && argument->name.size == 0) {
            return dyno_jinja_parser_fail(parser, DYNO_BAD_INPUT,
                                          "an argument without a name follows one with a name");
        }
        named = argument->name.size > 0;
        dyno_jinja_nodes_add(&arguments, argument);
        if (!dyno_jinja_at_sign(parser, ")")) {
            DYNO_TRY(dyno_jinja_expect_sign(parser, ","));
        }
    }
    *first = arguments.first;
    return dyno_jinja_advance(parser);
}

static dyno_status parse_attribute(struct dyno_jinja_parser *parser, struct dyno_jinja_node *of,
                                   struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_advance(parser));
    if (parser->token.kind == DYNO_JINJA_T_INTEGER) {
        DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_ITEM, of, NULL, out));
        return literal(parser, dyno_jinja_integer(parser->token.integer), &(*out)->b);
    }
    DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_ATTRIBUTE, of, NULL, out));
    return dyno_jinja_take_name(parser, &(*out)->name);
}

/* One of the three parts of a slice; absent is none. */
static dyno_status parse_slice_part(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    if (dyno_jinja_at_sign(parser, ":") || dyno_jinja_at_sign(parser, "]")) {
        DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_LITERAL, out));
        (*out)->literal = dyno_jinja_none();
        return DYNO_OK;
    }
    return dyno_jinja_parse_expression(parser, true, out);
}

static dyno_status parse_item(struct dyno_jinja_parser *parser, struct dyno_jinja_node *of,
                              struct dyno_jinja_node **out)
{
    struct dyno_jinja_nodes parts;
    struct dyno_jinja_node *part;
    uint32_t count = 0;

    dyno_jinja_nodes_start(&parts);
    DYNO_TRY(dyno_jinja_advance(parser));
    if (!dyno_jinja_at_sign(parser, ":")) {
        DYNO_TRY(dyno_jinja_parse_tuple(parser, true, &part));
        if (dyno_jinja_at_sign(parser, "]")) {
            DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_ITEM, of, part, out));
            return dyno_jinja_advance(parser);
        }
    } else {
        DYNO_TRY(parse_slice_part(parser, &part));
    }
    for (;;) {
        dyno_jinja_nodes_add(&parts, part);
        count++;
        if (count == 3) {
            break;
        }
        if (!dyno_jinja_at_sign(parser, "]")) {
            DYNO_TRY(dyno_jinja_expect_sign(parser, ":"));
        }
        DYNO_TRY(parse_slice_part(parser, &part));
    }
    DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_SLICE, of, NULL, out));
    (*out)->items = parts.first;
    return dyno_jinja_expect_sign(parser, "]");
}

static dyno_status parse_call(struct dyno_jinja_parser *parser, struct dyno_jinja_node *of,
                              struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_CALL, of, NULL, out));
    return parse_arguments(parser, &(*out)->items);
}

static dyno_status parse_postfix(struct dyno_jinja_parser *parser, struct dyno_jinja_node *subject,
                                 struct dyno_jinja_node **out)
{
    for (;;) {
        if (dyno_jinja_at_sign(parser, ".")) {
            DYNO_TRY(parse_attribute(parser, subject, &subject));
        } else if (dyno_jinja_at_sign(parser, "[")) {
            DYNO_TRY(parse_item(parser, subject, &subject));
        } else if (dyno_jinja_at_sign(parser, "(")) {
            DYNO_TRY(parse_call(parser, subject, &subject));
        } else {
            *out = subject;
            return DYNO_OK;
        }
    }
}

dyno_status dyno_jinja_parse_operand(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *subject;

    DYNO_TRY(parse_primary(parser, &subject));
    return parse_postfix(parser, subject, out);
}

static dyno_status refuse_name(const struct dyno_jinja_parser *parser, const char *kind,
                               struct dyno_jinja_text name)
{
    (void)dyno_fail(parser->error, DYNO_UNSUPPORTED,
                    "chat template, line %u: there is no %s '%.*s' here", parser->token.line, kind,
                    (int)(name.size < 60 ? name.size : 60), name.bytes);
    return DYNO_UNSUPPORTED;
}

static dyno_status parse_filter(struct dyno_jinja_parser *parser, struct dyno_jinja_node *subject,
                                struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_FILTER, subject, NULL, out));
    DYNO_TRY(dyno_jinja_take_name(parser, &(*out)->name));
    (*out)->function = dyno_jinja_filter((*out)->name);
    if (!(*out)->function) {
        return refuse_name(parser, "filter", (*out)->name);
    }
    return dyno_jinja_at_sign(parser, "(") ? parse_arguments(parser, &(*out)->items) : DYNO_OK;
}

/* Whether an argument of a test follows that has no brackets around it. */
static bool at_test_argument(const struct dyno_jinja_parser *parser)
{
    static const char *const words[] = {"else", "or", "and", "if", "is", "in", "not"};

    if (parser->token.kind == DYNO_JINJA_T_SIGN) {
        return dyno_jinja_at_sign(parser, "[") || dyno_jinja_at_sign(parser, "{");
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (dyno_jinja_at_name(parser, words[i])) {
            return false;
        }
    }
    return parser->token.kind >= DYNO_JINJA_T_NAME && parser->token.kind <= DYNO_JINJA_T_DECIMAL;
}

/* `is` was seen. */
static dyno_status parse_test(struct dyno_jinja_parser *parser, struct dyno_jinja_node *subject,
                              struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *test, *argument;
    bool negated;

    DYNO_TRY(dyno_jinja_advance(parser));
    negated = dyno_jinja_at_name(parser, "not");
    if (negated) {
        DYNO_TRY(dyno_jinja_advance(parser));
    }
    DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_TEST, subject, NULL, &test));
    DYNO_TRY(dyno_jinja_take_name(parser, &test->name));
    test->function = dyno_jinja_test(test->name);
    if (!test->function) {
        return refuse_name(parser, "test", test->name);
    }
    if (dyno_jinja_at_sign(parser, "(")) {
        DYNO_TRY(parse_arguments(parser, &test->items));
    } else if (at_test_argument(parser)) {
        DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_ARGUMENT, &argument));
        DYNO_TRY(dyno_jinja_parse_operand(parser, &argument->a));
        test->items = argument;
    }
    if (!negated) {
        *out = test;
        return DYNO_OK;
    }
    DYNO_TRY(dyno_jinja_pair_node(parser, DYNO_JINJA_UNARY, test, NULL, out));
    (*out)->operation = DYNO_JINJA_NOT;
    return DYNO_OK;
}

dyno_status dyno_jinja_parse_filters(struct dyno_jinja_parser *parser, bool piped,
                                     struct dyno_jinja_node *subject, struct dyno_jinja_node **out)
{
    for (;;) {
        if (piped || dyno_jinja_at_sign(parser, "|")) {
            if (!piped) {
                DYNO_TRY(dyno_jinja_advance(parser));
            }
            piped = false;
            DYNO_TRY(parse_filter(parser, subject, &subject));
        } else if (dyno_jinja_at_name(parser, "is")) {
            DYNO_TRY(parse_test(parser, subject, &subject));
        } else if (dyno_jinja_at_sign(parser, "(")) {
            DYNO_TRY(parse_call(parser, subject, &subject));
        } else {
            *out = subject;
            return DYNO_OK;
        }
    }
}
