/* A model behind the door: its tokenizer, templates and ends, opened once for all requests. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/template/chat.h"
#include "backends/door/door_parts.h"

enum { LIST_MAX = 512 }; /* bytes of the names of models in an error */

/* Tokens that end a text: the weights know some, the tokenizer one. */
static dyno_status open_ends(struct dyno_served_model *served, struct dyno_error *error)
{
    const struct dyno_door_model *model = served->model;
    uint32_t last = dyno_tokenizer_eos(served->tokenizer);

    served->eos = calloc(model->eos_count + 1, sizeof *served->eos);
    if (!served->eos) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the server");
    }
    for (uint32_t i = 0; i < model->eos_count; i++) {
        served->eos[served->eos_count++] = model->eos[i];
        last = last == model->eos[i] ? UINT32_MAX : last;
    }
    if (last != UINT32_MAX && last < model->vocab) {
        served->eos[served->eos_count++] = last;
    }
    return DYNO_OK;
}

/* Encoding is the door's own time, and everybody waits for it: a text that cannot fit is not begun.
 * Normalising makes at most a quarter of a text's size. */
static size_t text_bytes_max(const struct dyno_tokenizer *tokenizer, uint32_t context)
{
    enum { SHRINKS_MAX = 4, BYTES_LEAST = 1 << 16 };
    size_t longest = 1, bytes;

    if (context == 0) {
        return SIZE_MAX; /* of other servers it may not be known: only bodies have a limit */
    }
    for (uint32_t i = 0; i < dyno_tokenizer_count(tokenizer); i++) {
        size_t size = dyno_tokenizer_token(tokenizer, i).size;

        longest = size > longest ? size : longest;
    }
    bytes = SHRINKS_MAX * longest * context;
    return bytes > BYTES_LEAST ? bytes : BYTES_LEAST;
}

dyno_status dyno_served_model_open(struct dyno_served_model *served, const struct dyno_door *door,
                                   uint32_t number, struct dyno_error *error)
{
    const struct dyno_door_model *model = &door->config.models[number];
    const struct dyno_tokenizer_file *file = model->file;

    served->model = model;
    served->number = number;
    if (!file) {
        return DYNO_OK; /* texts are passed on */
    }
    DYNO_TRY(dyno_tokenizer_file_tokenizer(&served->tokenizer, file, model->vocab, error));
    served->text_bytes_max = text_bytes_max(served->tokenizer, model->context);
    DYNO_TRY(open_ends(served, error));
    if (!door->config.pretend && served->eos_count > 0) {
        DYNO_TRY(dyno_constraints_open(&served->constraints, &file->vocabulary, model->vocab,
                                       served->eos, served->eos_count, error));
    }
    if (file->chat_template) {
        DYNO_TRY(dyno_chat_template_open(&served->template_, file, file->chat_template, error));
    }
    if (file->chat_template || file->tool_template) {
        served->call_form = dyno_openai_call_form_of(file->tool_template ? file->tool_template
                                                                         : file->chat_template);
    }
    if (file->tool_template) {
        DYNO_TRY(dyno_chat_template_open(&served->tool_template, file, file->tool_template, error));
    }
    return DYNO_OK;
}

void dyno_served_model_release(struct dyno_served_model *served)
{
    dyno_constraints_close(served->constraints);
    dyno_template_close(served->template_);
    dyno_template_close(served->tool_template);
    dyno_tokenizer_close(served->tokenizer);
    free(served->eos);
    *served = (struct dyno_served_model){.model = NULL};
}

void dyno_door_list_models(const struct dyno_door *door, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < door->config.model_count && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 door->config.models[i].name);
    }
}

dyno_status dyno_door_find_model(const struct dyno_door *door, const char *model,
                                 const struct dyno_served_model **out,
                                 struct dyno_openai_error *error)
{
    char list[LIST_MAX];

    for (uint32_t i = 0; i < door->config.model_count; i++) {
        if (strcmp(model, door->config.models[i].name) == 0) {
            *out = &door->served[i];
            return DYNO_OK;
        }
    }
    if (door->config.model_count == 1) {
        return dyno_openai_fail(error, 404, DYNO_OPENAI_CODE_MODEL, "model",
                                "the model '%.100s' is not served here; '%s' is", model,
                                door->config.models[0].name);
    }
    dyno_door_list_models(door, list, sizeof list);
    return dyno_openai_fail(error, 404, DYNO_OPENAI_CODE_MODEL, "model",
                            "the model '%.100s' is not served here; these are: %s", model, list);
}

dyno_status dyno_served_model_check_token(const struct dyno_served_model *served, uint32_t token,
                                          const char *param, struct dyno_openai_error *error)
{
    uint32_t vocab = served->model->vocab;

    if (vocab == 0 || token < vocab) {
        return DYNO_OK;
    }
    return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_VALUE, param,
                            "%s has %u, which is no token of %s; its tokens are 0 to %u", param,
                            token, served->model->name, vocab - 1);
}
