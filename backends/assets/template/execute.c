/* Statements, loops and macros. */
#include <string.h>

#include "backends/assets/template/run.h"
#include "backends/assets/template/template.h"

/* Write into another text while `body` is executed. */
static dyno_status capture(struct dyno_jinja_run *run, const struct dyno_jinja_node *body,
                           struct dyno_jinja_builder *builder)
{
    struct dyno_jinja_builder *out = run->out;
    dyno_status status;

    run->out = builder;
    status = dyno_jinja_execute(run, body);
    run->out = out;
    return status;
}

/* What a captured text becomes by its filters; their BODY is the text. */
static dyno_status filter_captured(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                   struct dyno_jinja_value *out)
{
    struct dyno_jinja_builder builder = {0}, *outside = run->out;
    dyno_status status;

    DYNO_TRY(capture(run, node->b, &builder));
    run->out = &builder;
    status = dyno_jinja_evaluate(run, node->a, out);
    run->out = outside;
    return status;
}

/* value -> one name, or several of a list. */
static dyno_status assign(struct dyno_jinja_run *run, const struct dyno_jinja_node *target,
                          struct dyno_jinja_value value)
{
    const struct dyno_jinja_value *of;

    if (target->kind == DYNO_JINJA_NAME) {
        return dyno_jinja_set_name(run, target->name, value);
    }
    of = dyno_jinja_lookup_name(run, target->a->name);
    if (!of || of->type != DYNO_JINJA_NAMESPACE) {
        return dyno_jinja_fail(run, "only a namespace has attributes that can be set");
    }
    return dyno_jinja_put(run, of->as.dict,
                          dyno_jinja_string(target->name.bytes, target->name.size), value);
}

static dyno_status assign_all(struct dyno_jinja_run *run, const struct dyno_jinja_node *targets,
                              struct dyno_jinja_value value)
{
    struct dyno_jinja_list *items;
    size_t count = 0;

    if (!targets->next) {
        return assign(run, targets, value);
    }
    DYNO_TRY(dyno_jinja_iterate(run, &value, &items));
    for (const struct dyno_jinja_node *target = targets; target; target = target->next) {
        count++;
    }
    if (items->count != count) {
        return dyno_jinja_fail(run, "%zu names cannot be set from %zu values", count, items->count);
    }
    for (size_t i = 0; i < count; i++, targets = targets->next) {
        DYNO_TRY(assign(run, targets, items->items[i]));
    }
    return DYNO_OK;
}

/* The items for which the loop's condition holds, which sees the loop's names. */
static dyno_status filter_items(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                struct dyno_jinja_list **items)
{
    struct dyno_jinja_scope *outside = run->scope;
    struct dyno_jinja_value kept, condition;

    DYNO_TRY(dyno_jinja_new_list(run, 8, &kept));
    for (size_t i = 0; i < (*items)->count; i++) {
        DYNO_TRY(dyno_jinja_push_scope(run, outside));
        DYNO_TRY(assign_all(run, node->items, (*items)->items[i]));
        DYNO_TRY(dyno_jinja_evaluate(run, node->filter, &condition));
        if (dyno_jinja_truth(&condition)) {
            DYNO_TRY(dyno_jinja_append(run, kept.as.list, (*items)->items[i]));
        }
    }
    run->scope = outside;
    *items = kept.as.list;
    return DYNO_OK;
}

/* *ended says whether a body came to its end: Jinja's `else` is also for loops of which every body
 * was left by break or continue. */
static dyno_status run_loop(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                            const struct dyno_jinja_list *items, bool *ended)
{
    struct dyno_jinja_scope *outside = run->scope;
    struct dyno_jinja_loop *loop;
    struct dyno_jinja_value shown = {.type = DYNO_JINJA_LOOP};

    DYNO_TRY(dyno_jinja_take(run, sizeof *loop, &loop));
    DYNO_TRY(dyno_jinja_take(run, sizeof *loop->last_seen, &loop->last_seen));
    DYNO_TRY(dyno_jinja_take(run, sizeof *loop->seen, &loop->seen));
    loop->items = items;
    shown.as.loop = loop;
    for (size_t count = items->count; loop->index < count; loop->index++) {
        DYNO_TRY(dyno_jinja_push_scope(run, outside));
        DYNO_TRY(dyno_jinja_set_name(run, DYNO_JINJA_TEXT("loop"), shown));
        DYNO_TRY(assign_all(run, node->items, items->items[loop->index]));
        DYNO_TRY(dyno_jinja_execute(run, node->b));
        if (run->flow == DYNO_JINJA_BREAK) {
            break;
        }
        *ended |= run->flow == DYNO_JINJA_GO;
        run->flow = DYNO_JINJA_GO;
    }
    run->flow = DYNO_JINJA_GO;
    run->scope = outside;
    return DYNO_OK;
}

static dyno_status execute_for(struct dyno_jinja_run *run, const struct dyno_jinja_node *node)
{
    struct dyno_jinja_value over;
    struct dyno_jinja_list *items;
    bool ended = false;

    DYNO_TRY(dyno_jinja_evaluate(run, node->a, &over));
    DYNO_TRY(dyno_jinja_iterate(run, &over, &items));
    if (node->filter) {
        DYNO_TRY(filter_items(run, node, &items));
    }
    DYNO_TRY(run_loop(run, node, items, &ended));
    return ended ? DYNO_OK : dyno_jinja_execute(run, node->c);
}

static dyno_status changed(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                           const struct dyno_jinja_bindings *arguments,
                           struct dyno_jinja_value *out)
{
    const struct dyno_jinja_loop *loop = subject->as.loop;
    struct dyno_jinja_value now;
    bool same = false;

    DYNO_TRY(dyno_jinja_new_list(run, arguments->all->count, &now));
    for (size_t i = 0; i < arguments->all->count; i++) {
        DYNO_TRY(dyno_jinja_append(run, now.as.list, arguments->all->items[i]));
    }
    if (*loop->seen) {
        DYNO_TRY(dyno_jinja_equal(run, loop->last_seen, &now, &same));
    }
    *loop->seen = true;
    *loop->last_seen = now;
    *out = dyno_jinja_boolean(!same);
    return DYNO_OK;
}

static dyno_status cycle(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                         const struct dyno_jinja_bindings *arguments, struct dyno_jinja_value *out)
{
    if (arguments->all->count == 0) {
        return dyno_jinja_fail(run, "loop.cycle needs values");
    }
    *out = arguments->all->items[subject->as.loop->index % arguments->all->count];
    return DYNO_OK;
}

static struct dyno_jinja_value neighbour(const struct dyno_jinja_loop *loop, bool there,
                                         size_t place)
{
    return there ? loop->items->items[place]
                 : dyno_jinja_undefined(DYNO_JINJA_TEXT("an item beside the loop's first or last"));
}

dyno_status dyno_jinja_loop_attribute(struct dyno_jinja_run *run,
                                      const struct dyno_jinja_value *value,
                                      struct dyno_jinja_text name, struct dyno_jinja_value *out)
{
    static const struct dyno_jinja_function methods[] = {
        {"changed", "*", changed}, {"cycle", "*", cycle}, {0}};
    const struct dyno_jinja_function *method = dyno_jinja_lookup(methods, name);
    const struct dyno_jinja_loop *loop = value->as.loop;
    int64_t index = (int64_t)loop->index, count = (int64_t)loop->items->count;
    const struct {
        const char *name;
        struct dyno_jinja_value value;
    } attributes[] = {
        {"index", dyno_jinja_integer(index + 1)},
        {"index0", dyno_jinja_integer(index)},
        {"revindex", dyno_jinja_integer(count - index)},
        {"revindex0", dyno_jinja_integer(count - index - 1)},
        {"first", dyno_jinja_boolean(index == 0)},
        {"last", dyno_jinja_boolean(index + 1 == count)},
        {"length", dyno_jinja_integer(count)},
        {"depth", dyno_jinja_integer(1)}, /* of recursive loops, of which there are none */
        {"depth0", dyno_jinja_integer(0)},
        {"previtem", neighbour(loop, index > 0, loop->index - 1)},
        {"nextitem", neighbour(loop, index + 1 < count, loop->index + 1)},
    };
    struct dyno_jinja_bound *bound;

    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (dyno_jinja_is_text(name, attributes[i].name)) {
            *out = attributes[i].value;
            return DYNO_OK;
        }
    }
    if (!method) {
        *out = dyno_jinja_undefined(name);
        return DYNO_OK;
    }
    DYNO_TRY(dyno_jinja_take(run, sizeof *bound, &bound));
    *bound = (struct dyno_jinja_bound){method, *value};
    *out = (struct dyno_jinja_value){.type = DYNO_JINJA_FUNCTION, .as.bound = bound};
    return DYNO_OK;
}

static dyno_status new_closure(struct dyno_jinja_run *run, const struct dyno_jinja_node *macro,
                               struct dyno_jinja_value *out)
{
    struct dyno_jinja_closure *closure;

    DYNO_TRY(dyno_jinja_take(run, sizeof *closure, &closure));
    *closure = (struct dyno_jinja_closure){macro, run->scope};
    *out = (struct dyno_jinja_value){.type = DYNO_JINJA_MACRO, .as.closure = closure};
    return DYNO_OK;
}

static dyno_status execute_macro(struct dyno_jinja_run *run, const struct dyno_jinja_node *node)
{
    struct dyno_jinja_value macro;

    DYNO_TRY(new_closure(run, node, &macro));
    return dyno_jinja_set_name(run, node->name, macro);
}

/* The value of a parameter: by place, by name, by default, or undefined. */
static dyno_status bind_parameter(struct dyno_jinja_run *run,
                                  const struct dyno_jinja_node *parameter, size_t place,
                                  const struct dyno_jinja_arguments *arguments, size_t *named)
{
    struct dyno_jinja_value value = dyno_jinja_undefined(parameter->name);
    bool given = place < arguments->count;

    if (given) {
        value = arguments->items[place];
    }
    for (size_t i = 0; i < arguments->named_count; i++) {
        if (dyno_jinja_same_text(arguments->named[i].name, parameter->name)) {
            if (given) {
                return dyno_jinja_fail(run, "a parameter of a macro is given twice");
            }
            value = arguments->named[i].value;
            given = true;
            ++*named;
        }
    }
    if (!given && parameter->a) {
        DYNO_TRY(dyno_jinja_evaluate(run, parameter->a, &value));
    }
    return dyno_jinja_set_name(run, parameter->name, value);
}

static dyno_status bind_parameters(struct dyno_jinja_run *run, const struct dyno_jinja_node *macro,
                                   const struct dyno_jinja_arguments *arguments)
{
    size_t place = 0, named = 0;

    for (const struct dyno_jinja_node *item = macro->items; item; item = item->next) {
        DYNO_TRY(bind_parameter(run, item, place, arguments, &named));
        place++;
    }
    if (arguments->count > place || named < arguments->named_count) {
        return dyno_jinja_fail(run, "macro '%.*s' has no such parameter",
                               (int)(macro->name.size < 80 ? macro->name.size : 80),
                               macro->name.bytes);
    }
    return DYNO_OK;
}

dyno_status dyno_jinja_call_macro(struct dyno_jinja_run *run,
                                  const struct dyno_jinja_closure *closure,
                                  const struct dyno_jinja_arguments *arguments,
                                  const struct dyno_jinja_value *caller,
                                  struct dyno_jinja_value *out)
{
    struct dyno_jinja_scope *outside = run->scope;
    struct dyno_jinja_builder builder = {0};

    DYNO_TRY(dyno_jinja_push_scope(run, closure->scope));
    if (caller) {
        DYNO_TRY(dyno_jinja_set_name(run, DYNO_JINJA_TEXT("caller"), *caller));
    }
    DYNO_TRY(bind_parameters(run, closure->macro, arguments));
    DYNO_TRY(capture(run, closure->macro->b, &builder));
    run->scope = outside;
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

/* {% call(x) macro(y) %} body {% endcall %}: the macro calls the body as caller(x). */
static dyno_status execute_call(struct dyno_jinja_run *run, const struct dyno_jinja_node *node)
{
    struct dyno_jinja_value callee, caller, text;
    struct dyno_jinja_arguments arguments;

    DYNO_TRY(dyno_jinja_evaluate(run, node->a->a, &callee));
    if (callee.type != DYNO_JINJA_MACRO) {
        return dyno_jinja_fail(run, "{%% call %%} of %s, which is no macro",
                               dyno_jinja_type_name(&callee));
    }
    DYNO_TRY(dyno_jinja_evaluate_arguments(run, node->a, &arguments));
    DYNO_TRY(new_closure(run, node->c, &caller));
    DYNO_TRY(dyno_jinja_call_macro(run, callee.as.closure, &arguments, &caller, &text));
    return dyno_jinja_print(run, run->out, &text);
}

static dyno_status execute_with(struct dyno_jinja_run *run, const struct dyno_jinja_node *node)
{
    struct dyno_jinja_scope *outside = run->scope, *inside;
    struct dyno_jinja_value value;

    DYNO_TRY(dyno_jinja_push_scope(run, outside));
    inside = run->scope;
    for (const struct dyno_jinja_node *item = node->items; item; item = item->next) {
        run->scope = outside; /* the values do not see the new names */
        DYNO_TRY(dyno_jinja_evaluate(run, item->a, &value));
        run->scope = inside;
        DYNO_TRY(dyno_jinja_set_name(run, item->name, value));
    }
    run->scope = inside;
    DYNO_TRY(dyno_jinja_execute(run, node->b));
    run->scope = outside;
    return DYNO_OK;
}

/* An `elif` is a condition beside the one before, in `filter`; the last has the `else`. */
static dyno_status execute_if(struct dyno_jinja_run *run, const struct dyno_jinja_node *node)
{
    for (;;) {
        struct dyno_jinja_value condition;

        DYNO_TRY(dyno_jinja_evaluate(run, node->a, &condition));
        if (dyno_jinja_truth(&condition)) {
            return dyno_jinja_execute(run, node->b);
        }
        if (!node->filter) {
            return dyno_jinja_execute(run, node->c);
        }
        node = node->filter;
    }
}

static dyno_status execute_set(struct dyno_jinja_run *run, const struct dyno_jinja_node *node)
{
    struct dyno_jinja_value value;

    DYNO_TRY(node->kind == DYNO_JINJA_SET ? dyno_jinja_evaluate(run, node->a, &value)
                                          : filter_captured(run, node, &value));
    run->line = node->line;
    return assign_all(run, node->items, value);
}

static dyno_status execute_output(struct dyno_jinja_run *run, const struct dyno_jinja_node *node)
{
    struct dyno_jinja_value value;

    DYNO_TRY(node->kind == DYNO_JINJA_OUTPUT ? dyno_jinja_evaluate(run, node->a, &value)
                                             : filter_captured(run, node, &value));
    run->line = node->line;
    return dyno_jinja_print(run, run->out, &value);
}

static dyno_status execute_one(struct dyno_jinja_run *run, const struct dyno_jinja_node *node)
{
    run->line = node->line;
    DYNO_TRY(dyno_jinja_spend(run, 1));
    switch (node->kind) {
    case DYNO_JINJA_DATA:
        return dyno_jinja_write(run, run->out, node->name.bytes, node->name.size);
    case DYNO_JINJA_OUTPUT:
    case DYNO_JINJA_FILTER_BLOCK:
        return execute_output(run, node);
    case DYNO_JINJA_IF:
        return execute_if(run, node);
    case DYNO_JINJA_FOR:
        return execute_for(run, node);
    case DYNO_JINJA_SET:
    case DYNO_JINJA_SET_BLOCK:
        return execute_set(run, node);
    case DYNO_JINJA_MACRO_BLOCK:
        return execute_macro(run, node);
    case DYNO_JINJA_CALL_BLOCK:
        return execute_call(run, node);
    case DYNO_JINJA_WITH:
        return execute_with(run, node);
    case DYNO_JINJA_BREAK_LOOP:
        run->flow = DYNO_JINJA_BREAK;
        return DYNO_OK;
    default:
        run->flow = DYNO_JINJA_CONTINUE;
        return DYNO_OK;
    }
}

dyno_status dyno_jinja_execute(struct dyno_jinja_run *run, const struct dyno_jinja_node *node)
{
    if (run->depth >= DYNO_TEMPLATE_STACK_MAX) {
        return dyno_jinja_fail(run, "blocks or calls nest too deeply");
    }
    run->depth++;
    for (; node && run->flow == DYNO_JINJA_GO; node = node->next) {
        DYNO_TRY(execute_one(run, node));
    }
    run->depth--;
    return DYNO_OK;
}
