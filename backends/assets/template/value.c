#include "backends/assets/template/value.h"

#include <inttypes.h>
#include <string.h>

#include "backends/assets/template/run.h"
#include "backends/assets/template/template.h"
#include "core/base/utf8.h"

struct dyno_jinja_value dyno_jinja_none(void)
{
    return (struct dyno_jinja_value){.type = DYNO_JINJA_NONE};
}

struct dyno_jinja_value dyno_jinja_boolean(bool truth)
{
    return (struct dyno_jinja_value){.type = DYNO_JINJA_BOOLEAN, .as.truth = truth};
}

struct dyno_jinja_value dyno_jinja_integer(int64_t integer)
{
    return (struct dyno_jinja_value){.type = DYNO_JINJA_INTEGER, .as.integer = integer};
}

struct dyno_jinja_value dyno_jinja_decimal(double decimal)
{
    return (struct dyno_jinja_value){.type = DYNO_JINJA_DECIMAL, .as.decimal = decimal};
}

struct dyno_jinja_value dyno_jinja_string(const char *bytes, size_t size)
{
    return (struct dyno_jinja_value){.type = DYNO_JINJA_STRING, .as.text = {bytes, size}};
}

struct dyno_jinja_value dyno_jinja_undefined(struct dyno_jinja_text name)
{
    return (struct dyno_jinja_value){.type = DYNO_JINJA_UNDEFINED, .as.text = name};
}

bool dyno_jinja_is_text(struct dyno_jinja_text text, const char *literal)
{
    return text.size == strlen(literal) && memcmp(text.bytes, literal, text.size) == 0;
}

bool dyno_jinja_same_text(struct dyno_jinja_text left, struct dyno_jinja_text right)
{
    return left.size == right.size &&
           (left.size == 0 || memcmp(left.bytes, right.bytes, left.size) == 0);
}

const char *dyno_jinja_type_name(const struct dyno_jinja_value *value)
{
    static const char *const names[] = {"undefined",   "none",     "a boolean", "an integer",
                                        "a float",     "a string", "a list",    "a mapping",
                                        "a namespace", "a loop",   "a macro",   "a function"};

    return names[value->type];
}

bool dyno_jinja_is_whole(const struct dyno_jinja_value *value)
{
    return value->type == DYNO_JINJA_INTEGER || value->type == DYNO_JINJA_BOOLEAN;
}

bool dyno_jinja_is_number(const struct dyno_jinja_value *value)
{
    return dyno_jinja_is_whole(value) || value->type == DYNO_JINJA_DECIMAL;
}

int64_t dyno_jinja_whole(const struct dyno_jinja_value *value)
{
    return value->type == DYNO_JINJA_BOOLEAN ? value->as.truth : value->as.integer;
}

double dyno_jinja_number(const struct dyno_jinja_value *value)
{
    return value->type == DYNO_JINJA_DECIMAL ? value->as.decimal : (double)dyno_jinja_whole(value);
}

bool dyno_jinja_truth(const struct dyno_jinja_value *value)
{
    switch (value->type) {
    case DYNO_JINJA_UNDEFINED:
    case DYNO_JINJA_NONE:
        return false;
    case DYNO_JINJA_BOOLEAN:
        return value->as.truth;
    case DYNO_JINJA_INTEGER:
        return value->as.integer != 0;
    case DYNO_JINJA_DECIMAL:
        return value->as.decimal != 0;
    case DYNO_JINJA_STRING:
        return value->as.text.size > 0;
    case DYNO_JINJA_LIST:
        return value->as.list->count > 0;
    case DYNO_JINJA_DICT:
        return value->as.dict->count > 0;
    default:
        return true;
    }
}

static dyno_status equal_lists(struct dyno_jinja_run *run, const struct dyno_jinja_list *left,
                               const struct dyno_jinja_list *right, bool *out)
{
    *out = left->count == right->count && left->is_tuple == right->is_tuple;
    for (size_t i = 0; *out && i < left->count; i++) {
        DYNO_TRY(dyno_jinja_equal(run, &left->items[i], &right->items[i], out));
    }
    return DYNO_OK;
}

static dyno_status equal_dicts(struct dyno_jinja_run *run, const struct dyno_jinja_dict *left,
                               const struct dyno_jinja_dict *right, bool *out)
{
    *out = left->count == right->count;
    for (size_t i = 0; *out && i < left->count; i++) {
        struct dyno_jinja_value *other;

        DYNO_TRY(dyno_jinja_find(run, right, &left->pairs[i].key, &other));
        *out = other != NULL;
        if (other) {
            DYNO_TRY(dyno_jinja_equal(run, &left->pairs[i].value, other, out));
        }
    }
    return DYNO_OK;
}

/* Values within values are at most as deep as JSON or a template's brackets, or as a loop that
 * wraps lists in lists; the last is why depth is counted. */
static dyno_status enter(struct dyno_jinja_run *run)
{
    if (run->depth >= DYNO_TEMPLATE_STACK_MAX) {
        return dyno_jinja_fail(run, "values, calls or expressions nest too deeply");
    }
    run->depth++;
    return DYNO_OK;
}

static dyno_status equal_numbers(const struct dyno_jinja_value *left,
                                 const struct dyno_jinja_value *right, bool *out)
{
    *out = dyno_jinja_is_whole(left) && dyno_jinja_is_whole(right)
               ? dyno_jinja_whole(left) == dyno_jinja_whole(right)
               : dyno_jinja_number(left) == dyno_jinja_number(right);
    return DYNO_OK;
}

static bool same_object(const struct dyno_jinja_value *left, const struct dyno_jinja_value *right)
{
    return left->as.bound == right->as.bound;
}

dyno_status dyno_jinja_equal(struct dyno_jinja_run *run, const struct dyno_jinja_value *left,
                             const struct dyno_jinja_value *right, bool *out)
{
    dyno_status status = DYNO_OK;

    DYNO_TRY(dyno_jinja_spend(run, 1));
    if (dyno_jinja_is_number(left) && dyno_jinja_is_number(right)) {
        return equal_numbers(left, right, out);
    }
    *out = false;
    if (left->type != right->type) {
        return DYNO_OK;
    }
    DYNO_TRY(enter(run));
    switch (left->type) {
    case DYNO_JINJA_UNDEFINED:
    case DYNO_JINJA_NONE:
        *out = true;
        break;
    case DYNO_JINJA_STRING:
        status = dyno_jinja_spend(run, left->as.text.size / 64);
        *out = dyno_jinja_same_text(left->as.text, right->as.text);
        break;
    case DYNO_JINJA_LIST:
        status = equal_lists(run, left->as.list, right->as.list, out);
        break;
    case DYNO_JINJA_DICT:
        status = equal_dicts(run, left->as.dict, right->as.dict, out);
        break;
    default:
        *out = same_object(left, right);
        break;
    }
    run->depth--;
    return status;
}

static int order_texts(struct dyno_jinja_text left, struct dyno_jinja_text right)
{
    size_t size = left.size < right.size ? left.size : right.size;
    int order = size > 0 ? memcmp(left.bytes, right.bytes, size) : 0;

    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

static dyno_status compare_lists(struct dyno_jinja_run *run, const struct dyno_jinja_list *left,
                                 const struct dyno_jinja_list *right, int *out)
{
    for (size_t i = 0; i < left->count && i < right->count; i++) {
        bool equal;

        DYNO_TRY(dyno_jinja_equal(run, &left->items[i], &right->items[i], &equal));
        if (!equal) {
            DYNO_TRY(enter(run));
            DYNO_TRY(dyno_jinja_compare(run, &left->items[i], &right->items[i], out));
            run->depth--;
            return DYNO_OK;
        }
    }
    *out = (left->count > right->count) - (left->count < right->count);
    return DYNO_OK;
}

dyno_status dyno_jinja_compare(struct dyno_jinja_run *run, const struct dyno_jinja_value *left,
                               const struct dyno_jinja_value *right, int *out)
{
    DYNO_TRY(dyno_jinja_spend(run, 1));
    if (dyno_jinja_is_whole(left) && dyno_jinja_is_whole(right)) {
        int64_t a = dyno_jinja_whole(left), b = dyno_jinja_whole(right);

        *out = (a > b) - (a < b);
        return DYNO_OK;
    }
    if (dyno_jinja_is_number(left) && dyno_jinja_is_number(right)) {
        double a = dyno_jinja_number(left), b = dyno_jinja_number(right);

        *out = (a > b) - (a < b);
        return DYNO_OK;
    }
    if (left->type == DYNO_JINJA_STRING && right->type == DYNO_JINJA_STRING) {
        *out = order_texts(left->as.text, right->as.text);
        return dyno_jinja_spend(run, left->as.text.size / 64);
    }
    if (left->type == DYNO_JINJA_LIST && right->type == DYNO_JINJA_LIST) {
        return compare_lists(run, left->as.list, right->as.list, out);
    }
    return dyno_jinja_fail(run, "%s and %s have no order", dyno_jinja_type_name(left),
                           dyno_jinja_type_name(right));
}

dyno_status dyno_jinja_new_list(struct dyno_jinja_run *run, size_t capacity,
                                struct dyno_jinja_value *out)
{
    struct dyno_jinja_list *list;

    DYNO_TRY(dyno_jinja_take(run, sizeof *list, &list));
    DYNO_TRY(dyno_jinja_take(run, capacity * sizeof *list->items, &list->items));
    list->capacity = capacity;
    *out = (struct dyno_jinja_value){.type = DYNO_JINJA_LIST, .as.list = list};
    return DYNO_OK;
}

dyno_status dyno_jinja_append(struct dyno_jinja_run *run, struct dyno_jinja_list *list,
                              struct dyno_jinja_value item)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity < 4 ? 8 : 2 * list->capacity;
        struct dyno_jinja_value *wide;

        DYNO_TRY(dyno_jinja_take(run, capacity * sizeof *wide, &wide));
        memcpy(wide, list->items, list->count * sizeof *wide);
        list->items = wide;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    return dyno_jinja_spend(run, 1);
}

dyno_status dyno_jinja_new_dict(struct dyno_jinja_run *run, size_t capacity,
                                struct dyno_jinja_value *out)
{
    struct dyno_jinja_dict *dict;

    DYNO_TRY(dyno_jinja_take(run, sizeof *dict, &dict));
    DYNO_TRY(dyno_jinja_take(run, capacity * sizeof *dict->pairs, &dict->pairs));
    dict->capacity = capacity;
    *out = (struct dyno_jinja_value){.type = DYNO_JINJA_DICT, .as.dict = dict};
    return DYNO_OK;
}

static dyno_status add_pair(struct dyno_jinja_run *run, struct dyno_jinja_dict *dict,
                            struct dyno_jinja_value key, struct dyno_jinja_value value)
{
    if (dict->count == dict->capacity) {
        size_t capacity = dict->capacity < 4 ? 8 : 2 * dict->capacity;
        struct dyno_jinja_pair *wide;

        DYNO_TRY(dyno_jinja_take(run, capacity * sizeof *wide, &wide));
        memcpy(wide, dict->pairs, dict->count * sizeof *wide);
        dict->pairs = wide;
        dict->capacity = capacity;
    }
    dict->pairs[dict->count++] = (struct dyno_jinja_pair){key, value};
    return dyno_jinja_spend(run, 1);
}

dyno_status dyno_jinja_put(struct dyno_jinja_run *run, struct dyno_jinja_dict *dict,
                           struct dyno_jinja_value key, struct dyno_jinja_value value)
{
    struct dyno_jinja_value *there;

    if (key.type >= DYNO_JINJA_LIST && !(key.type == DYNO_JINJA_LIST && key.as.list->is_tuple)) {
        return dyno_jinja_fail(run, "%s cannot be a key", dyno_jinja_type_name(&key));
    }
    DYNO_TRY(dyno_jinja_find(run, dict, &key, &there));
    if (there) {
        *there = value;
        return DYNO_OK;
    }
    return add_pair(run, dict, key, value);
}

dyno_status dyno_jinja_find(struct dyno_jinja_run *run, const struct dyno_jinja_dict *dict,
                            const struct dyno_jinja_value *key, struct dyno_jinja_value **out)
{
    *out = NULL;
    for (size_t i = 0; i < dict->count; i++) {
        struct dyno_jinja_pair *pair = &dict->pairs[i];
        bool equal = false;

        if (key->type != DYNO_JINJA_STRING || pair->key.type != DYNO_JINJA_STRING) {
            DYNO_TRY(dyno_jinja_equal(run, &pair->key, key, &equal));
        } else {
            equal = dyno_jinja_same_text(pair->key.as.text, key->as.text);
        }
        if (equal) {
            *out = &pair->value;
            break;
        }
    }
    return dyno_jinja_spend(run, 1 + dict->count / 8);
}

static dyno_status characters_of(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                                 struct dyno_jinja_value *out)
{
    size_t length;

    DYNO_TRY(dyno_jinja_new_list(run, 8, out));
    for (size_t at = 0; at < text.size; at += length) {
        length = dyno_jinja_character(text, at);
        DYNO_TRY(dyno_jinja_append(run, out->as.list, dyno_jinja_string(text.bytes + at, length)));
    }
    return DYNO_OK;
}

dyno_status dyno_jinja_iterate(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                               struct dyno_jinja_list **out)
{
    struct dyno_jinja_value list;

    switch (value->type) {
    case DYNO_JINJA_LIST:
        *out = value->as.list;
        return DYNO_OK;
    case DYNO_JINJA_UNDEFINED:
        DYNO_TRY(dyno_jinja_new_list(run, 0, &list));
        break;
    case DYNO_JINJA_STRING:
        DYNO_TRY(characters_of(run, value->as.text, &list));
        break;
    case DYNO_JINJA_DICT:
        DYNO_TRY(dyno_jinja_new_list(run, value->as.dict->count, &list));
        for (size_t i = 0; i < value->as.dict->count; i++) {
            DYNO_TRY(dyno_jinja_append(run, list.as.list, value->as.dict->pairs[i].key));
        }
        break;
    default:
        return dyno_jinja_fail(run, "%s cannot be iterated over", dyno_jinja_type_name(value));
    }
    *out = list.as.list;
    return DYNO_OK;
}

static dyno_status copy_bytes(struct dyno_jinja_run *run, const char *bytes, size_t size,
                              struct dyno_jinja_value *out)
{
    char *copy;

    DYNO_TRY(dyno_jinja_take(run, size + 1, &copy));
    memcpy(copy, bytes, size);
    *out = dyno_jinja_string(copy, size);
    return DYNO_OK;
}

static dyno_status from_array(struct dyno_jinja_run *run, const json_t *json, uint32_t depth,
                              struct dyno_jinja_value *out)
{
    DYNO_TRY(dyno_jinja_new_list(run, json_array_size(json), out));
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct dyno_jinja_value item;

        DYNO_TRY(dyno_jinja_from_json(run, json_array_get(json, i), depth, &item));
        DYNO_TRY(dyno_jinja_append(run, out->as.list, item));
    }
    return DYNO_OK;
}

static dyno_status from_object(struct dyno_jinja_run *run, const json_t *json, uint32_t depth,
                               struct dyno_jinja_value *out)
{
    json_t *object = (json_t *)(uintptr_t)json; /* Jansson iterates over what may change */

    DYNO_TRY(dyno_jinja_new_dict(run, json_object_size(json), out));
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        struct dyno_jinja_value key, value;

        DYNO_TRY(copy_bytes(run, json_object_iter_key(at), json_object_iter_key_len(at), &key));
        DYNO_TRY(dyno_jinja_from_json(run, json_object_iter_value(at), depth, &value));
        DYNO_TRY(add_pair(run, out->as.dict, key, value));
    }
    return DYNO_OK;
}

/* Texts are copied, so that a rendering does not depend on who else holds the JSON. */
dyno_status dyno_jinja_from_json(struct dyno_jinja_run *run, const json_t *json, uint32_t depth,
                                 struct dyno_jinja_value *out)
{
    if (depth > DYNO_TEMPLATE_STACK_MAX / 4) {
        return dyno_jinja_fail(run, "the variables nest too deeply");
    }
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return from_object(run, json, depth + 1, out);
    case JSON_ARRAY:
        return from_array(run, json, depth + 1, out);
    case JSON_STRING:
        return copy_bytes(run, json_string_value(json), json_string_length(json), out);
    case JSON_INTEGER:
        *out = dyno_jinja_integer(json_integer_value(json));
        return DYNO_OK;
    case JSON_REAL:
        *out = dyno_jinja_decimal(json_real_value(json));
        return DYNO_OK;
    case JSON_NULL:
        *out = dyno_jinja_none();
        return DYNO_OK;
    default:
        *out = dyno_jinja_boolean(json_is_true(json));
        return DYNO_OK;
    }
}
