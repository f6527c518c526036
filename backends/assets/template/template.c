/* Opening and rendering; memory, limits and names of a rendering. */
#include "backends/assets/template/template.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/template/run.h"

enum { TREE_BYTES_MAX = 256 << 20 };

struct dyno_template {
    struct dyno_arena arena;
    struct dyno_jinja_node *first;
};

dyno_status dyno_template_open(struct dyno_template **out, const char *text,
                               struct dyno_error *error)
{
    struct dyno_template *template_;
    dyno_status status;

    if (strlen(text) > DYNO_TEMPLATE_BYTES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the chat template is longer than %d KiB",
                         DYNO_TEMPLATE_BYTES_MAX >> 10);
    }
    template_ = calloc(1, sizeof *template_);
    if (!template_) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a chat template");
    }
    template_->arena.bytes_left = TREE_BYTES_MAX;
    status = dyno_jinja_parse(&template_->first, &template_->arena, text, error);
    if (status != DYNO_OK) {
        dyno_template_close(template_);
        return status;
    }
    *out = template_;
    return DYNO_OK;
}

void dyno_template_close(struct dyno_template *template_)
{
    if (template_) {
        dyno_arena_release(&template_->arena);
        free(template_);
    }
}

void dyno_jinja_report(struct dyno_jinja_run *run, const char *format, ...)
{
    char text[DYNO_ERROR_TEXT_MAX - 64];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)dyno_fail(run->error, DYNO_BAD_INPUT, "chat template, line %" PRIu32 ": %s", run->line,
                    text);
}

dyno_status dyno_jinja_spend(struct dyno_jinja_run *run, size_t steps)
{
    if (steps > run->steps_left) {
        run->steps_left = 0;
        return dyno_fail(run->error, DYNO_FULL,
                         "chat template, line %" PRIu32 ": more than %" PRIu64
                         " steps to render it",
                         run->line, run->steps_max);
    }
    run->steps_left -= steps;
    return DYNO_OK;
}

dyno_status dyno_jinja_take(struct dyno_jinja_run *run, size_t bytes, void *out)
{
    void *memory = dyno_arena_take(&run->arena, bytes);

    if (!memory) {
        (void)dyno_fail(run->error, DYNO_FULL,
                        "chat template, line %" PRIu32 ": more than %d MiB to render it", run->line,
                        DYNO_TEMPLATE_MEMORY_MAX >> 20);
        return DYNO_FULL; /* not what came back, so that compilers see that it is no success */
    }
    memcpy(out, &memory, sizeof memory);
    return DYNO_OK;
}

dyno_status dyno_jinja_push_scope(struct dyno_jinja_run *run, struct dyno_jinja_scope *around)
{
    struct dyno_jinja_scope *scope;

    DYNO_TRY(dyno_jinja_take(run, sizeof *scope, &scope));
    scope->around = around;
    run->scope = scope;
    return DYNO_OK;
}

static struct dyno_jinja_value *find_name(const struct dyno_jinja_scope *scope,
                                          struct dyno_jinja_text name)
{
    for (size_t i = 0; i < scope->count; i++) {
        if (dyno_jinja_same_text(scope->names[i].name, name)) {
            return &scope->names[i].value;
        }
    }
    return NULL;
}

const struct dyno_jinja_value *dyno_jinja_lookup_name(const struct dyno_jinja_run *run,
                                                      struct dyno_jinja_text name)
{
    for (const struct dyno_jinja_scope *scope = run->scope; scope; scope = scope->around) {
        const struct dyno_jinja_value *value = find_name(scope, name);

        if (value) {
            return value;
        }
    }
    return NULL;
}

dyno_status dyno_jinja_set_name(struct dyno_jinja_run *run, struct dyno_jinja_text name,
                                struct dyno_jinja_value value)
{
    struct dyno_jinja_scope *scope = run->scope;
    struct dyno_jinja_value *there = find_name(scope, name);

    DYNO_TRY(dyno_jinja_spend(run, 1 + scope->count / 8));
    if (there) {
        *there = value;
        return DYNO_OK;
    }
    if (scope->count == scope->capacity) {
        size_t capacity = scope->capacity ? 2 * scope->capacity : 4;
        struct dyno_jinja_name *wide;

        DYNO_TRY(dyno_jinja_take(run, capacity * sizeof *wide, &wide));
        if (scope->count > 0) {
            memcpy(wide, scope->names, scope->count * sizeof *wide);
        }
        scope->names = wide;
        scope->capacity = capacity;
    }
    scope->names[scope->count++] = (struct dyno_jinja_name){name, value};
    return DYNO_OK;
}

/* The variables are names of a scope of their own; the template's are in another. */
static dyno_status set_variables(struct dyno_jinja_run *run, const json_t *variables)
{
    struct dyno_jinja_value all;

    if (!json_is_object(variables)) {
        return dyno_fail(run->error, DYNO_BAD_INPUT,
                         "the variables of a chat template must be an "
                         "object");
    }
    DYNO_TRY(dyno_jinja_push_scope(run, NULL));
    DYNO_TRY(dyno_jinja_from_json(run, variables, 0, &all));
    for (size_t i = 0; i < all.as.dict->count; i++) {
        DYNO_TRY(dyno_jinja_set_name(run, all.as.dict->pairs[i].key.as.text,
                                     all.as.dict->pairs[i].value));
    }
    return dyno_jinja_push_scope(run, run->scope);
}

static dyno_status copy_out(const struct dyno_jinja_builder *builder, char **out, size_t *out_size,
                            struct dyno_error *error)
{
    char *text = malloc(builder->size + 1);

    if (!text) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a rendered chat");
    }
    if (builder->size > 0) {
        memcpy(text, builder->bytes, builder->size);
    }
    text[builder->size] = '\0';
    *out = text;
    *out_size = builder->size;
    return DYNO_OK;
}

/* Bytes of the texts in a value, and of others about as many as they are written with. */
static uint64_t bytes_of(const json_t *value)
{
    enum { BYTES_OF_OTHERS = 8 };
    uint64_t bytes = BYTES_OF_OTHERS;
    const char *key;
    json_t *member;

    if (json_is_string(value)) {
        return bytes + json_string_length(value);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        bytes += bytes_of(json_array_get(value, i));
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        bytes += strlen(key) + bytes_of(member);
    }
    return bytes;
}

uint64_t dyno_template_steps_max(const json_t *variables)
{
    uint64_t bytes = bytes_of(variables);
    uint64_t more = DYNO_TEMPLATE_STEPS_MAX - DYNO_TEMPLATE_STEPS_LEAST;

    return bytes < more / DYNO_TEMPLATE_STEPS_A_BYTE
               ? DYNO_TEMPLATE_STEPS_LEAST + bytes * DYNO_TEMPLATE_STEPS_A_BYTE
               : DYNO_TEMPLATE_STEPS_MAX;
}

dyno_status dyno_template_render(const struct dyno_template *template_, const json_t *variables,
                                 int64_t now_s, uint64_t steps_max, char **out, size_t *out_size,
                                 struct dyno_error *error)
{
    struct dyno_jinja_builder builder = {0};
    uint64_t steps = dyno_template_steps_max(variables);
    struct dyno_jinja_run run = {.arena = {.bytes_left = DYNO_TEMPLATE_MEMORY_MAX},
                                 .error = error,
                                 .out = &builder,
                                 .now_s = now_s};
    dyno_status status;

    run.steps_max = run.steps_left = steps_max > 0 && steps_max < steps ? steps_max : steps;
    status = set_variables(&run, variables);
    if (status == DYNO_OK) {
        status = dyno_jinja_execute(&run, template_->first);
    }
    if (status == DYNO_OK) {
        status = copy_out(&builder, out, out_size, error);
    }
    dyno_arena_release(&run.arena);
    return status;
}
