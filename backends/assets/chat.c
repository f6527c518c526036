#include "backends/assets/chat.h"

#include <jansson.h>

static dyno_status add_messages(json_t *list, const struct dyno_chat_message *messages,
                                uint32_t count, struct dyno_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        json_t *message =
            json_pack("{s:s, s:s}", "role", messages[i].role, "content", messages[i].content);

        if (json_array_append_new(list, message) != 0) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "message %u of the chat is not UTF-8 text, as templates need it",
                             i + 1);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_chat_render(const struct dyno_template *template_,
                             const struct dyno_tokenizer_file *file,
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
        status = add_messages(list, messages, count, error);
    }
    if (status == DYNO_OK) {
        status = dyno_template_render(template_, variables, now_s, out, out_size, error);
    }
    json_decref(variables);
    json_decref(list);
    return status;
}
