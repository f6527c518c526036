#include "backends/assets/template/chat.h"

#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/fence.h"
#include "core/base/utf8.h"
#include "core/base/words.h"

/* Jansson's texts are UTF-8. */
static json_t *fence_text(const struct dyno_tokenizer *tokenizer, const json_t *value)
{
    json_t *copy = NULL;
    size_t size = 0;
    char *text;

    if (dyno_fence(tokenizer, json_string_value(value), json_string_length(value), &text, &size) !=
        DYNO_OK) {
        return NULL;
    }
    copy = json_stringn_nocheck(text, size);
    free(text);
    return copy;
}

static json_t *fence_array(const struct dyno_tokenizer *tokenizer, const json_t *value)
{
    json_t *copy = json_array();

    for (size_t i = 0; copy && i < json_array_size(value); i++) {
        if (json_array_append_new(copy, dyno_chat_fence(tokenizer, json_array_get(value, i))) !=
            0) {
            json_decref(copy);
            copy = NULL;
        }
    }
    return copy;
}

static int set_fenced(const struct dyno_tokenizer *tokenizer, json_t *copy, const char *key,
                      const json_t *value)
{
    size_t size = 0;
    char *fenced = NULL;
    int failed = dyno_fence(tokenizer, key, strlen(key), &fenced, &size) != DYNO_OK ||
                 json_object_set_new_nocheck(copy, fenced, dyno_chat_fence(tokenizer, value)) != 0;

    free(fenced);
    return failed;
}

static json_t *fence_object(const struct dyno_tokenizer *tokenizer, const json_t *value)
{
    json_t *copy = json_object(), *member;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (!copy || set_fenced(tokenizer, copy, key, member) != 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

json_t *dyno_chat_fence(const struct dyno_tokenizer *tokenizer, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return fence_text(tokenizer, value);
    case JSON_ARRAY:
        return fence_array(tokenizer, value);
    case JSON_OBJECT:
        return fence_object(tokenizer, value);
    default:
        return json_deep_copy(value);
    }
}

/* Put the template's file before what was wrong with it. */
static dyno_status blame(const struct dyno_tokenizer_file *file, dyno_status status,
                         struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX], text[DYNO_ERROR_TEXT_MAX];

    if (status == DYNO_OK || !error || !file->template_path) {
        return status;
    }
    memcpy(text, error->text, sizeof text);
    return dyno_fail(error, status, "%s: %s", dyno_quote(quoted, file->template_path), text);
}

/* A template that goes beyond its limits for a chat of one word does so for any.  Whatever else it
 * has against this one is its own affair. */
static dyno_status try_template(const struct dyno_template *template_,
                                const struct dyno_tokenizer_file *file, struct dyno_error *error)
{
    json_t *variables = json_pack("{s:[{s:s, s:s}], s:b, s:s, s:s}", "messages", "role", "user",
                                  "content", "hello", "add_generation_prompt", 1, "bos_token",
                                  file->bos_text, "eos_token", file->eos_text);
    char *text = NULL;
    dyno_status status;
    size_t size;

    if (!variables) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a chat template");
    }
    status = dyno_template_render(template_, variables, 0, 0, &text, &size, error);
    json_decref(variables);
    free(text);
    return status == DYNO_FULL || status == DYNO_NO_MEMORY ? status : DYNO_OK;
}

/* A token of bytes that are no text could not be named by a template. */
static dyno_status check_named(const char *text, const char *name, struct dyno_error *error)
{
    if (dyno_utf8_valid(text, strlen(text), NULL) == strlen(text)) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "the %s token is not UTF-8 text, as chat templates need it", name);
}

dyno_status dyno_chat_template_open(struct dyno_template **out,
                                    const struct dyno_tokenizer_file *file, const char *text,
                                    struct dyno_error *error)
{
    struct dyno_template *template_;
    dyno_status status = check_named(file->bos_text, "first", error);

    if (status == DYNO_OK) {
        status = check_named(file->eos_text, "last", error);
    }
    if (status == DYNO_OK) {
        status = dyno_template_open(&template_, text, error);
    }
    if (status == DYNO_OK) {
        status = try_template(template_, file, error);
        if (status == DYNO_OK) {
            *out = template_;
            return DYNO_OK;
        }
        dyno_template_close(template_);
    }
    return blame(file, status, error);
}

static dyno_status check_role(const char *role, uint32_t number, struct dyno_error *error)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    char quoted[DYNO_QUOTE_MAX];

    if (role[0] == '\0' || role[strspn(role, letters)] != '\0') {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "message %u of the chat has the role %s; a role is a word of letters, "
                         "digits, '_' and '-'",
                         number, dyno_quote(quoted, role));
    }
    return DYNO_OK;
}

static dyno_status add_message(json_t *list, const struct dyno_tokenizer *tokenizer,
                               const struct dyno_chat_message *message, uint32_t number,
                               struct dyno_error *error)
{
    char *content = NULL;
    size_t size = 0;
    dyno_status status;

    DYNO_TRY(check_role(message->role, number, error));
    status = dyno_fence(tokenizer, message->content, strlen(message->content), &content, &size);
    if (status == DYNO_BAD_INPUT) {
        return dyno_fail(error, status,
                         "message %u of the chat is not UTF-8 text, as templates need it", number);
    }
    if (status == DYNO_OK &&
        json_array_append_new(
            list, json_pack("{s:s, s:s%}", "role", message->role, "content", content, size)) != 0) {
        status = DYNO_NO_MEMORY;
    }
    free(content);
    return status == DYNO_OK ? DYNO_OK
                             : dyno_fail(error, status, "out of memory for message %u", number);
}

static dyno_status add_messages(json_t *list, const struct dyno_tokenizer *tokenizer,
                                const struct dyno_chat_message *messages, uint32_t count,
                                struct dyno_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        DYNO_TRY(add_message(list, tokenizer, &messages[i], i + 1, error));
    }
    return DYNO_OK;
}

dyno_status dyno_chat_render(const struct dyno_template *template_,
                             const struct dyno_tokenizer_file *file,
                             const struct dyno_tokenizer *tokenizer,
                             const struct dyno_chat_message *messages, uint32_t count,
                             int64_t now_s, char **out, size_t *out_size, struct dyno_error *error)
{
    json_t *list = json_array();
    json_t *variables =
        json_pack("{s:O?, s:b, s:s, s:s}", "messages", list, "add_generation_prompt", 1,
                  "bos_token", file->bos_text, "eos_token", file->eos_text);
    dyno_status status;

    if (!list || !variables) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the chat");
    } else {
        status = add_messages(list, tokenizer, messages, count, error);
    }
    if (status == DYNO_OK) {
        status =
            blame(file, dyno_template_render(template_, variables, now_s, 0, out, out_size, error),
                  error);
    }
    json_decref(variables);
    json_decref(list);
    return status;
}
