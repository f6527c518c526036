/* Expressions as values. */
#include <string.h>

#include "backends/assets/template/run.h"
#include "backends/assets/template/template.h"

static dyno_status evaluate_items(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                  struct dyno_jinja_value *out)
{
    DYNO_TRY(dyno_jinja_new_list(run, 4, out));
    out->as.list->is_tuple = node->kind == DYNO_JINJA_TUPLE_OF;
    for (const struct dyno_jinja_node *item = node->items; item; item = item->next) {
        struct dyno_jinja_value value = {0};

        DYNO_TRY(dyno_jinja_evaluate(run, item, &value));
        DYNO_TRY(dyno_jinja_append(run, out->as.list, value));
    }
    return DYNO_OK;
}

static dyno_status evaluate_dict(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                 struct dyno_jinja_value *out)
{
    DYNO_TRY(dyno_jinja_new_dict(run, 4, out));
    for (const struct dyno_jinja_node *pair = node->items; pair; pair = pair->next) {
        struct dyno_jinja_value key, value;

        DYNO_TRY(dyno_jinja_evaluate(run, pair->a, &key));
        DYNO_TRY(dyno_jinja_evaluate(run, pair->b, &value));
        DYNO_TRY(dyno_jinja_put(run, out->as.dict, key, value));
    }
    return DYNO_OK;
}

static dyno_status evaluate_name(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                 struct dyno_jinja_value *out)
{
    const struct dyno_jinja_value *value = dyno_jinja_lookup_name(run, node->name);
    const struct dyno_jinja_function *function;
    struct dyno_jinja_bound *bound;

    DYNO_TRY(dyno_jinja_spend(run, 1));
    if (value) {
        *out = *value;
        return DYNO_OK;
    }
    function = dyno_jinja_global(node->name);
    if (!function) {
        *out = dyno_jinja_undefined(node->name);
        return DYNO_OK;
    }
    DYNO_TRY(dyno_jinja_take(run, sizeof *bound, &bound));
    bound->function = function;
    *out = (struct dyno_jinja_value){.type = DYNO_JINJA_FUNCTION, .as.bound = bound};
    return DYNO_OK;
}

/* A method of `value`, or undefined. */
static dyno_status find_method(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                               struct dyno_jinja_text name, struct dyno_jinja_value *out)
{
    const struct dyno_jinja_function *function =
        value->type == DYNO_JINJA_STRING ? dyno_jinja_string_method(name)
                                         : dyno_jinja_collection_method(value->type, name);
    struct dyno_jinja_bound *bound;

    if (!function) {
        *out = dyno_jinja_undefined(name);
        return DYNO_OK;
    }
    DYNO_TRY(dyno_jinja_take(run, sizeof *bound, &bound));
    *bound = (struct dyno_jinja_bound){function, *value};
    *out = (struct dyno_jinja_value){.type = DYNO_JINJA_FUNCTION, .as.bound = bound};
    return DYNO_OK;
}

static dyno_status refuse_undefined(struct dyno_jinja_run *run,
                                    const struct dyno_jinja_value *value)
{
    return dyno_jinja_fail(run, "'%.*s' is undefined",
                           (int)(value->as.text.size < 80 ? value->as.text.size : 80),
                           value->as.text.bytes);
}

/* Python's attributes come first, then the items of a mapping. */
dyno_status dyno_jinja_attribute(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                                 struct dyno_jinja_text name, struct dyno_jinja_value *out)
{
    struct dyno_jinja_value key = dyno_jinja_string(name.bytes, name.size), *found = NULL;

    if (value->type == DYNO_JINJA_UNDEFINED) {
        return refuse_undefined(run, value);
    }
    if (value->type == DYNO_JINJA_LOOP) {
        return dyno_jinja_loop_attribute(run, value, name, out);
    }
    if (value->type == DYNO_JINJA_NAMESPACE || value->type == DYNO_JINJA_DICT) {
        if (value->type == DYNO_JINJA_DICT) {
            DYNO_TRY(find_method(run, value, name, out));
            if (out->type != DYNO_JINJA_UNDEFINED) {
                return DYNO_OK;
            }
        }
        DYNO_TRY(dyno_jinja_find(run, value->as.dict, &key, &found));
        *out = found ? *found : dyno_jinja_undefined(name);
        return DYNO_OK;
    }
    return find_method(run, value, name, out);
}

/* The place that Python's index means, or false. */
static bool place_of(int64_t index, size_t count, size_t *out)
{
    if (index < 0) {
        index += (int64_t)count;
    }
    *out = (size_t)index;
    return index >= 0 && (uint64_t)index < count;
}

static dyno_status item_of_string(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                                  int64_t index, struct dyno_jinja_value *out)
{
    size_t place, at = 0;

    DYNO_TRY(dyno_jinja_spend(run, text.size / 8));
    if (!place_of(index, dyno_jinja_characters(text), &place)) {
        *out = dyno_jinja_undefined(DYNO_JINJA_TEXT("a character of a string"));
        return DYNO_OK;
    }
    for (size_t i = 0; i < place; i++) {
        at += dyno_jinja_character(text, at);
    }
    *out = dyno_jinja_string(text.bytes + at, dyno_jinja_character(text, at));
    return DYNO_OK;
}

dyno_status dyno_jinja_item(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                            const struct dyno_jinja_value *key, struct dyno_jinja_value *out)
{
    struct dyno_jinja_value *found;
    size_t place;

    if (value->type == DYNO_JINJA_UNDEFINED) {
        return refuse_undefined(run, value);
    }
    if (value->type == DYNO_JINJA_DICT) {
        DYNO_TRY(dyno_jinja_find(run, value->as.dict, key, &found));
        if (found) {
            *out = *found;
            return DYNO_OK;
        }
    }
    if (value->type == DYNO_JINJA_LIST && dyno_jinja_is_whole(key)) {
        *out = place_of(dyno_jinja_whole(key), value->as.list->count, &place)
                   ? value->as.list->items[place]
                   : dyno_jinja_undefined(DYNO_JINJA_TEXT("an item of a list"));
        return DYNO_OK;
    }
    if (value->type == DYNO_JINJA_STRING && dyno_jinja_is_whole(key)) {
        return item_of_string(run, value->as.text, dyno_jinja_whole(key), out);
    }
    if (key->type == DYNO_JINJA_STRING) {
        return dyno_jinja_attribute(run, value, key->as.text, out);
    }
    *out = dyno_jinja_undefined(DYNO_JINJA_TEXT("an item"));
    return DYNO_OK;
}

/* A part of a slice: an integer or none. */
static dyno_status slice_part(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                              bool *given, int64_t *out)
{
    struct dyno_jinja_value value = {0};

    DYNO_TRY(dyno_jinja_evaluate(run, node, &value));
    *given = value.type != DYNO_JINJA_NONE;
    if (*given && !dyno_jinja_is_whole(&value)) {
        return dyno_jinja_fail(run, "a slice needs integers, not %s", dyno_jinja_type_name(&value));
    }
    *out = *given ? dyno_jinja_whole(&value) : 0;
    return DYNO_OK;
}

static int64_t clamp(int64_t index, int64_t count, int64_t least, int64_t greatest)
{
    if (index < 0) {
        index = index < -count ? least : index + count;
    }
    return index < least ? least : index > greatest ? greatest : index;
}

static dyno_status slice_list(struct dyno_jinja_run *run, const struct dyno_jinja_list *list,
                              const struct dyno_jinja_node *parts, struct dyno_jinja_value *out)
{
    int64_t start, stop, step, count = (int64_t)list->count;
    bool has_start, has_stop, has_step;

    DYNO_TRY(slice_part(run, parts, &has_start, &start));
    DYNO_TRY(slice_part(run, parts->next, &has_stop, &stop));
    DYNO_TRY(slice_part(run, parts->next->next, &has_step, &step));
    step = has_step ? step : 1;
    if (step == 0) {
        return dyno_jinja_fail(run, "the step of a slice is 0");
    }
    if (step > 0) {
        start = has_start ? clamp(start, count, 0, count) : 0;
        stop = has_stop ? clamp(stop, count, 0, count) : count;
        step = step > count ? count + 1 : step;
    } else {
        start = has_start ? clamp(start, count, -1, count - 1) : count - 1;
        stop = has_stop ? clamp(stop, count, -1, count - 1) : -1;
        step = step < -count ? -count - 1 : step;
    }
    DYNO_TRY(dyno_jinja_new_list(run, 8, out));
    out->as.list->is_tuple = list->is_tuple;
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        DYNO_TRY(dyno_jinja_append(run, out->as.list, list->items[i]));
    }
    return DYNO_OK;
}

/* Of a string: its characters, put together again. */
static dyno_status evaluate_slice(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                  struct dyno_jinja_value *out)
{
    struct dyno_jinja_builder builder = {0};
    struct dyno_jinja_value value, part;
    struct dyno_jinja_list *list;

    DYNO_TRY(dyno_jinja_evaluate(run, node->a, &value));
    if (value.type == DYNO_JINJA_UNDEFINED) {
        return refuse_undefined(run, &value);
    }
    if (value.type != DYNO_JINJA_LIST && value.type != DYNO_JINJA_STRING) {
        return dyno_jinja_fail(run, "%s cannot be sliced", dyno_jinja_type_name(&value));
    }
    DYNO_TRY(dyno_jinja_iterate(run, &value, &list));
    DYNO_TRY(slice_list(run, list, node->items, out));
    if (value.type == DYNO_JINJA_LIST) {
        return DYNO_OK;
    }
    part = *out;
    for (size_t i = 0; i < part.as.list->count; i++) {
        DYNO_TRY(dyno_jinja_print(run, &builder, &part.as.list->items[i]));
    }
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

dyno_status dyno_jinja_evaluate_arguments(struct dyno_jinja_run *run,
                                          const struct dyno_jinja_node *call,
                                          struct dyno_jinja_arguments *out)
{
    size_t count = 0;

    for (const struct dyno_jinja_node *item = call->items; item; item = item->next) {
        count++;
    }
    *out = (struct dyno_jinja_arguments){0};
    DYNO_TRY(dyno_jinja_take(run, count * sizeof *out->items, &out->items));
    DYNO_TRY(dyno_jinja_take(run, count * sizeof *out->named, &out->named));
    for (const struct dyno_jinja_node *item = call->items; item; item = item->next) {
        struct dyno_jinja_value value;

        DYNO_TRY(dyno_jinja_evaluate(run, item->a, &value));
        if (item->name.size > 0) {
            out->named[out->named_count++] = (struct dyno_jinja_name){item->name, value};
        } else {
            out->items[out->count++] = value;
        }
    }
    return DYNO_OK;
}

static dyno_status evaluate_call(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                 struct dyno_jinja_value *out)
{
    struct dyno_jinja_arguments arguments;
    struct dyno_jinja_value callee;

    DYNO_TRY(dyno_jinja_evaluate(run, node->a, &callee));
    DYNO_TRY(dyno_jinja_evaluate_arguments(run, node, &arguments));
    run->line = node->line;
    if (callee.type == DYNO_JINJA_MACRO) {
        return dyno_jinja_call_macro(run, callee.as.closure, &arguments, NULL, out);
    }
    if (callee.type == DYNO_JINJA_FUNCTION) {
        return dyno_jinja_call_function(run, callee.as.bound->function, &callee.as.bound->subject,
                                        &arguments, out);
    }
    if (callee.type == DYNO_JINJA_UNDEFINED) {
        return refuse_undefined(run, &callee);
    }
    return dyno_jinja_fail(run, "%s cannot be called", dyno_jinja_type_name(&callee));
}

static dyno_status evaluate_function(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                     struct dyno_jinja_value *out)
{
    struct dyno_jinja_arguments arguments;
    struct dyno_jinja_value subject;

    DYNO_TRY(dyno_jinja_evaluate(run, node->a, &subject));
    DYNO_TRY(dyno_jinja_evaluate_arguments(run, node, &arguments));
    run->line = node->line;
    return dyno_jinja_call_function(run, node->function, &subject, &arguments, out);
}

static dyno_status evaluate_unary(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                  struct dyno_jinja_value *out)
{
    struct dyno_jinja_value operand, zero = dyno_jinja_integer(0);

    DYNO_TRY(dyno_jinja_evaluate(run, node->a, &operand));
    if (node->operation == DYNO_JINJA_NOT) {
        *out = dyno_jinja_boolean(!dyno_jinja_truth(&operand));
        return DYNO_OK;
    }
    if (!dyno_jinja_is_number(&operand)) {
        return dyno_jinja_fail(run, "%s has no sign", dyno_jinja_type_name(&operand));
    }
    if (operand.type == DYNO_JINJA_DECIMAL) {
        *out = dyno_jinja_decimal(node->operation == DYNO_JINJA_MINUS ? -operand.as.decimal
                                                                      : operand.as.decimal);
        return DYNO_OK;
    }
    return dyno_jinja_operate(
        run, node->operation == DYNO_JINJA_MINUS ? DYNO_JINJA_SUBTRACT : DYNO_JINJA_ADD, &zero,
        &operand, out);
}

static dyno_status evaluate_binary(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                   struct dyno_jinja_value *out)
{
    struct dyno_jinja_value left, right;

    DYNO_TRY(dyno_jinja_evaluate(run, node->a, &left));
    DYNO_TRY(dyno_jinja_evaluate(run, node->b, &right));
    run->line = node->line;
    return dyno_jinja_operate(run, node->operation, &left, &right, out);
}

/* a < b < c: every neighbour must hold; what follows the first that does not is not evaluated. */
static dyno_status evaluate_comparison(struct dyno_jinja_run *run,
                                       const struct dyno_jinja_node *node,
                                       struct dyno_jinja_value *out)
{
    struct dyno_jinja_value left, right;

    DYNO_TRY(dyno_jinja_evaluate(run, node->a, &left));
    for (const struct dyno_jinja_node *item = node->items; item; item = item->next) {
        DYNO_TRY(dyno_jinja_evaluate(run, item->b, &right));
        run->line = item->line;
        DYNO_TRY(dyno_jinja_operate(run, item->operation, &left, &right, out));
        if (!out->as.truth) {
            break;
        }
        left = right;
    }
    return DYNO_OK;
}

static dyno_status evaluate_logic(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                  struct dyno_jinja_value *out)
{
    DYNO_TRY(dyno_jinja_evaluate(run, node->a, out));
    return dyno_jinja_truth(out) == (node->kind == DYNO_JINJA_AND)
               ? dyno_jinja_evaluate(run, node->b, out)
               : DYNO_OK;
}

static dyno_status evaluate_conditional(struct dyno_jinja_run *run,
                                        const struct dyno_jinja_node *node,
                                        struct dyno_jinja_value *out)
{
    struct dyno_jinja_value condition;

    DYNO_TRY(dyno_jinja_evaluate(run, node->b, &condition));
    if (dyno_jinja_truth(&condition)) {
        return dyno_jinja_evaluate(run, node->a, out);
    }
    if (node->c) {
        return dyno_jinja_evaluate(run, node->c, out);
    }
    *out = dyno_jinja_undefined(DYNO_JINJA_TEXT("an if without an else"));
    return DYNO_OK;
}

static dyno_status evaluate_attribute(struct dyno_jinja_run *run,
                                      const struct dyno_jinja_node *node,
                                      struct dyno_jinja_value *out)
{
    struct dyno_jinja_value of;

    DYNO_TRY(dyno_jinja_evaluate(run, node->a, &of));
    run->line = node->line;
    return dyno_jinja_attribute(run, &of, node->name, out);
}

static dyno_status evaluate_item(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                 struct dyno_jinja_value *out)
{
    struct dyno_jinja_value of, key;

    DYNO_TRY(dyno_jinja_evaluate(run, node->a, &of));
    DYNO_TRY(dyno_jinja_evaluate(run, node->b, &key));
    run->line = node->line;
    return dyno_jinja_item(run, &of, &key, out);
}

static dyno_status evaluate_any(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                struct dyno_jinja_value *out)
{
    switch (node->kind) {
    case DYNO_JINJA_LITERAL:
        *out = node->literal;
        return DYNO_OK;
    case DYNO_JINJA_NAME:
        return evaluate_name(run, node, out);
    case DYNO_JINJA_LIST_OF:
    case DYNO_JINJA_TUPLE_OF:
        return evaluate_items(run, node, out);
    case DYNO_JINJA_DICT_OF:
        return evaluate_dict(run, node, out);
    case DYNO_JINJA_ATTRIBUTE:
        return evaluate_attribute(run, node, out);
    case DYNO_JINJA_ITEM:
        return evaluate_item(run, node, out);
    case DYNO_JINJA_SLICE:
        return evaluate_slice(run, node, out);
    case DYNO_JINJA_CALL:
        return evaluate_call(run, node, out);
    case DYNO_JINJA_FILTER:
    case DYNO_JINJA_TEST:
        return evaluate_function(run, node, out);
    case DYNO_JINJA_UNARY:
        return evaluate_unary(run, node, out);
    case DYNO_JINJA_BINARY:
        return evaluate_binary(run, node, out);
    case DYNO_JINJA_COMPARE:
        return evaluate_comparison(run, node, out);
    case DYNO_JINJA_AND:
    case DYNO_JINJA_OR:
        return evaluate_logic(run, node, out);
    case DYNO_JINJA_CONDITIONAL:
        return evaluate_conditional(run, node, out);
    case DYNO_JINJA_BODY:
        *out = dyno_jinja_built(run->out);
        return DYNO_OK;
    default:
        return dyno_jinja_fail(run, "this is no expression");
    }
}

dyno_status dyno_jinja_evaluate(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                struct dyno_jinja_value *out)
{
    dyno_status status;

    run->line = node->line;
    DYNO_TRY(dyno_jinja_spend(run, 1));
    if (run->depth >= DYNO_TEMPLATE_STACK_MAX) {
        return dyno_jinja_fail(run, "expressions or calls nest too deeply");
    }
    run->depth++;
    status = evaluate_any(run, node, out);
    run->depth--;
    return status;
}
