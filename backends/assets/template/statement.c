/* Statements, and what both parsers stand on. */
#include <string.h>

#include "backends/assets/template/parser.h"
#include "backends/assets/template/run.h"
#include "backends/assets/template/template.h"

static dyno_status parse_body(struct dyno_jinja_parser *parser, const char *const *ends,
                              struct dyno_jinja_node **out);

void dyno_jinja_nodes_start(struct dyno_jinja_nodes *nodes)
{
    nodes->first = NULL;
    nodes->last = &nodes->first;
}

void dyno_jinja_nodes_add(struct dyno_jinja_nodes *nodes, struct dyno_jinja_node *node)
{
    *nodes->last = node;
    nodes->last = &node->next;
}

void dyno_jinja_parser_report(const struct dyno_jinja_parser *parser, dyno_status status,
                              const char *what)
{
    (void)dyno_fail(parser->error, status, "chat template, line %u: %s%s", parser->token.line, what,
                    status == DYNO_UNSUPPORTED ? " is not done here" : "");
}

dyno_status dyno_jinja_new_node(const struct dyno_jinja_parser *parser, enum dyno_jinja_kind kind,
                                struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *node = dyno_arena_take(parser->arena, sizeof *node);

    if (!node) {
        return dyno_jinja_parser_fail(parser, DYNO_NO_MEMORY, "no memory for the template");
    }
    node->kind = kind;
    node->line = parser->token.line;
    *out = node;
    return DYNO_OK;
}

dyno_status dyno_jinja_pair_node(const struct dyno_jinja_parser *parser, enum dyno_jinja_kind kind,
                                 struct dyno_jinja_node *left, struct dyno_jinja_node *right,
                                 struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_new_node(parser, kind, out));
    (*out)->a = left;
    (*out)->b = right;
    return DYNO_OK;
}

dyno_status dyno_jinja_advance(struct dyno_jinja_parser *parser)
{
    return dyno_jinja_lexer_next(&parser->lexer, &parser->token);
}

bool dyno_jinja_at_sign(const struct dyno_jinja_parser *parser, const char *sign)
{
    return parser->token.kind == DYNO_JINJA_T_SIGN && dyno_jinja_is_text(parser->token.text, sign);
}

bool dyno_jinja_at_name(const struct dyno_jinja_parser *parser, const char *name)
{
    return parser->token.kind == DYNO_JINJA_T_NAME && dyno_jinja_is_text(parser->token.text, name);
}

static dyno_status expected(const struct dyno_jinja_parser *parser, const char *what)
{
    (void)dyno_fail(parser->error, DYNO_BAD_INPUT, "chat template, line %u: %s is expected here",
                    parser->token.line, what);
    return DYNO_BAD_INPUT;
}

dyno_status dyno_jinja_expect_sign(struct dyno_jinja_parser *parser, const char *sign)
{
    return dyno_jinja_at_sign(parser, sign) ? dyno_jinja_advance(parser) : expected(parser, sign);
}

dyno_status dyno_jinja_expect_name(struct dyno_jinja_parser *parser, const char *name)
{
    return dyno_jinja_at_name(parser, name) ? dyno_jinja_advance(parser) : expected(parser, name);
}

dyno_status dyno_jinja_take_name(struct dyno_jinja_parser *parser, struct dyno_jinja_text *out)
{
    if (parser->token.kind != DYNO_JINJA_T_NAME) {
        return expected(parser, "a name");
    }
    *out = parser->token.text;
    return dyno_jinja_advance(parser);
}

dyno_status dyno_jinja_enter(struct dyno_jinja_parser *parser)
{
    if (parser->depth++ >= DYNO_TEMPLATE_DEPTH_MAX) {
        return dyno_jinja_parser_fail(parser, DYNO_BAD_INPUT, "blocks or brackets nest too deeply");
    }
    return DYNO_OK;
}

void dyno_jinja_leave(struct dyno_jinja_parser *parser)
{
    parser->depth--;
}

static dyno_status expect_block_end(struct dyno_jinja_parser *parser)
{
    if (parser->token.kind != DYNO_JINJA_T_BLOCK_END) {
        return expected(parser, "%}");
    }
    return dyno_jinja_advance(parser);
}

/* A body, then the word that ends it, which is left to be taken. */
static dyno_status parse_block(struct dyno_jinja_parser *parser, const char *const *ends,
                               struct dyno_jinja_node **out)
{
    DYNO_TRY(expect_block_end(parser));
    return parse_body(parser, ends, out);
}

/* A body up to {% end %}, all of which is taken but the %}. */
static dyno_status parse_to(struct dyno_jinja_parser *parser, const char *end,
                            struct dyno_jinja_node **out)
{
    const char *const ends[] = {end, NULL};

    DYNO_TRY(parse_block(parser, ends, out));
    return dyno_jinja_advance(parser);
}

/* `if` or `elif` was taken. */
static dyno_status parse_if(struct dyno_jinja_parser *parser, struct dyno_jinja_node *node)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};

    DYNO_TRY(dyno_jinja_parse_tuple(parser, true, &node->a));
    DYNO_TRY(parse_block(parser, ends, &node->b));
    while (dyno_jinja_at_name(parser, "elif")) {
        struct dyno_jinja_node *other;

        DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_IF, &other));
        DYNO_TRY(dyno_jinja_advance(parser));
        DYNO_TRY(dyno_jinja_parse_tuple(parser, true, &other->a));
        DYNO_TRY(parse_block(parser, ends, &other->b));
        node->filter = other;
        node = other;
    }
    if (dyno_jinja_at_name(parser, "else")) {
        DYNO_TRY(dyno_jinja_advance(parser));
        return parse_to(parser, "endif", &node->c);
    }
    return dyno_jinja_advance(parser);
}

/* Names, or `namespace.name`, parted by commas, perhaps in brackets. */
static dyno_status parse_targets(struct dyno_jinja_parser *parser, bool attributes,
                                 struct dyno_jinja_node **first)
{
    bool brackets = dyno_jinja_at_sign(parser, "(");
    struct dyno_jinja_nodes targets;

    dyno_jinja_nodes_start(&targets);
    if (brackets) {
        DYNO_TRY(dyno_jinja_advance(parser));
    }
    for (;;) {
        struct dyno_jinja_node *target, *attribute;

        DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_NAME, &target));
        DYNO_TRY(dyno_jinja_take_name(parser, &target->name));
        if (attributes && dyno_jinja_at_sign(parser, ".")) {
            DYNO_TRY(dyno_jinja_advance(parser));
            DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_ATTRIBUTE, &attribute));
            attribute->a = target;
            DYNO_TRY(dyno_jinja_take_name(parser, &attribute->name));
            target = attribute;
        }
        dyno_jinja_nodes_add(&targets, target);
        if (!dyno_jinja_at_sign(parser, ",")) {
            break;
        }
        DYNO_TRY(dyno_jinja_advance(parser));
        if (parser->token.kind != DYNO_JINJA_T_NAME || dyno_jinja_at_name(parser, "in")) {
            break;
        }
    }
    *first = targets.first;
    return brackets ? dyno_jinja_expect_sign(parser, ")") : DYNO_OK;
}

static dyno_status parse_for(struct dyno_jinja_parser *parser, struct dyno_jinja_node *node)
{
    static const char *const ends[] = {"else", "endfor", NULL};

    DYNO_TRY(parse_targets(parser, false, &node->items));
    DYNO_TRY(dyno_jinja_expect_name(parser, "in"));
    DYNO_TRY(dyno_jinja_parse_tuple(parser, false, &node->a));
    if (dyno_jinja_at_name(parser, "if")) {
        DYNO_TRY(dyno_jinja_advance(parser));
        DYNO_TRY(dyno_jinja_parse_expression(parser, true, &node->filter));
    }
    if (dyno_jinja_at_name(parser, "recursive")) {
        return dyno_jinja_parser_fail(parser, DYNO_UNSUPPORTED, "a recursive loop");
    }
    parser->loops++;
    DYNO_TRY(parse_block(parser, ends, &node->b));
    parser->loops--;
    if (dyno_jinja_at_name(parser, "else")) {
        DYNO_TRY(dyno_jinja_advance(parser));
        return parse_to(parser, "endfor", &node->c);
    }
    return dyno_jinja_advance(parser);
}

/* The filters that a captured text goes through. */
static dyno_status parse_body_filters(struct dyno_jinja_parser *parser, bool piped,
                                      struct dyno_jinja_node **out)
{
    struct dyno_jinja_node *body;

    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_BODY, &body));
    return dyno_jinja_parse_filters(parser, piped, body, out);
}

static dyno_status parse_set(struct dyno_jinja_parser *parser, struct dyno_jinja_node *node)
{
    DYNO_TRY(parse_targets(parser, true, &node->items));
    if (dyno_jinja_at_sign(parser, "=")) {
        DYNO_TRY(dyno_jinja_advance(parser));
        return dyno_jinja_parse_tuple(parser, true, &node->a);
    }
    node->kind = DYNO_JINJA_SET_BLOCK;
    if (node->items->next) {
        return dyno_jinja_parser_fail(parser, DYNO_BAD_INPUT, "a set block has one name");
    }
    DYNO_TRY(parse_body_filters(parser, false, &node->a));
    return parse_to(parser, "endset", &node->b);
}

/* "(" a, b=1 ")" of a macro or a call. */
static dyno_status parse_parameters(struct dyno_jinja_parser *parser,
                                    struct dyno_jinja_node **first)
{
    struct dyno_jinja_nodes parameters;

    dyno_jinja_nodes_start(&parameters);
    DYNO_TRY(dyno_jinja_expect_sign(parser, "("));
    while (!dyno_jinja_at_sign(parser, ")")) {
        struct dyno_jinja_node *parameter;

        DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_ARGUMENT, &parameter));
        DYNO_TRY(dyno_jinja_take_name(parser, &parameter->name));
        if (dyno_jinja_at_sign(parser, "=")) {
            DYNO_TRY(dyno_jinja_advance(parser));
            DYNO_TRY(dyno_jinja_parse_expression(parser, true, &parameter->a));
        }
        dyno_jinja_nodes_add(&parameters, parameter);
        if (!dyno_jinja_at_sign(parser, ")")) {
            DYNO_TRY(dyno_jinja_expect_sign(parser, ","));
        }
    }
    *first = parameters.first;
    return dyno_jinja_advance(parser);
}

/* A body that loops around it do not reach into. */
static dyno_status parse_apart(struct dyno_jinja_parser *parser, const char *end,
                               struct dyno_jinja_node **out)
{
    uint32_t loops = parser->loops;

    parser->loops = 0;
    DYNO_TRY(parse_to(parser, end, out));
    parser->loops = loops;
    return DYNO_OK;
}

static dyno_status parse_macro(struct dyno_jinja_parser *parser, struct dyno_jinja_node *node)
{
    DYNO_TRY(dyno_jinja_take_name(parser, &node->name));
    DYNO_TRY(parse_parameters(parser, &node->items));
    return parse_apart(parser, "endmacro", &node->b);
}

static dyno_status parse_call_block(struct dyno_jinja_parser *parser, struct dyno_jinja_node *node)
{
    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_MACRO_BLOCK, &node->c));
    if (dyno_jinja_at_sign(parser, "(")) {
        DYNO_TRY(parse_parameters(parser, &node->c->items));
    }
    DYNO_TRY(dyno_jinja_parse_unary(parser, &node->a));
    if (node->a->kind != DYNO_JINJA_CALL) {
        return dyno_jinja_parser_fail(parser, DYNO_BAD_INPUT, "{% call %} needs a call");
    }
    return parse_apart(parser, "endcall", &node->c->b);
}

static dyno_status parse_filter_block(struct dyno_jinja_parser *parser,
                                      struct dyno_jinja_node *node)
{
    DYNO_TRY(parse_body_filters(parser, true, &node->a));
    return parse_to(parser, "endfilter", &node->b);
}

static dyno_status parse_with(struct dyno_jinja_parser *parser, struct dyno_jinja_node *node)
{
    struct dyno_jinja_nodes names;

    dyno_jinja_nodes_start(&names);
    while (parser->token.kind != DYNO_JINJA_T_BLOCK_END) {
        struct dyno_jinja_node *name;

        DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_ARGUMENT, &name));
        DYNO_TRY(dyno_jinja_take_name(parser, &name->name));
        DYNO_TRY(dyno_jinja_expect_sign(parser, "="));
        DYNO_TRY(dyno_jinja_parse_expression(parser, true, &name->a));
        dyno_jinja_nodes_add(&names, name);
        if (!dyno_jinja_at_sign(parser, ",")) {
            break;
        }
        DYNO_TRY(dyno_jinja_advance(parser));
    }
    node->items = names.first;
    return parse_to(parser, "endwith", &node->b);
}

/* Hugging Face marks what a model says itself, for training; here it is only text. */
static dyno_status parse_generation(struct dyno_jinja_parser *parser, struct dyno_jinja_node *node)
{
    return parse_to(parser, "endgeneration", &node->b);
}

static dyno_status parse_jump(struct dyno_jinja_parser *parser, struct dyno_jinja_node *node)
{
    (void)node;
    return parser->loops > 0 ? DYNO_OK
                             : dyno_jinja_parser_fail(parser, DYNO_BAD_INPUT,
                                                      "break and continue belong into a loop");
}

static dyno_status parse_statement(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    static const struct {
        const char *word;
        enum dyno_jinja_kind kind;
        dyno_status (*parse)(struct dyno_jinja_parser *, struct dyno_jinja_node *);
    } statements[] = {{"if", DYNO_JINJA_IF, parse_if},
                      {"for", DYNO_JINJA_FOR, parse_for},
                      {"set", DYNO_JINJA_SET, parse_set},
                      {"macro", DYNO_JINJA_MACRO_BLOCK, parse_macro},
                      {"call", DYNO_JINJA_CALL_BLOCK, parse_call_block},
                      {"filter", DYNO_JINJA_FILTER_BLOCK, parse_filter_block},
                      {"with", DYNO_JINJA_WITH, parse_with},
                      {"generation", DYNO_JINJA_WITH, parse_generation},
                      {"break", DYNO_JINJA_BREAK_LOOP, parse_jump},
                      {"continue", DYNO_JINJA_CONTINUE_LOOP, parse_jump}};
    struct dyno_jinja_text word = parser->token.text;

    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (dyno_jinja_at_name(parser, statements[i].word)) {
            DYNO_TRY(dyno_jinja_new_node(parser, statements[i].kind, out));
            DYNO_TRY(dyno_jinja_advance(parser));
            DYNO_TRY(dyno_jinja_enter(parser));
            DYNO_TRY(statements[i].parse(parser, *out));
            dyno_jinja_leave(parser);
            return expect_block_end(parser);
        }
    }
    if (parser->token.kind != DYNO_JINJA_T_NAME) {
        return expected(parser, "a statement");
    }
    (void)dyno_fail(parser->error, DYNO_UNSUPPORTED,
                    "chat template, line %u: there is no statement '%.*s' here", parser->token.line,
                    (int)(word.size < 60 ? word.size : 60), word.bytes);
    return DYNO_UNSUPPORTED;
}

static dyno_status parse_output(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_OUTPUT, out));
    DYNO_TRY(dyno_jinja_advance(parser));
    DYNO_TRY(dyno_jinja_parse_tuple(parser, true, &(*out)->a));
    if (parser->token.kind != DYNO_JINJA_T_OUTPUT_END) {
        return expected(parser, "}}");
    }
    return dyno_jinja_advance(parser);
}

static bool at_one_of(const struct dyno_jinja_parser *parser, const char *const *words)
{
    for (; words && *words; words++) {
        if (dyno_jinja_at_name(parser, *words)) {
            return true;
        }
    }
    return false;
}

static dyno_status parse_data(struct dyno_jinja_parser *parser, struct dyno_jinja_node **out)
{
    DYNO_TRY(dyno_jinja_new_node(parser, DYNO_JINJA_DATA, out));
    (*out)->name = parser->token.text;
    return dyno_jinja_advance(parser);
}

/* Statements up to one of `ends`, of which the last ends the block (NULL: to the end of the
 * template). */
static dyno_status parse_body(struct dyno_jinja_parser *parser, const char *const *ends,
                              struct dyno_jinja_node **out)
{
    struct dyno_jinja_nodes nodes;
    struct dyno_jinja_node *node = NULL;

    dyno_jinja_nodes_start(&nodes);
    while (parser->token.kind != DYNO_JINJA_T_END) {
        if (parser->token.kind == DYNO_JINJA_T_DATA) {
            DYNO_TRY(parse_data(parser, &node));
        } else if (parser->token.kind == DYNO_JINJA_T_OUTPUT_BEGIN) {
            DYNO_TRY(parse_output(parser, &node));
        } else {
            DYNO_TRY(dyno_jinja_advance(parser));
            if (at_one_of(parser, ends)) {
                *out = nodes.first;
                return DYNO_OK;
            }
            DYNO_TRY(parse_statement(parser, &node));
        }
        dyno_jinja_nodes_add(&nodes, node);
    }
    *out = nodes.first;
    if (!ends) {
        return DYNO_OK;
    }
    while (ends[1]) {
        ends++;
    }
    return expected(parser, *ends);
}

dyno_status dyno_jinja_parse(struct dyno_jinja_node **out, struct dyno_arena *arena,
                             const char *text, struct dyno_error *error)
{
    struct dyno_jinja_parser parser = {.arena = arena, .error = error};

    DYNO_TRY(dyno_jinja_lexer_start(&parser.lexer, arena, text, error));
    DYNO_TRY(dyno_jinja_advance(&parser));
    return parse_body(&parser, NULL, out);
}
