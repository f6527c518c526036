/* Filters of lists and mappings. */
#include <string.h>

#include "backends/assets/template/run.h"

#define FILTER(name)                                                                               \
    static dyno_status name(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,    \
                            const struct dyno_jinja_bindings *arguments,                           \
                            struct dyno_jinja_value *out)

static bool flag_argument(const struct dyno_jinja_bindings *arguments, size_t place, bool otherwise)
{
    return arguments->of[place] ? dyno_jinja_truth(arguments->of[place]) : otherwise;
}

/* The attribute that an argument names; size 0: none. */
static dyno_status attribute_argument(struct dyno_jinja_run *run,
                                      const struct dyno_jinja_value *argument,
                                      struct dyno_jinja_text *out)
{
    *out = (struct dyno_jinja_text){"", 0};
    return argument && argument->type != DYNO_JINJA_NONE ? dyno_jinja_to_string(run, argument, out)
                                                         : DYNO_OK;
}

dyno_status dyno_jinja_path(struct dyno_jinja_run *run, const struct dyno_jinja_value *value,
                            struct dyno_jinja_text path, struct dyno_jinja_value *out)
{
    *out = *value;
    while (path.size > 0) {
        const char *dot = memchr(path.bytes, '.', path.size);
        struct dyno_jinja_text name = {path.bytes, dot ? (size_t)(dot - path.bytes) : path.size};
        struct dyno_jinja_value of = *out, key = dyno_jinja_string(name.bytes, name.size);
        int64_t place = 0;
        size_t digits = 0;

        for (; digits < name.size && digits < 9 && name.bytes[digits] >= '0' &&
               name.bytes[digits] <= '9';
             digits++) {
            place = 10 * place + (name.bytes[digits] - '0');
        }
        key = digits > 0 && digits == name.size ? dyno_jinja_integer(place) : key;
        DYNO_TRY(dyno_jinja_item(run, &of, &key, out));
        path.bytes += name.size + (dot != NULL);
        path.size -= name.size + (dot != NULL);
    }
    return DYNO_OK;
}

FILTER(list)
{
    struct dyno_jinja_list *items;

    (void)arguments;
    DYNO_TRY(dyno_jinja_iterate(run, subject, &items));
    DYNO_TRY(dyno_jinja_new_list(run, items->count, out));
    for (size_t i = 0; i < items->count; i++) {
        DYNO_TRY(dyno_jinja_append(run, out->as.list, items->items[i]));
    }
    return DYNO_OK;
}

FILTER(items)
{
    static const struct dyno_jinja_arguments nothing = {0};

    (void)arguments;
    if (subject->type == DYNO_JINJA_UNDEFINED) {
        return dyno_jinja_new_list(run, 0, out);
    }
    if (subject->type != DYNO_JINJA_DICT) {
        return dyno_jinja_fail(run, "items of %s, which is no mapping",
                               dyno_jinja_type_name(subject));
    }
    return dyno_jinja_call_function(
        run, dyno_jinja_collection_method(DYNO_JINJA_DICT, DYNO_JINJA_TEXT("items")), subject,
        &nothing, out);
}

/* The first or the last item. */
static dyno_status edge(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                        bool last, struct dyno_jinja_value *out)
{
    struct dyno_jinja_list *items;

    DYNO_TRY(dyno_jinja_iterate(run, subject, &items));
    *out = items->count > 0 ? items->items[last ? items->count - 1 : 0]
                            : dyno_jinja_undefined(DYNO_JINJA_TEXT("an item of an empty list"));
    return DYNO_OK;
}

FILTER(first)
{
    (void)arguments;
    return edge(run, subject, false, out);
}

FILTER(last)
{
    (void)arguments;
    return edge(run, subject, true, out);
}

FILTER(join)
{
    struct dyno_jinja_builder builder = {0};
    struct dyno_jinja_text attribute;
    struct dyno_jinja_list *items;

    DYNO_TRY(attribute_argument(run, arguments->of[1], &attribute));
    DYNO_TRY(dyno_jinja_iterate(run, subject, &items));
    for (size_t i = 0; i < items->count; i++) {
        struct dyno_jinja_value item;

        if (i > 0 && arguments->of[0]) {
            DYNO_TRY(dyno_jinja_print(run, &builder, arguments->of[0]));
        }
        DYNO_TRY(dyno_jinja_path(run, &items->items[i], attribute, &item));
        DYNO_TRY(dyno_jinja_print(run, &builder, &item));
    }
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

FILTER(reverse)
{
    struct dyno_jinja_builder builder = {0};
    struct dyno_jinja_list *items;

    (void)arguments;
    DYNO_TRY(dyno_jinja_iterate(run, subject, &items));
    DYNO_TRY(dyno_jinja_new_list(run, items->count, out));
    for (size_t i = items->count; i-- > 0;) {
        DYNO_TRY(subject->type == DYNO_JINJA_STRING
                     ? dyno_jinja_print(run, &builder, &items->items[i])
                     : dyno_jinja_append(run, out->as.list, items->items[i]));
    }
    if (subject->type == DYNO_JINJA_STRING) {
        *out = dyno_jinja_built(&builder);
    }
    return DYNO_OK;
}

/* The rest of the arguments from `from` on. */
static struct dyno_jinja_arguments rest_of(const struct dyno_jinja_arguments *all, size_t from)
{
    struct dyno_jinja_arguments rest = *all;

    rest.items += from;
    rest.count -= from;
    return rest;
}

/* Keep the items whose attribute (if `by_attribute`) passes the test that the next argument names,
 * or is true; the others if `reject`. */
static dyno_status choose(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                          const struct dyno_jinja_arguments *all, bool by_attribute, bool reject,
                          struct dyno_jinja_value *out)
{
    struct dyno_jinja_text attribute = {"", 0};
    const struct dyno_jinja_function *test = NULL;
    size_t used = by_attribute ? 1 : 0;
    struct dyno_jinja_arguments rest;
    struct dyno_jinja_list *items;

    if (all->count < used) {
        return dyno_jinja_fail(run, "selectattr and rejectattr need an attribute");
    }
    if (by_attribute) {
        DYNO_TRY(dyno_jinja_to_string(run, &all->items[0], &attribute));
    }
    if (all->count > used) {
        test = all->items[used].type == DYNO_JINJA_STRING
                   ? dyno_jinja_test(all->items[used].as.text)
                   : NULL;
        if (!test) {
            return dyno_jinja_fail(run, "select and reject need the name of a test");
        }
        used++;
    }
    rest = rest_of(all, used);
    DYNO_TRY(dyno_jinja_iterate(run, subject, &items));
    DYNO_TRY(dyno_jinja_new_list(run, 8, out));
    for (size_t i = 0; i < items->count; i++) {
        struct dyno_jinja_value value;

        DYNO_TRY(dyno_jinja_path(run, &items->items[i], attribute, &value));
        if (test) {
            struct dyno_jinja_value of = value;

            DYNO_TRY(dyno_jinja_call_function(run, test, &of, &rest, &value));
        }
        if (dyno_jinja_truth(&value) != reject) {
            DYNO_TRY(dyno_jinja_append(run, out->as.list, items->items[i]));
        }
    }
    return DYNO_OK;
}

FILTER(select_)
{
    return choose(run, subject, arguments->all, false, false, out);
}

FILTER(reject)
{
    return choose(run, subject, arguments->all, false, true, out);
}

FILTER(selectattr)
{
    return choose(run, subject, arguments->all, true, false, out);
}

FILTER(rejectattr)
{
    return choose(run, subject, arguments->all, true, true, out);
}

static const struct dyno_jinja_value *named_argument(const struct dyno_jinja_arguments *all,
                                                     const char *name)
{
    for (size_t i = 0; i < all->named_count; i++) {
        if (dyno_jinja_is_text(all->named[i].name, name)) {
            return &all->named[i].value;
        }
    }
    return NULL;
}

/* An attribute of each item (with a default), or each item through a filter. */
FILTER(map)
{
    const struct dyno_jinja_arguments *all = arguments->all;
    const struct dyno_jinja_value *attribute = named_argument(all, "attribute");
    const struct dyno_jinja_value *fallback = named_argument(all, "default");
    const struct dyno_jinja_function *filter = NULL;
    struct dyno_jinja_arguments rest = {0};
    struct dyno_jinja_text path;
    struct dyno_jinja_list *items;

    if (!attribute) {
        filter = all->count > 0 && all->items[0].type == DYNO_JINJA_STRING
                     ? dyno_jinja_filter(all->items[0].as.text)
                     : NULL;
        if (!filter) {
            return dyno_jinja_fail(run, "map needs an attribute or the name of a filter");
        }
        rest = rest_of(all, 1);
    }
    DYNO_TRY(attribute_argument(run, attribute, &path));
    DYNO_TRY(dyno_jinja_iterate(run, subject, &items));
    DYNO_TRY(dyno_jinja_new_list(run, items->count, out));
    for (size_t i = 0; i < items->count; i++) {
        struct dyno_jinja_value value;

        DYNO_TRY(filter ? dyno_jinja_call_function(run, filter, &items->items[i], &rest, &value)
                        : dyno_jinja_path(run, &items->items[i], path, &value));
        if (!filter && fallback && value.type == DYNO_JINJA_UNDEFINED) {
            value = *fallback;
        }
        DYNO_TRY(dyno_jinja_append(run, out->as.list, value));
    }
    return DYNO_OK;
}

/* What an item is ordered by; texts without case unless asked. */
static dyno_status order_key(struct dyno_jinja_run *run, const struct dyno_jinja_value *item,
                             const struct dyno_jinja_order *order, struct dyno_jinja_value *out)
{
    struct dyno_jinja_value value;

    if (order->by_pair) {
        value = item->as.list->items[order->by_pair_value ? 1 : 0];
    } else {
        DYNO_TRY(dyno_jinja_path(run, item, order->attribute, &value));
    }
    if (value.type == DYNO_JINJA_STRING && !order->case_sensitive) {
        return dyno_jinja_change_case(run, value.as.text, DYNO_JINJA_LOWER, out);
    }
    *out = value;
    return DYNO_OK;
}

struct keyed {
    struct dyno_jinja_value key, item;
};

/* Merge runs of `width`. */
static dyno_status merge(struct dyno_jinja_run *run, const struct keyed *from, struct keyed *to,
                         size_t count, size_t width, bool reverse)
{
    for (size_t start = 0; start < count; start += 2 * width) {
        size_t middle = start + width < count ? start + width : count;
        size_t end = start + 2 * width < count ? start + 2 * width : count;
        size_t left = start, right = middle;

        for (size_t at = start; at < end; at++) {
            int order = left == middle ? 1 : -1;

            if (left < middle && right < end) {
                DYNO_TRY(dyno_jinja_compare(run, &from[left].key, &from[right].key, &order));
                order = reverse ? -order : order;
            }
            to[at] = order <= 0 ? from[left++] : from[right++];
        }
    }
    return DYNO_OK;
}

dyno_status dyno_jinja_sort(struct dyno_jinja_run *run, struct dyno_jinja_list *list,
                            const struct dyno_jinja_order *order)
{
    struct keyed *from, *to, *other;

    DYNO_TRY(dyno_jinja_take(run, list->count * sizeof *from, &from));
    DYNO_TRY(dyno_jinja_take(run, list->count * sizeof *to, &to));
    for (size_t i = 0; i < list->count; i++) {
        from[i].item = list->items[i];
        DYNO_TRY(order_key(run, &list->items[i], order, &from[i].key));
    }
    for (size_t width = 1; width < list->count; width *= 2) {
        DYNO_TRY(merge(run, from, to, list->count, width, order->reverse));
        other = from;
        from = to;
        to = other;
    }
    for (size_t i = 0; i < list->count; i++) {
        list->items[i] = from[i].item;
    }
    return DYNO_OK;
}

FILTER(sort)
{
    struct dyno_jinja_order order = {.reverse = flag_argument(arguments, 0, false),
                                     .case_sensitive = flag_argument(arguments, 1, false)};

    DYNO_TRY(attribute_argument(run, arguments->of[2], &order.attribute));
    DYNO_TRY(list(run, subject, arguments, out));
    return dyno_jinja_sort(run, out->as.list, &order);
}

FILTER(dictsort)
{
    const struct dyno_jinja_value *by = arguments->of[1];
    struct dyno_jinja_order order = {.case_sensitive = flag_argument(arguments, 0, false),
                                     .reverse = flag_argument(arguments, 2, false),
                                     .by_pair = true};

    if (subject->type != DYNO_JINJA_DICT) {
        return dyno_jinja_fail(run, "dictsort of %s, which is no mapping",
                               dyno_jinja_type_name(subject));
    }
    order.by_pair_value =
        by && by->type == DYNO_JINJA_STRING && dyno_jinja_is_text(by->as.text, "value");
    DYNO_TRY(items(run, subject, arguments, out));
    return dyno_jinja_sort(run, out->as.list, &order);
}

FILTER(unique)
{
    struct dyno_jinja_order order = {.case_sensitive = flag_argument(arguments, 0, false)};
    struct dyno_jinja_value keys;
    struct dyno_jinja_list *all;

    DYNO_TRY(attribute_argument(run, arguments->of[1], &order.attribute));
    DYNO_TRY(dyno_jinja_iterate(run, subject, &all));
    DYNO_TRY(dyno_jinja_new_list(run, 8, &keys));
    DYNO_TRY(dyno_jinja_new_list(run, 8, out));
    for (size_t i = 0; i < all->count; i++) {
        struct dyno_jinja_value key;
        bool seen;

        DYNO_TRY(order_key(run, &all->items[i], &order, &key));
        DYNO_TRY(dyno_jinja_contains(run, &keys, &key, &seen));
        if (!seen) {
            DYNO_TRY(dyno_jinja_append(run, keys.as.list, key));
            DYNO_TRY(dyno_jinja_append(run, out->as.list, all->items[i]));
        }
    }
    return DYNO_OK;
}

FILTER(sum)
{
    struct dyno_jinja_value total = arguments->of[1] ? *arguments->of[1] : dyno_jinja_integer(0);
    struct dyno_jinja_text attribute;
    struct dyno_jinja_list *all;

    DYNO_TRY(attribute_argument(run, arguments->of[0], &attribute));
    DYNO_TRY(dyno_jinja_iterate(run, subject, &all));
    for (size_t i = 0; i < all->count; i++) {
        struct dyno_jinja_value item, so_far = total;

        DYNO_TRY(dyno_jinja_path(run, &all->items[i], attribute, &item));
        DYNO_TRY(dyno_jinja_operate(run, DYNO_JINJA_ADD, &so_far, &item, &total));
    }
    *out = total;
    return DYNO_OK;
}

/* The first of the least or the greatest items. */
static dyno_status extreme(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                           const struct dyno_jinja_bindings *arguments, bool greatest,
                           struct dyno_jinja_value *out)
{
    struct dyno_jinja_order order = {.case_sensitive = flag_argument(arguments, 0, false)};
    struct dyno_jinja_value best;
    struct dyno_jinja_list *all;

    DYNO_TRY(attribute_argument(run, arguments->of[1], &order.attribute));
    DYNO_TRY(dyno_jinja_iterate(run, subject, &all));
    *out = dyno_jinja_undefined(DYNO_JINJA_TEXT("an item of an empty list"));
    for (size_t i = 0; i < all->count; i++) {
        struct dyno_jinja_value key;
        int compared = -1;

        DYNO_TRY(order_key(run, &all->items[i], &order, &key));
        if (i > 0) {
            DYNO_TRY(dyno_jinja_compare(run, &key, &best, &compared));
            compared = greatest ? -compared : compared;
        }
        if (compared < 0) {
            best = key;
            *out = all->items[i];
        }
    }
    return DYNO_OK;
}

FILTER(min)
{
    return extreme(run, subject, arguments, false, out);
}

FILTER(max)
{
    return extreme(run, subject, arguments, true, out);
}

const struct dyno_jinja_function *dyno_jinja_list_filter(struct dyno_jinja_text name)
{
    static const struct dyno_jinja_function table[] = {
        {"list", "", list},
        {"items", "", items},
        {"first", "", first},
        {"last", "", last},
        {"join", "d attribute", join},
        {"reverse", "", reverse},
        {"select", "*", select_},
        {"reject", "*", reject},
        {"selectattr", "*", selectattr},
        {"rejectattr", "*", rejectattr},
        {"map", "*", map},
        {"sort", "reverse case_sensitive attribute", sort},
        {"dictsort", "case_sensitive by reverse", dictsort},
        {"unique", "case_sensitive attribute", unique},
        {"sum", "attribute start", sum},
        {"min", "case_sensitive attribute", min},
        {"max", "case_sensitive attribute", max},
        {0}};

    return dyno_jinja_lookup(table, name);
}
