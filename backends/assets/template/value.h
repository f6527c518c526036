/* What a template computes with: Python's values, as far as templates need them.
 *
 * A value is small and copied; what it points to is of the arena and is not changed, but for
 * namespaces. */
#ifndef DYNO_BACKENDS_ASSETS_TEMPLATE_VALUE_H
#define DYNO_BACKENDS_ASSETS_TEMPLATE_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/assets/template/arena.h"
#include "core/base/status.h"

enum dyno_jinja_type {
    DYNO_JINJA_UNDEFINED,
    DYNO_JINJA_NONE,
    DYNO_JINJA_BOOLEAN,
    DYNO_JINJA_INTEGER,
    DYNO_JINJA_DECIMAL,
    DYNO_JINJA_STRING,
    DYNO_JINJA_LIST,
    DYNO_JINJA_DICT,
    DYNO_JINJA_NAMESPACE,
    DYNO_JINJA_LOOP,     /* the variable `loop` */
    DYNO_JINJA_MACRO,    /* a macro, or caller() */
    DYNO_JINJA_FUNCTION, /* a global one, or a method with its subject */
};

struct dyno_jinja_text {
    const char *bytes; /* [size], UTF-8 */
    size_t size;
};

struct dyno_jinja_value {
    enum dyno_jinja_type type;
    union {
        bool truth;
        int64_t integer;
        double decimal;
        struct dyno_jinja_text text; /* STRING; UNDEFINED: the name of what is missing */
        struct dyno_jinja_list *list;
        struct dyno_jinja_dict *dict; /* DICT, NAMESPACE */
        const struct dyno_jinja_loop *loop;
        const struct dyno_jinja_closure *closure;
        const struct dyno_jinja_bound *bound;
    } as;
};

struct dyno_jinja_list {
    struct dyno_jinja_value *items; /* [count] */
    size_t count, capacity;
    bool is_tuple;
};

struct dyno_jinja_pair {
    struct dyno_jinja_value key, value;
};

struct dyno_jinja_dict {
    struct dyno_jinja_pair *pairs; /* [count], in the order of insertion */
    size_t count, capacity;
};

/* One rendering: who is asked for memory and steps, and where a mistake is reported. */
struct dyno_jinja_run;

#define DYNO_JINJA_TEXT(literal) ((struct dyno_jinja_text){literal, sizeof(literal) - 1})

struct dyno_jinja_value dyno_jinja_none(void);
struct dyno_jinja_value dyno_jinja_boolean(bool truth);
struct dyno_jinja_value dyno_jinja_integer(int64_t integer);
struct dyno_jinja_value dyno_jinja_decimal(double decimal);
struct dyno_jinja_value dyno_jinja_string(const char *bytes, size_t size);
struct dyno_jinja_value dyno_jinja_undefined(struct dyno_jinja_text name);

bool dyno_jinja_is_text(struct dyno_jinja_text text, const char *literal);
bool dyno_jinja_same_text(struct dyno_jinja_text left, struct dyno_jinja_text right);
const char *dyno_jinja_type_name(const struct dyno_jinja_value *value);
bool dyno_jinja_is_number(const struct dyno_jinja_value *value); /* also a boolean */
double dyno_jinja_number(const struct dyno_jinja_value *value);  /* of a number */
int64_t dyno_jinja_whole(const struct dyno_jinja_value *value);  /* of an integer or a boolean */
bool dyno_jinja_is_whole(const struct dyno_jinja_value *value);  /* an integer or a boolean */

/* Python's bool(). */
bool dyno_jinja_truth(const struct dyno_jinja_value *value);

/* Python's ==; takes steps for what it walks through. */
dyno_status dyno_jinja_equal(struct dyno_jinja_run *run, const struct dyno_jinja_value *left,
                             const struct dyno_jinja_value *right, bool *out);

/* Python's order: *out negative, 0 or positive.  Errors where there is none. */
dyno_status dyno_jinja_compare(struct dyno_jinja_run *run, const struct dyno_jinja_value *left,
                               const struct dyno_jinja_value *right, int *out);

dyno_status dyno_jinja_new_list(struct dyno_jinja_run *run, size_t capacity,
                                struct dyno_jinja_value *out);
dyno_status dyno_jinja_append(struct dyno_jinja_run *run, struct dyno_jinja_list *list,
                              struct dyno_jinja_value item);
dyno_status dyno_jinja_new_dict(struct dyno_jinja_run *run, size_t capacity,
                                struct dyno_jinja_value *out);
/* Insert, or replace. */
dyno_status dyno_jinja_put(struct dyno_jinja_run *run, struct dyno_jinja_dict *dict,
                           struct dyno_jinja_value key, struct dyno_jinja_value value);
/* The value, or NULL in *out. */
dyno_status dyno_jinja_find(struct dyno_jinja_run *run, const struct dyno_jinja_dict *dict,
                            const struct dyno_jinja_value *key, struct dyno_jinja_value **out);

/* What iterating over a value gives: items, keys, characters.  Errors for what has none. */
dyno_status dyno_jinja_iterate(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                               struct dyno_jinja_list **out);

/* A copy of JSON. */
dyno_status dyno_jinja_from_json(struct dyno_jinja_run *run, const json_t *json, uint32_t depth,
                                 struct dyno_jinja_value *out);

#endif
