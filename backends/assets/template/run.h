/* One rendering: its memory, its limits, its names, its output; and the ways to say what is wrong.
 */
#ifndef DYNO_BACKENDS_ASSETS_TEMPLATE_RUN_H
#define DYNO_BACKENDS_ASSETS_TEMPLATE_RUN_H

#include "backends/assets/template/tree.h"
#include "backends/assets/template/value.h"

/* A text that grows in the arena. */
struct dyno_jinja_builder {
    char *bytes;
    size_t size, capacity;
};

struct dyno_jinja_name {
    struct dyno_jinja_text name;
    struct dyno_jinja_value value;
};

/* The names of a block; those of the blocks around it are seen too. */
struct dyno_jinja_scope {
    struct dyno_jinja_scope *around;
    struct dyno_jinja_name *names; /* [count] */
    size_t count, capacity;
};

struct dyno_jinja_loop {
    const struct dyno_jinja_list *items;
    size_t index;
    struct dyno_jinja_value *last_seen; /* of loop.changed; a list */
    bool *seen;
};

/* A macro, or the body of a call block, with the names around it. */
struct dyno_jinja_closure {
    const struct dyno_jinja_node *macro;
    struct dyno_jinja_scope *scope;
};

enum dyno_jinja_flow { DYNO_JINJA_GO, DYNO_JINJA_BREAK, DYNO_JINJA_CONTINUE };

struct dyno_jinja_run {
    struct dyno_arena arena;
    struct dyno_error *error;
    struct dyno_jinja_scope *scope;
    struct dyno_jinja_builder *out;
    enum dyno_jinja_flow flow;
    uint64_t steps_left, steps_max;
    uint32_t depth;
    uint32_t line; /* of what is evaluated */
    int64_t now_s;
};

/* Positional arguments, then named ones. */
struct dyno_jinja_arguments {
    struct dyno_jinja_value *items; /* [count] */
    size_t count;
    struct dyno_jinja_name *named; /* [named_count] */
    size_t named_count;
};

enum { DYNO_JINJA_PARAMETERS_MAX = 6 };

/* Arguments by the place of their parameter; one that is not given is NULL. */
struct dyno_jinja_bindings {
    const struct dyno_jinja_value *of[DYNO_JINJA_PARAMETERS_MAX];
    const struct dyno_jinja_arguments *all;
};

/* A filter, a test, a method or a global function. */
struct dyno_jinja_function {
    const char *name;
    const char *parameters; /* their names, parted by spaces; "*": any */
    dyno_status (*call)(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                        const struct dyno_jinja_bindings *arguments, struct dyno_jinja_value *out);
};

/* A method and what it is a method of; a global function has no subject. */
struct dyno_jinja_bound {
    const struct dyno_jinja_function *function;
    struct dyno_jinja_value subject;
};

/* The tables; NULL: no such name. */
const struct dyno_jinja_function *dyno_jinja_filter(struct dyno_jinja_text name);
const struct dyno_jinja_function *dyno_jinja_list_filter(struct dyno_jinja_text name);
const struct dyno_jinja_function *dyno_jinja_test(struct dyno_jinja_text name);
const struct dyno_jinja_function *dyno_jinja_global(struct dyno_jinja_text name);
const struct dyno_jinja_function *dyno_jinja_string_method(struct dyno_jinja_text name);
const struct dyno_jinja_function *dyno_jinja_collection_method(enum dyno_jinja_type type,
                                                               struct dyno_jinja_text name);
/* Of a table that ends with a row without a name. */
const struct dyno_jinja_function *dyno_jinja_lookup(const struct dyno_jinja_function *table,
                                                    struct dyno_jinja_text name);

/* Bind and call. */
dyno_status dyno_jinja_call_function(struct dyno_jinja_run *run,
                                     const struct dyno_jinja_function *function,
                                     const struct dyno_jinja_value *subject,
                                     const struct dyno_jinja_arguments *arguments,
                                     struct dyno_jinja_value *out);
dyno_status dyno_jinja_call_macro(struct dyno_jinja_run *run,
                                  const struct dyno_jinja_closure *closure,
                                  const struct dyno_jinja_arguments *arguments,
                                  const struct dyno_jinja_value *caller,
                                  struct dyno_jinja_value *out);

dyno_status dyno_jinja_evaluate(struct dyno_jinja_run *run, const struct dyno_jinja_node *node,
                                struct dyno_jinja_value *out);
dyno_status dyno_jinja_evaluate_arguments(struct dyno_jinja_run *run,
                                          const struct dyno_jinja_node *call,
                                          struct dyno_jinja_arguments *out);
/* Execute statements; the first of a list. */
dyno_status dyno_jinja_execute(struct dyno_jinja_run *run, const struct dyno_jinja_node *node);

/* value.name and value[key] of a template. */
dyno_status dyno_jinja_attribute(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                                 struct dyno_jinja_text name, struct dyno_jinja_value *out);
dyno_status dyno_jinja_item(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                            const struct dyno_jinja_value *key, struct dyno_jinja_value *out);
/* loop.name */
dyno_status dyno_jinja_loop_attribute(struct dyno_jinja_run *run,
                                      const struct dyno_jinja_value *value,
                                      struct dyno_jinja_text name, struct dyno_jinja_value *out);
dyno_status dyno_jinja_operate(struct dyno_jinja_run *run, enum dyno_jinja_operator operation,
                               const struct dyno_jinja_value *left,
                               const struct dyno_jinja_value *right, struct dyno_jinja_value *out);
/* Python's `in`. */
dyno_status dyno_jinja_contains(struct dyno_jinja_run *run, const struct dyno_jinja_value *whole,
                                const struct dyno_jinja_value *part, bool *out);

/* Names. */
const struct dyno_jinja_value *dyno_jinja_lookup_name(const struct dyno_jinja_run *run,
                                                      struct dyno_jinja_text name);
dyno_status dyno_jinja_set_name(struct dyno_jinja_run *run, struct dyno_jinja_text name,
                                struct dyno_jinja_value value);
dyno_status dyno_jinja_push_scope(struct dyno_jinja_run *run, struct dyno_jinja_scope *around);

/* Take steps; fails once they are used up. */
dyno_status dyno_jinja_spend(struct dyno_jinja_run *run, size_t steps);
/* Memory that is zero; fails at the maximum. */
dyno_status dyno_jinja_take(struct dyno_jinja_run *run, size_t bytes, void *out);

/* Note a sentence with the line as what went wrong. */
void dyno_jinja_report(struct dyno_jinja_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, and DYNO_BAD_INPUT: not a function, so that compilers see that it is no success. */
#define dyno_jinja_fail(run, ...) (dyno_jinja_report(run, __VA_ARGS__), DYNO_BAD_INPUT)

dyno_status dyno_jinja_write(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                             const char *bytes, size_t size);
dyno_status dyno_jinja_write_text(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                                  const char *text);
struct dyno_jinja_value dyno_jinja_built(const struct dyno_jinja_builder *builder);

/* Python's str() and repr(), appended. */
dyno_status dyno_jinja_print(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                             const struct dyno_jinja_value *value);
dyno_status dyno_jinja_repr(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                            const struct dyno_jinja_value *value);
/* Python's str() as a value. */
dyno_status dyno_jinja_to_string(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                                 struct dyno_jinja_text *out);
/* Python's repr() of a float; `out` has room for 32 bytes. */
void dyno_jinja_print_decimal(double decimal, char *out);

struct dyno_jinja_json_style {
    int64_t indent; /* below 0: all in one line */
    bool ascii, sorted;
    struct dyno_jinja_text item_separator, key_separator;
};

/* Python's json.dumps(), appended. */
dyno_status dyno_jinja_to_json(struct dyno_jinja_run *run, struct dyno_jinja_builder *builder,
                               const struct dyno_jinja_value *value,
                               const struct dyno_jinja_json_style *style);

/* Stable; by Python's order, or without case. */
struct dyno_jinja_order {
    bool reverse, case_sensitive;
    struct dyno_jinja_text attribute; /* size 0: the item itself */
    bool by_pair_value, by_pair;      /* items are (key, value): by one of them */
};
dyno_status dyno_jinja_sort(struct dyno_jinja_run *run, struct dyno_jinja_list *list,
                            const struct dyno_jinja_order *order);
/* value.a.b.c for "a.b.c"; numbers are places. */
dyno_status dyno_jinja_path(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                            struct dyno_jinja_text path, struct dyno_jinja_value *out);

enum dyno_jinja_case { DYNO_JINJA_LOWER, DYNO_JINJA_UPPER, DYNO_JINJA_TITLE, DYNO_JINJA_CAPITAL };
dyno_status dyno_jinja_change_case(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                                   enum dyno_jinja_case how, struct dyno_jinja_value *out);
/* Without the blanks (or the characters of `set`) at the left or the right. */
struct dyno_jinja_text dyno_jinja_strip(struct dyno_jinja_text text,
                                        const struct dyno_jinja_text *set, bool left, bool right);
dyno_status dyno_jinja_replace(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                               struct dyno_jinja_text from, struct dyno_jinja_text to,
                               int64_t count, struct dyno_jinja_value *out);
/* The size of the character at text[at], and the number of characters. */
size_t dyno_jinja_character(struct dyno_jinja_text text, size_t at);
size_t dyno_jinja_characters(struct dyno_jinja_text text);
/* The bytes of what ends a line at the text's beginning, as Python has it; 0: nothing does. */
size_t dyno_jinja_line_end(struct dyno_jinja_text text);

#endif
