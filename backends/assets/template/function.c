/* Calling what is built in: arguments find their parameters. */
#include <stdio.h>
#include <string.h>

#include "backends/assets/template/run.h"

const struct dyno_jinja_function *dyno_jinja_lookup(const struct dyno_jinja_function *table,
                                                    struct dyno_jinja_text name)
{
    for (; table->name; table++) {
        if (dyno_jinja_is_text(name, table->name)) {
            return table;
        }
    }
    return NULL;
}

/* The place of a parameter, or a negative number; *count is how many there are. */
static int place_of(const char *parameters, struct dyno_jinja_text name, size_t *count)
{
    int place = -1;

    *count = 0;
    while (*parameters) {
        size_t size = strcspn(parameters, " ");

        if (dyno_jinja_same_text(name, (struct dyno_jinja_text){parameters, size})) {
            place = (int)*count;
        }
        ++*count;
        parameters += size + (parameters[size] == ' ');
    }
    return place;
}

static dyno_status bind(struct dyno_jinja_run *run, const struct dyno_jinja_function *function,
                        const struct dyno_jinja_arguments *arguments,
                        struct dyno_jinja_bindings *out)
{
    size_t count;

    (void)place_of(function->parameters, (struct dyno_jinja_text){"", 0}, &count);
    if (arguments->count > count) {
        return dyno_jinja_fail(run, "%s takes no more than %zu arguments", function->name, count);
    }
    for (size_t i = 0; i < arguments->count; i++) {
        out->of[i] = &arguments->items[i];
    }
    for (size_t i = 0; i < arguments->named_count; i++) {
        struct dyno_jinja_text name = arguments->named[i].name;
        int place = place_of(function->parameters, name, &count);

        if (place < 0 || out->of[place]) {
            return dyno_jinja_fail(run, "%s takes no argument '%.*s' here", function->name,
                                   (int)(name.size < 80 ? name.size : 80), name.bytes);
        }
        out->of[place] = &arguments->named[i].value;
    }
    return DYNO_OK;
}

dyno_status dyno_jinja_call_function(struct dyno_jinja_run *run,
                                     const struct dyno_jinja_function *function,
                                     const struct dyno_jinja_value *subject,
                                     const struct dyno_jinja_arguments *arguments,
                                     struct dyno_jinja_value *out)
{
    struct dyno_jinja_bindings bindings = {.all = arguments};

    DYNO_TRY(dyno_jinja_spend(run, 1));
    if (strcmp(function->parameters, "*") != 0) {
        DYNO_TRY(bind(run, function, arguments, &bindings));
    }
    return function->call(run, subject, &bindings, out);
}
