/* Methods of strings, mappings and lists: Python's, of those that change nothing. */
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "backends/assets/template/run.h"
#include "core/base/utf8.h"

#define METHOD(name)                                                                               \
    static dyno_status name(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,    \
                            const struct dyno_jinja_bindings *arguments,                           \
                            struct dyno_jinja_value *out)

/* The text of an argument; absent or none: *given is false. */
static dyno_status text_argument(struct dyno_jinja_run *run,
                                 const struct dyno_jinja_bindings *arguments, size_t place,
                                 bool *given, struct dyno_jinja_text *out)
{
    const struct dyno_jinja_value *argument = arguments->of[place];

    *given = argument && argument->type != DYNO_JINJA_NONE;
    if (*given && argument->type != DYNO_JINJA_STRING) {
        return dyno_jinja_fail(run, "a method of a string was given %s",
                               dyno_jinja_type_name(argument));
    }
    *out = *given ? argument->as.text : (struct dyno_jinja_text){"", 0};
    return DYNO_OK;
}

static dyno_status needed_text(struct dyno_jinja_run *run,
                               const struct dyno_jinja_bindings *arguments, size_t place,
                               struct dyno_jinja_text *out)
{
    bool given = false;

    DYNO_TRY(text_argument(run, arguments, place, &given, out));
    return given ? DYNO_OK : dyno_jinja_fail(run, "a method of a string needs an argument");
}

static dyno_status whole_argument(struct dyno_jinja_run *run,
                                  const struct dyno_jinja_bindings *arguments, size_t place,
                                  int64_t fallback, int64_t *out)
{
    const struct dyno_jinja_value *argument = arguments->of[place];

    if (argument && !dyno_jinja_is_whole(argument)) {
        return dyno_jinja_fail(run, "a method was given %s where an integer is expected",
                               dyno_jinja_type_name(argument));
    }
    *out = argument ? dyno_jinja_whole(argument) : fallback;
    return DYNO_OK;
}

static dyno_status strip_sides(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                               const struct dyno_jinja_bindings *arguments, bool left, bool right,
                               struct dyno_jinja_value *out)
{
    struct dyno_jinja_text set = {"", 0}, text;
    bool given = false;

    DYNO_TRY(text_argument(run, arguments, 0, &given, &set));
    DYNO_TRY(dyno_jinja_spend(run, subject->as.text.size / 64 + set.size / 8));
    text = dyno_jinja_strip(subject->as.text, given ? &set : NULL, left, right);
    *out = dyno_jinja_string(text.bytes, text.size);
    return DYNO_OK;
}

METHOD(strip)
{
    return strip_sides(run, subject, arguments, true, true, out);
}

METHOD(lstrip)
{
    return strip_sides(run, subject, arguments, true, false, out);
}

METHOD(rstrip)
{
    return strip_sides(run, subject, arguments, false, true, out);
}

static dyno_status add_part(struct dyno_jinja_run *run, struct dyno_jinja_value *parts,
                            const char *from, const char *to)
{
    return dyno_jinja_append(run, parts->as.list, dyno_jinja_string(from, (size_t)(to - from)));
}

/* Parts between runs of blanks. */
static dyno_status split_blanks(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                                int64_t count, struct dyno_jinja_value *out)
{
    text = dyno_jinja_strip(text, NULL, true, false);
    while (text.size > 0) {
        size_t at = 0;

        while (count != 0 && at < text.size) {
            struct dyno_jinja_text rest = {text.bytes + at, dyno_jinja_character(text, at)};

            if (dyno_jinja_strip(rest, NULL, true, false).size == 0) {
                break;
            }
            at += rest.size;
        }
        at = count == 0 ? text.size : at; /* what is left keeps its last blanks */
        DYNO_TRY(add_part(run, out, text.bytes, text.bytes + at));
        text = dyno_jinja_strip((struct dyno_jinja_text){text.bytes + at, text.size - at}, NULL,
                                true, false);
        count -= count > 0;
    }
    return DYNO_OK;
}

static dyno_status split_at(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                            struct dyno_jinja_text separator, int64_t count,
                            struct dyno_jinja_value *out)
{
    const char *at = text.bytes, *end = text.bytes + text.size;

    for (; count != 0; count--) {
        const char *found = memmem(at, (size_t)(end - at), separator.bytes, separator.size);

        if (!found) {
            break;
        }
        DYNO_TRY(add_part(run, out, at, found));
        at = found + separator.size;
    }
    return add_part(run, out, at, end);
}

METHOD(split)
{
    struct dyno_jinja_text separator = {"", 0};
    int64_t count = -1;
    bool given = false;

    DYNO_TRY(text_argument(run, arguments, 0, &given, &separator));
    DYNO_TRY(whole_argument(run, arguments, 1, -1, &count));
    DYNO_TRY(dyno_jinja_spend(run, subject->as.text.size / 16));
    DYNO_TRY(dyno_jinja_new_list(run, 4, out));
    if (given && separator.size == 0) {
        return dyno_jinja_fail(run, "split at an empty text");
    }
    return given ? split_at(run, subject->as.text, separator, count, out)
                 : split_blanks(run, subject->as.text, count, out);
}

/* The last place of `what` in text[end], or NULL. */
static const char *find_last(struct dyno_jinja_text text, struct dyno_jinja_text what)
{
    for (size_t at = text.size - what.size + 1; what.size <= text.size && at > 0; at--) {
        if (memcmp(text.bytes + at - 1, what.bytes, what.size) == 0) {
            return text.bytes + at - 1;
        }
    }
    return NULL;
}

/* Whether the text ends with a blank, and how many bytes its last character has. */
static bool ends_blank(struct dyno_jinja_text text, size_t *size)
{
    struct dyno_jinja_text stripped = dyno_jinja_strip(text, NULL, false, true);

    for (*size = 1; *size < text.size && (text.bytes[text.size - *size] & 0xC0) == 0x80; ++*size) {
    }
    return stripped.size < text.size;
}

/* Likewise, the last parts first; what is left when the count is used up keeps its first blanks. */
static dyno_status rsplit_blanks(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                                 int64_t count, struct dyno_jinja_value *out)
{
    text = dyno_jinja_strip(text, NULL, false, true);
    while (text.size > 0) {
        size_t at = text.size, size;

        while (count != 0 && at > 0 &&
               !ends_blank((struct dyno_jinja_text){text.bytes, at}, &size)) {
            at -= size;
        }
        at = count == 0 ? 0 : at;
        DYNO_TRY(add_part(run, out, text.bytes + at, text.bytes + text.size));
        text = dyno_jinja_strip((struct dyno_jinja_text){text.bytes, at}, NULL, false, true);
        count -= count > 0;
    }
    return DYNO_OK;
}

static dyno_status rsplit_at(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                             struct dyno_jinja_text separator, int64_t count,
                             struct dyno_jinja_value *out)
{
    for (; count != 0; count--) {
        const char *found = find_last(text, separator);

        if (!found) {
            break;
        }
        DYNO_TRY(add_part(run, out, found + separator.size, text.bytes + text.size));
        text.size = (size_t)(found - text.bytes);
    }
    return add_part(run, out, text.bytes, text.bytes + text.size);
}

METHOD(rsplit)
{
    struct dyno_jinja_text separator = {"", 0};
    struct dyno_jinja_value parts;
    int64_t count = -1;
    bool given = false;

    DYNO_TRY(text_argument(run, arguments, 0, &given, &separator));
    DYNO_TRY(whole_argument(run, arguments, 1, -1, &count));
    DYNO_TRY(dyno_jinja_spend(run, subject->as.text.size / 16));
    if (given && separator.size == 0) {
        return dyno_jinja_fail(run, "split at an empty text");
    }
    DYNO_TRY(dyno_jinja_new_list(run, 4, &parts));
    DYNO_TRY(given ? rsplit_at(run, subject->as.text, separator, count, &parts)
                   : rsplit_blanks(run, subject->as.text, count, &parts));
    DYNO_TRY(dyno_jinja_new_list(run, parts.as.list->count, out));
    for (size_t i = parts.as.list->count; i-- > 0;) {
        DYNO_TRY(dyno_jinja_append(run, out->as.list, parts.as.list->items[i]));
    }
    return DYNO_OK;
}

METHOD(splitlines)
{
    bool keeps_ends = arguments->of[0] && dyno_jinja_truth(arguments->of[0]);
    struct dyno_jinja_text text = subject->as.text;

    DYNO_TRY(dyno_jinja_spend(run, text.size / 16));
    DYNO_TRY(dyno_jinja_new_list(run, 4, out));
    while (text.size > 0) {
        size_t at = 0, end = 0;

        while (at < text.size && end == 0) {
            end = dyno_jinja_line_end((struct dyno_jinja_text){text.bytes + at, text.size - at});
            at += end == 0;
        }
        DYNO_TRY(add_part(run, out, text.bytes, text.bytes + at + (keeps_ends ? end : 0)));
        text = (struct dyno_jinja_text){text.bytes + at + end, text.size - at - end};
    }
    return DYNO_OK;
}

/* Whether the text begins (or ends) with the argument, or with one of a tuple. */
static dyno_status has_edge(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                            const struct dyno_jinja_value *edge, bool at_end, bool *out)
{
    struct dyno_jinja_text text = subject->as.text;

    *out = false;
    if (edge && edge->type == DYNO_JINJA_LIST && edge->as.list->is_tuple) {
        for (size_t i = 0; !*out && i < edge->as.list->count; i++) {
            const struct dyno_jinja_value *one = &edge->as.list->items[i];

            if (one->type != DYNO_JINJA_STRING) {
                return dyno_jinja_fail(run, "the edge of a text must be a string");
            }
            DYNO_TRY(has_edge(run, subject, one, at_end, out));
        }
        return DYNO_OK;
    }
    if (!edge || edge->type != DYNO_JINJA_STRING) {
        return dyno_jinja_fail(run, "the edge of a text must be a string");
    }
    *out = edge->as.text.size <= text.size &&
           (edge->as.text.size == 0 ||
            memcmp(text.bytes + (at_end ? text.size - edge->as.text.size : 0), edge->as.text.bytes,
                   edge->as.text.size) == 0);
    return dyno_jinja_spend(run, 1);
}

METHOD(startswith)
{
    bool has = false;

    DYNO_TRY(has_edge(run, subject, arguments->of[0], false, &has));
    *out = dyno_jinja_boolean(has);
    return DYNO_OK;
}

METHOD(endswith)
{
    bool has = false;

    DYNO_TRY(has_edge(run, subject, arguments->of[0], true, &has));
    *out = dyno_jinja_boolean(has);
    return DYNO_OK;
}

static dyno_status remove_edge(struct dyno_jinja_run *run, const struct dyno_jinja_value *subject,
                               const struct dyno_jinja_bindings *arguments, bool at_end,
                               struct dyno_jinja_value *out)
{
    struct dyno_jinja_text edge = {"", 0}, text = subject->as.text;
    bool has = false;

    DYNO_TRY(needed_text(run, arguments, 0, &edge));
    DYNO_TRY(has_edge(run, subject, arguments->of[0], at_end, &has));
    if (has) {
        text.size -= edge.size;
        text.bytes += at_end ? 0 : edge.size;
    }
    *out = dyno_jinja_string(text.bytes, text.size);
    return DYNO_OK;
}

METHOD(removeprefix)
{
    return remove_edge(run, subject, arguments, false, out);
}

METHOD(removesuffix)
{
    return remove_edge(run, subject, arguments, true, out);
}

METHOD(replace)
{
    struct dyno_jinja_text from = {"", 0}, to = {"", 0};
    int64_t count = -1;

    DYNO_TRY(needed_text(run, arguments, 0, &from));
    DYNO_TRY(needed_text(run, arguments, 1, &to));
    DYNO_TRY(whole_argument(run, arguments, 2, -1, &count));
    return dyno_jinja_replace(run, subject->as.text, from, to, count, out);
}

METHOD(upper)
{
    (void)arguments;
    return dyno_jinja_change_case(run, subject->as.text, DYNO_JINJA_UPPER, out);
}

METHOD(lower)
{
    (void)arguments;
    return dyno_jinja_change_case(run, subject->as.text, DYNO_JINJA_LOWER, out);
}

METHOD(title)
{
    (void)arguments;
    return dyno_jinja_change_case(run, subject->as.text, DYNO_JINJA_TITLE, out);
}

METHOD(capitalize)
{
    (void)arguments;
    return dyno_jinja_change_case(run, subject->as.text, DYNO_JINJA_CAPITAL, out);
}

/* The place of the argument in characters, or -1. */
METHOD(find)
{
    struct dyno_jinja_text what = {"", 0}, text = subject->as.text;
    const char *found;

    DYNO_TRY(needed_text(run, arguments, 0, &what));
    DYNO_TRY(dyno_jinja_spend(run, text.size / 16));
    found = what.size == 0  ? text.bytes
            : text.size > 0 ? memmem(text.bytes, text.size, what.bytes, what.size)
                            : NULL;
    text.size = found ? (size_t)(found - text.bytes) : 0;
    *out = dyno_jinja_integer(found ? (int64_t)dyno_jinja_characters(text) : -1);
    return DYNO_OK;
}

METHOD(count)
{
    struct dyno_jinja_text what = {"", 0}, text = subject->as.text;
    struct dyno_jinja_value parts;

    DYNO_TRY(needed_text(run, arguments, 0, &what));
    DYNO_TRY(dyno_jinja_spend(run, text.size / 16));
    if (what.size == 0) {
        *out = dyno_jinja_integer((int64_t)dyno_jinja_characters(text) + 1);
        return DYNO_OK;
    }
    DYNO_TRY(dyno_jinja_new_list(run, 4, &parts));
    DYNO_TRY(split_at(run, text, what, -1, &parts));
    *out = dyno_jinja_integer((int64_t)parts.as.list->count - 1);
    return DYNO_OK;
}

METHOD(join)
{
    struct dyno_jinja_builder builder = {0};
    struct dyno_jinja_list *items;

    if (!arguments->of[0]) {
        return dyno_jinja_fail(run, "join needs a list");
    }
    DYNO_TRY(dyno_jinja_iterate(run, arguments->of[0], &items));
    for (size_t i = 0; i < items->count; i++) {
        if (items->items[i].type != DYNO_JINJA_STRING) {
            return dyno_jinja_fail(run, "join of %s, which is no string",
                                   dyno_jinja_type_name(&items->items[i]));
        }
        if (i > 0) {
            DYNO_TRY(dyno_jinja_print(run, &builder, subject));
        }
        DYNO_TRY(dyno_jinja_print(run, &builder, &items->items[i]));
    }
    *out = dyno_jinja_built(&builder);
    return DYNO_OK;
}

/* Whether there are characters and all are of the categories from `first` to `last`. */
static dyno_status all_between(struct dyno_jinja_run *run, struct dyno_jinja_text text,
                               utf8proc_category_t first, utf8proc_category_t last, bool *out)
{
    size_t length;

    *out = text.size > 0;
    for (size_t at = 0; *out && at < text.size; at += length) {
        utf8proc_category_t category =
            utf8proc_category((utf8proc_int32_t)dyno_utf8_point(text.bytes + at, &length));

        *out = category >= first && category <= last;
    }
    return dyno_jinja_spend(run, text.size / 16);
}

METHOD(is_digit)
{
    bool all = false;

    (void)arguments;
    DYNO_TRY(all_between(run, subject->as.text, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_ND, &all));
    *out = dyno_jinja_boolean(all);
    return DYNO_OK;
}

METHOD(is_alpha)
{
    bool all = false;

    (void)arguments;
    DYNO_TRY(all_between(run, subject->as.text, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO, &all));
    *out = dyno_jinja_boolean(all);
    return DYNO_OK;
}

METHOD(is_space)
{
    (void)arguments;
    *out = dyno_jinja_boolean(subject->as.text.size > 0 &&
                              dyno_jinja_strip(subject->as.text, NULL, true, false).size == 0);
    return dyno_jinja_spend(run, subject->as.text.size / 16);
}

const struct dyno_jinja_function *dyno_jinja_string_method(struct dyno_jinja_text name)
{
    static const struct dyno_jinja_function table[] = {{"strip", "chars", strip},
                                                       {"lstrip", "chars", lstrip},
                                                       {"rstrip", "chars", rstrip},
                                                       {"split", "sep maxsplit", split},
                                                       {"rsplit", "sep maxsplit", rsplit},
                                                       {"splitlines", "keepends", splitlines},
                                                       {"startswith", "prefix", startswith},
                                                       {"endswith", "suffix", endswith},
                                                       {"removeprefix", "prefix", removeprefix},
                                                       {"removesuffix", "suffix", removesuffix},
                                                       {"replace", "old new count", replace},
                                                       {"upper", "", upper},
                                                       {"lower", "", lower},
                                                       {"title", "", title},
                                                       {"capitalize", "", capitalize},
                                                       {"find", "sub", find},
                                                       {"count", "sub", count},
                                                       {"join", "iterable", join},
                                                       {"isdigit", "", is_digit},
                                                       {"isalpha", "", is_alpha},
                                                       {"isspace", "", is_space},
                                                       {0}};

    return dyno_jinja_lookup(table, name);
}

METHOD(get)
{
    struct dyno_jinja_value *found;

    if (!arguments->of[0]) {
        return dyno_jinja_fail(run, "get needs a key");
    }
    DYNO_TRY(dyno_jinja_find(run, subject->as.dict, arguments->of[0], &found));
    *out = found ? *found : arguments->of[1] ? *arguments->of[1] : dyno_jinja_none();
    return DYNO_OK;
}

/* Keys, values or both of a mapping. */
static dyno_status list_pairs(struct dyno_jinja_run *run, const struct dyno_jinja_dict *dict,
                              bool keys, bool values, struct dyno_jinja_value *out)
{
    DYNO_TRY(dyno_jinja_new_list(run, dict->count, out));
    for (size_t i = 0; i < dict->count; i++) {
        struct dyno_jinja_value item = keys ? dict->pairs[i].key : dict->pairs[i].value;

        if (keys && values) {
            DYNO_TRY(dyno_jinja_new_list(run, 2, &item));
            item.as.list->is_tuple = true;
            DYNO_TRY(dyno_jinja_append(run, item.as.list, dict->pairs[i].key));
            DYNO_TRY(dyno_jinja_append(run, item.as.list, dict->pairs[i].value));
        }
        DYNO_TRY(dyno_jinja_append(run, out->as.list, item));
    }
    return DYNO_OK;
}

METHOD(items)
{
    (void)arguments;
    return list_pairs(run, subject->as.dict, true, true, out);
}

METHOD(keys)
{
    (void)arguments;
    return list_pairs(run, subject->as.dict, true, false, out);
}

METHOD(values)
{
    (void)arguments;
    return list_pairs(run, subject->as.dict, false, true, out);
}

/* What would change a value is known, to be refused. */
METHOD(refuse_change)
{
    (void)arguments;
    (void)out;
    return dyno_jinja_fail(run, "a template may not change %s", dyno_jinja_type_name(subject));
}

METHOD(index_of)
{
    bool equal = false;
    size_t i = 0;

    if (!arguments->of[0]) {
        return dyno_jinja_fail(run, "index needs a value");
    }
    for (; i < subject->as.list->count && !equal; i++) {
        DYNO_TRY(dyno_jinja_equal(run, &subject->as.list->items[i], arguments->of[0], &equal));
    }
    *out = dyno_jinja_integer((int64_t)i - 1);
    return equal ? DYNO_OK : dyno_jinja_fail(run, "a value that is not in the list has no index");
}

const struct dyno_jinja_function *dyno_jinja_collection_method(enum dyno_jinja_type type,
                                                               struct dyno_jinja_text name)
{
    static const struct dyno_jinja_function of_dict[] = {{"get", "key default", get},
                                                         {"items", "", items},
                                                         {"keys", "", keys},
                                                         {"values", "", values},
                                                         {"update", "*", refuse_change},
                                                         {"pop", "*", refuse_change},
                                                         {"setdefault", "*", refuse_change},
                                                         {"clear", "*", refuse_change},
                                                         {0}};
    static const struct dyno_jinja_function of_list[] = {
        {"index", "value", index_of},    {"append", "*", refuse_change},
        {"extend", "*", refuse_change},  {"insert", "*", refuse_change},
        {"pop", "*", refuse_change},     {"remove", "*", refuse_change},
        {"clear", "*", refuse_change},   {"sort", "*", refuse_change},
        {"reverse", "*", refuse_change}, {0}};

    return type == DYNO_JINJA_DICT   ? dyno_jinja_lookup(of_dict, name)
           : type == DYNO_JINJA_LIST ? dyno_jinja_lookup(of_list, name)
                                     : NULL;
}
