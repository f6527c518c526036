/* While chunks come, a text is the list of its pieces, so that a long one is not copied again with
 * every token. */
#include "backends/openai/chunks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static dyno_status merge(json_t *to, const json_t *from);

/* Jansson counts references also of what it does not change. */
static json_t *counted(const json_t *value)
{
    return json_incref((json_t *)(uintptr_t)value);
}

static dyno_status set(json_t *to, const char *key, const json_t *value)
{
    return json_object_set_new(to, key, counted(value)) == 0 ? DYNO_OK : DYNO_NO_MEMORY;
}

/* Of members of this name texts are pieces. */
static bool is_text_name(const char *key)
{
    static const char *const names[] = {"content",           "text",    "reasoning",
                                        "reasoning_content", "refusal", "arguments"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(key, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The list at `key`, which is made if there is none; NULL: no memory. */
static json_t *list_at(json_t *to, const char *key)
{
    json_t *list = json_object_get(to, key);

    if (!json_is_array(list)) {
        list = json_array();
        if (json_object_set_new(to, key, list) != 0) {
            return NULL;
        }
    }
    return list;
}

static dyno_status add_piece(json_t *to, const char *key, const json_t *piece)
{
    json_t *list = list_at(to, key);

    return list && json_array_append_new(list, counted(piece)) == 0 ? DYNO_OK : DYNO_NO_MEMORY;
}

static dyno_status extend(json_t *to, const char *key, const json_t *more)
{
    json_t *list = list_at(to, key);

    return list && json_array_extend(list, (json_t *)(uintptr_t)more) == 0 ? DYNO_OK
                                                                           : DYNO_NO_MEMORY;
}

/* The object of `list` with that index, made in its place if there is none. */
static dyno_status find_indexed(json_t *list, json_int_t index, size_t count_max, json_t **out)
{
    size_t place = json_array_size(list);
    json_t *item;

    while (place > 0) {
        json_int_t there;

        item = json_array_get(list, place - 1);
        there = json_integer_value(json_object_get(item, "index"));
        if (there == index) {
            *out = item;
            return DYNO_OK;
        }
        if (there < index) {
            break;
        }
        place--;
    }
    if (json_array_size(list) >= count_max) {
        return DYNO_FULL;
    }
    item = json_pack("{s:I}", "index", index);
    if (json_array_insert_new(list, place, item) != 0) {
        return DYNO_NO_MEMORY;
    }
    *out = item;
    return DYNO_OK;
}

/* Items find each other by their index; where there is none, it is their place. */
static dyno_status merge_indexed(json_t *to, const char *key, const json_t *items, size_t count_max)
{
    json_t *list = list_at(to, key), *item;

    if (!list) {
        return DYNO_NO_MEMORY;
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *from = json_array_get(items, i);
        const json_t *index = json_object_get(from, "index");

        if (!json_is_object(from) || (index && !json_is_integer(index))) {
            return DYNO_BAD_INPUT;
        }
        DYNO_TRY(find_indexed(list, index ? json_integer_value(index) : (json_int_t)i, count_max,
                              &item));
        DYNO_TRY(merge(item, from));
    }
    return DYNO_OK;
}

static dyno_status merge_object(json_t *to, const char *key, const json_t *value)
{
    json_t *object = json_object_get(to, key);

    if (!json_is_object(object)) {
        object = json_object();
        if (json_object_set_new(to, key, object) != 0) {
            return DYNO_NO_MEMORY;
        }
    }
    return merge(object, value);
}

static dyno_status merge_member(json_t *to, const char *key, const json_t *value)
{
    bool is_empty = json_is_string(value) && json_string_length(value) == 0;

    if (json_is_string(value) && is_text_name(key)) {
        return add_piece(to, key, value);
    }
    if (json_is_array(value) && strcmp(key, "tool_calls") == 0) {
        return merge_indexed(to, key, value, DYNO_OPENAI_CHUNK_CALLS_MAX);
    }
    if (json_is_array(value)) {
        return extend(to, key, value);
    }
    if (json_is_object(value)) {
        return merge_object(to, key, value);
    }
    if (json_object_get(to, key) && (json_is_null(value) || is_empty)) {
        return DYNO_OK; /* nothing new */
    }
    return set(to, key, value);
}

static dyno_status merge(json_t *to, const json_t *from)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        DYNO_TRY(merge_member(to, key, value));
    }
    return DYNO_OK;
}

dyno_status dyno_openai_chunks_add(json_t *whole, const json_t *chunk)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)chunk, key, value)
    {
        if (strcmp(key, "choices") == 0 && json_is_array(value)) {
            DYNO_TRY(merge_indexed(whole, key, value, DYNO_OPENAI_CHUNK_CHOICES_MAX));
        } else if (!json_is_null(value) || !json_object_get(whole, key)) {
            DYNO_TRY(set(whole, key, value)); /* usage: the last one is of all */
        }
    }
    return DYNO_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool is_pieces(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_is_string(json_array_get(list, i))) {
            return false;
        }
    }
    return json_array_size(list) > 0;
}

/* The pieces as one text; NULL: no memory. */
static json_t *joined(const json_t *pieces)
{
    size_t size = 0, used = 0;
    json_t *text;
    char *buffer;

    for (size_t i = 0; i < json_array_size(pieces); i++) {
        size += json_string_length(json_array_get(pieces, i));
    }
    buffer = malloc(size + 1);
    if (!buffer) {
        return NULL;
    }
    for (size_t i = 0; i < json_array_size(pieces); i++) {
        const json_t *piece = json_array_get(pieces, i);

        memcpy(buffer + used, json_string_value(piece), json_string_length(piece));
        used += json_string_length(piece);
    }
    text = json_stringn_nocheck(buffer, size);
    free(buffer);
    return text;
}

static dyno_status join_all(json_t *value)
{
    const char *key;
    json_t *member;

    for (size_t i = 0; i < json_array_size(value); i++) {
        DYNO_TRY(join_all(json_array_get(value, i)));
    }
    json_object_foreach(value, key, member)
    {
        if (is_text_name(key) && is_pieces(member)) {
            if (json_object_set_new(value, key, joined(member)) != 0) {
                return DYNO_NO_MEMORY;
            }
        } else {
            DYNO_TRY(join_all(member));
        }
    }
    return DYNO_OK;
}

static dyno_status set_null(json_t *to, const char *key)
{
    return json_object_set_new(to, key, json_null()) == 0 ? DYNO_OK : DYNO_NO_MEMORY;
}

/* delta -> message, which has all that the API says of one. */
static dyno_status finish_message(json_t *choice)
{
    json_t *delta = json_object_get(choice, "delta");
    json_t *message = json_pack("{s:s, s:n, s:n}", "role", "assistant", "content", "refusal");
    json_t *call;
    size_t i;

    if (!message || (json_is_object(delta) && json_object_update(message, delta) != 0) ||
        json_object_set_new(choice, "message", message) != 0) {
        return DYNO_NO_MEMORY;
    }
    (void)json_object_del(choice, "delta");
    json_array_foreach(json_object_get(message, "tool_calls"), i, call)
    {
        (void)json_object_del(call, "index");
    }
    return DYNO_OK;
}

dyno_status dyno_openai_chunks_finish(json_t *whole, bool is_chat)
{
    json_t *choice;
    size_t i;

    DYNO_TRY(join_all(whole));
    if (!list_at(whole, "choices") ||
        json_object_set_new(whole, "object",
                            json_string(is_chat ? "chat.completion" : "text_completion")) != 0) {
        return DYNO_NO_MEMORY;
    }
    json_array_foreach(json_object_get(whole, "choices"), i, choice)
    {
        if (!json_object_get(choice, "logprobs")) {
            DYNO_TRY(set_null(choice, "logprobs"));
        }
        if (is_chat) {
            DYNO_TRY(finish_message(choice));
        }
    }
    return DYNO_OK;
}
