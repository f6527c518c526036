/* Reading a regular expression by descent.  Anchors are taken off where an alternative of the whole
 * begins and ends; where there is none, anything may stand there. */
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/parts.h"
#include "backends/grammar/pattern.h"
#include "backends/grammar/pattern_class.h"
#include "core/base/array.h"

enum { COUNT_MAX = 1 << 20 }; /* of a repetition */

#define END UINT32_MAX /* behind the last character */

struct reader {
    struct dyno_pattern_tree *tree;
    struct dyno_error *error;
    uint32_t *characters; /* [count] */
    uint32_t count, at;
};

static dyno_status parse_either(struct reader *reader, uint32_t depth, uint32_t *out);

static uint32_t look(const struct reader *reader)
{
    return reader->at < reader->count ? reader->characters[reader->at] : END;
}

static bool take(struct reader *reader, uint32_t character)
{
    if (look(reader) != character) {
        return false;
    }
    reader->at++;
    return true;
}

static dyno_status refuse(const struct reader *reader, dyno_status status, const char *what)
{
    return dyno_fail(reader->error, status, "%s at character %u of the pattern", what, reader->at);
}

static dyno_status full(const struct reader *reader, dyno_status status)
{
    return refuse(reader, status,
                  status == DYNO_FULL ? "more classes of characters than are kept" : "no memory");
}

static dyno_status add_item(struct reader *reader, struct dyno_pattern_item item, uint32_t *out)
{
    struct dyno_pattern_tree *tree = reader->tree;

    if (!dyno_array_reserve(&tree->items, &tree->item_capacity, tree->item_count + 1U,
                            sizeof item)) {
        return refuse(reader, DYNO_NO_MEMORY, "no memory");
    }
    item.next = DYNO_ITEM_NONE;
    tree->items[tree->item_count] = item;
    *out = tree->item_count++;
    return DYNO_OK;
}

/* The item for the ranges from `begin` on. */
static dyno_status class_item(struct reader *reader, uint32_t begin, bool opposite, uint32_t *out)
{
    dyno_status status = dyno_class_finish(reader->tree, begin, opposite);
    struct dyno_pattern_item item = {.kind = DYNO_ITEM_CLASS, .first = begin};

    if (status != DYNO_OK) {
        return full(reader, status);
    }
    item.count = reader->tree->range_count - begin;
    return add_item(reader, item, out);
}

static int hex_of(uint32_t character)
{
    if (character >= '0' && character <= '9') {
        return (int)(character - '0');
    }
    character |= 0x20;
    return character >= 'a' && character <= 'f' ? (int)(character - 'a' + 10) : -1;
}

/* The hexadecimal digits of \xHH, \uHHHH and \u{H...}. */
static dyno_status parse_hex(struct reader *reader, uint32_t digits, uint32_t *out)
{
    bool braces = digits == 4 && take(reader, '{');
    uint32_t value = 0, read = 0;

    while ((braces || read < digits) && hex_of(look(reader)) >= 0 && value <= DYNO_CHARACTER_MAX) {
        value = value * 16 + (uint32_t)hex_of(reader->characters[reader->at++]);
        read++;
    }
    if (braces ? read == 0 || !take(reader, '}') : read < digits) {
        return refuse(reader, DYNO_BAD_INPUT, "a hexadecimal digit is missing");
    }
    if (value > DYNO_CHARACTER_MAX || (value >= 0xd800 && value < 0xe000)) {
        return refuse(reader, DYNO_UNSUPPORTED, "half a surrogate pair, or no character");
    }
    *out = value;
    return DYNO_OK;
}

/* What follows a '\' and is one character. */
static dyno_status parse_escape(struct reader *reader, uint32_t *out)
{
    static const char letters[] = "tnvfr0", meant[] = "\t\n\v\f\r";
    uint32_t character = look(reader);
    const char *found;

    if (character == END) {
        return refuse(reader, DYNO_BAD_INPUT, "nothing behind '\\'");
    }
    reader->at++;
    if (character == 'x' || character == 'u') {
        return parse_hex(reader, character == 'x' ? 2 : 4, out);
    }
    found = character < 0x80 && character ? strchr(letters, (int)character) : NULL;
    if (found && !(character == '0' && look(reader) >= '0' && look(reader) <= '9')) {
        *out = (uint32_t)meant[found - letters];
        return DYNO_OK;
    }
    if (character < 0x80 && character && strchr("^$\\.*+?()[]{}|/-", (int)character)) {
        *out = character;
        return DYNO_OK;
    }
    return refuse(reader, DYNO_UNSUPPORTED,
                  "a '\\' before something else than d, w, s, t, n, v, f, r, x, u or a sign");
}

/* A character of a class, or a named class, of which *single is false. */
static dyno_status parse_class_part(struct reader *reader, uint32_t *character, bool *single)
{
    dyno_status status = DYNO_OK;

    *single = true;
    *character = look(reader);
    if (*character == END) {
        return refuse(reader, DYNO_BAD_INPUT, "the ']' of a class is missing");
    }
    reader->at++;
    if (*character != '\\') {
        return DYNO_OK;
    }
    if (take(reader, 'b')) {
        *character = '\b';
        return DYNO_OK;
    }
    if (dyno_class_named(reader->tree, look(reader), &status)) {
        reader->at++;
        *single = false;
        return status == DYNO_OK ? DYNO_OK : full(reader, status);
    }
    return parse_escape(reader, character);
}

/* Behind the '['. */
static dyno_status parse_class(struct reader *reader, uint32_t *out)
{
    uint32_t begin = reader->tree->range_count;
    bool opposite = take(reader, '^');

    while (!take(reader, ']')) {
        uint32_t first = 0, last;
        bool single = true, ends_single = true;
        dyno_status status = DYNO_OK;

        DYNO_TRY(parse_class_part(reader, &first, &single));
        last = first;
        if (look(reader) == '-' && reader->at + 1 < reader->count &&
            reader->characters[reader->at + 1] != ']') {
            reader->at++;
            DYNO_TRY(parse_class_part(reader, &last, &ends_single));
            if (!single || !ends_single || first > last) {
                return refuse(reader, DYNO_BAD_INPUT, "a range that is none");
            }
        }
        if (single) {
            status = dyno_class_add(reader->tree, first, last);
        }
        if (status != DYNO_OK) {
            return full(reader, status);
        }
    }
    return class_item(reader, begin, opposite, out);
}

static dyno_status parse_character(struct reader *reader, uint32_t character, uint32_t *out)
{
    uint32_t begin = reader->tree->range_count;
    dyno_status status = dyno_class_add(reader->tree, character, character);

    return status == DYNO_OK ? class_item(reader, begin, false, out) : full(reader, status);
}

/* '.': all but the ends of lines. */
static dyno_status parse_dot(struct reader *reader, uint32_t *out)
{
    static const struct dyno_range ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
    uint32_t begin = reader->tree->range_count;

    for (int i = 0; i < 3; i++) {
        dyno_status status = dyno_class_add(reader->tree, ends[i].first, ends[i].last);

        if (status != DYNO_OK) {
            return full(reader, status);
        }
    }
    return class_item(reader, begin, true, out);
}

static dyno_status parse_group(struct reader *reader, uint32_t depth, uint32_t *out)
{
    if (depth == DYNO_PATTERN_DEPTH_MAX) {
        return refuse(reader, DYNO_FULL, "groups that are nested too deep");
    }
    if (take(reader, '?') && !take(reader, ':')) {
        return refuse(reader, DYNO_UNSUPPORTED, "a group that looks around or has a name");
    }
    DYNO_TRY(parse_either(reader, depth + 1, out));
    return take(reader, ')') ? DYNO_OK
                             : refuse(reader, DYNO_BAD_INPUT, "the ')' of a group is missing");
}

static dyno_status parse_atom(struct reader *reader, uint32_t depth, uint32_t *out)
{
    uint32_t character = look(reader), begin = reader->tree->range_count;
    dyno_status status = DYNO_OK;

    if (character < 0x80 && character && strchr("*+?{", (int)character)) {
        return refuse(reader, DYNO_BAD_INPUT, "a repetition of nothing");
    }
    if (character == '^' || character == '$') {
        return refuse(reader, DYNO_UNSUPPORTED,
                      "'^' or '$' elsewhere than where an alternative of the whole begins or ends");
    }
    if (character == ')') {
        return refuse(reader, DYNO_BAD_INPUT, "a ')' that ends no group");
    }
    reader->at++;
    switch (character) {
    case '.':
        return parse_dot(reader, out);
    case '[':
        return parse_class(reader, out);
    case '(':
        return parse_group(reader, depth, out);
    case '\\':
        if (dyno_class_named(reader->tree, look(reader), &status)) {
            reader->at++;
            return status == DYNO_OK ? class_item(reader, begin, false, out) : full(reader, status);
        }
        DYNO_TRY(parse_escape(reader, &character));
        return parse_character(reader, character, out);
    default:
        return parse_character(reader, character, out);
    }
}

static dyno_status parse_count(struct reader *reader, uint32_t *out)
{
    uint32_t value = 0, begin = reader->at;

    while (look(reader) >= '0' && look(reader) <= '9' && value <= COUNT_MAX) {
        value = value * 10 + (reader->characters[reader->at++] - '0');
    }
    if (reader->at == begin) {
        return refuse(reader, DYNO_BAD_INPUT, "the number of a repetition is missing");
    }
    if (value > COUNT_MAX) {
        return refuse(reader, DYNO_FULL, "a repetition of more than 1048576 times");
    }
    *out = value;
    return DYNO_OK;
}

/* *, +, ?, {n}, {n,}, {n,m}, each perhaps with a '?' that changes nothing here. */
static dyno_status parse_times(struct reader *reader, struct dyno_pattern_item *repeat)
{
    repeat->max = DYNO_REPEAT_NO_MAX;
    if (take(reader, '*')) {
        repeat->min = 0;
    } else if (take(reader, '+')) {
        repeat->min = 1;
    } else if (take(reader, '?')) {
        repeat->min = 0;
        repeat->max = 1;
    } else {
        reader->at++;
        DYNO_TRY(parse_count(reader, &repeat->min));
        if (!take(reader, ',')) {
            repeat->max = repeat->min;
        } else if (look(reader) != '}') {
            DYNO_TRY(parse_count(reader, &repeat->max));
        }
        if (!take(reader, '}') || repeat->max < repeat->min) {
            return refuse(reader, DYNO_BAD_INPUT, "a repetition that is none");
        }
    }
    (void)take(reader, '?');
    return DYNO_OK;
}

static bool at_repeat(const struct reader *reader)
{
    uint32_t character = look(reader);

    return character < 0x80 && character && strchr("*+?{", (int)character);
}

/* Anything, any number of times: beside an alternative without an anchor. */
static dyno_status anything(struct reader *reader, uint32_t *out)
{
    uint32_t class = 0;

    DYNO_TRY(class_item(reader, reader->tree->range_count, true, &class));
    return add_item(reader,
                    (struct dyno_pattern_item){
                        .kind = DYNO_ITEM_REPEAT, .first = class, .max = DYNO_REPEAT_NO_MAX},
                    out);
}

static void append(struct dyno_pattern_tree *tree, uint32_t sequence, uint32_t *last, uint32_t item)
{
    if (*last == DYNO_ITEM_NONE) {
        tree->items[sequence].first = item;
    } else {
        tree->items[*last].next = item;
    }
    *last = item;
}

static bool at_end(const struct reader *reader)
{
    return look(reader) == END || look(reader) == '|';
}

static dyno_status parse_sequence(struct reader *reader, uint32_t depth, uint32_t *out)
{
    struct dyno_pattern_item empty = {.kind = DYNO_ITEM_SEQUENCE, .first = DYNO_ITEM_NONE};
    uint32_t last = DYNO_ITEM_NONE, item = 0;

    DYNO_TRY(add_item(reader, empty, out));
    if (depth == 0 && !take(reader, '^')) {
        DYNO_TRY(anything(reader, &item));
        append(reader->tree, *out, &last, item);
    }
    while (!at_end(reader) && !(depth > 0 && look(reader) == ')')) {
        struct dyno_pattern_item repeat = {.kind = DYNO_ITEM_REPEAT};

        if (depth == 0 && take(reader, '$')) {
            if (at_end(reader)) {
                return DYNO_OK;
            }
            reader->at--;
        }
        DYNO_TRY(parse_atom(reader, depth, &item));
        if (at_repeat(reader)) {
            DYNO_TRY(parse_times(reader, &repeat));
            repeat.first = item;
            DYNO_TRY(add_item(reader, repeat, &item));
        }
        append(reader->tree, *out, &last, item);
    }
    if (depth == 0) {
        DYNO_TRY(anything(reader, &item));
        append(reader->tree, *out, &last, item);
    }
    return DYNO_OK;
}

static dyno_status parse_either(struct reader *reader, uint32_t depth, uint32_t *out)
{
    struct dyno_pattern_item either = {.kind = DYNO_ITEM_EITHER, .first = DYNO_ITEM_NONE};
    uint32_t last = DYNO_ITEM_NONE, item = 0;

    DYNO_TRY(add_item(reader, either, out));
    do {
        DYNO_TRY(parse_sequence(reader, depth, &item));
        append(reader->tree, *out, &last, item);
    } while (take(reader, '|'));
    return DYNO_OK;
}

/* The characters of text[size], which is UTF-8. */
static uint32_t decode(uint32_t *characters, const char *text, size_t size)
{
    uint32_t count = 0;

    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];

        if ((byte & 0xc0) != 0x80) {
            uint32_t mask = byte < 0x80 ? 0x7f : byte < 0xe0 ? 0x1f : byte < 0xf0 ? 0xf : 7;

            characters[count++] = byte & mask;
        } else if (count > 0) {
            characters[count - 1] = characters[count - 1] << 6 | (byte & 0x3f);
        }
    }
    return count;
}

dyno_status dyno_pattern_parse(struct dyno_pattern_tree *tree, const char *text, size_t size,
                               struct dyno_error *error)
{
    struct reader reader = {.tree = tree, .error = error};
    dyno_status status;

    if (size > DYNO_PATTERN_BYTES_MAX) {
        return dyno_fail(error, DYNO_FULL, "a pattern of %zu bytes is longer than %d", size,
                         DYNO_PATTERN_BYTES_MAX);
    }
    reader.characters = calloc(size + 1, sizeof *reader.characters);
    if (!reader.characters) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a pattern");
    }
    reader.count = decode(reader.characters, text, size);
    status = parse_either(&reader, 0, &tree->root);
    free(reader.characters);
    return status;
}

void dyno_pattern_release(struct dyno_pattern_tree *tree)
{
    free(tree->items);
    free(tree->ranges);
    *tree = (struct dyno_pattern_tree){0};
}
