/* Texts and messages become tokens, and tokens the identities of blocks.
 *
 * A block's identity is a hash of its tokens and of the identity before it, salted by a number that
 * nobody outside knows: whoever sends a prompt cannot choose another's identity.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "backends/assets/template/chat.h"
#include "backends/door/door_parts.h"

/* Of a template, on the thread that everybody's streams wait for: about 2 ms. */
enum { HURRIED_STEPS_MAX = 1 << 14 };

dyno_status dyno_scribe_check_length(const struct dyno_scribe *scribe,
                                     const struct dyno_door_prompt *prompt, const char *param,
                                     struct dyno_openai_error *error)
{
    uint32_t context = scribe->served->model->context;

    if (prompt->count == 0) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_VALUE, param,
                                "the prompt is empty; a model needs a token to go on from");
    }
    if (prompt->count >= context) {
        return dyno_openai_fail_context(error, param, prompt->count, 0, context);
    }
    return DYNO_OK;
}

static dyno_status encode(struct dyno_scribe *scribe, const char *text, size_t size,
                          struct dyno_encode_options options, const char *param,
                          struct dyno_door_prompt *out, struct dyno_openai_error *error)
{
    const struct dyno_served_model *served = scribe->served;
    struct dyno_error cause = {.status = DYNO_OK};
    struct dyno_token_ids ids = {.count = 0};
    dyno_status status;

    if (scribe->is_dropped && atomic_load_explicit(scribe->is_dropped, memory_order_relaxed)) {
        return dyno_openai_fail(error, 503, NULL, NULL, "nobody waits for it any more");
    }
    if (size > served->text_bytes_max) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_CONTEXT, param,
                                "this model's context is %u tokens, which no text of %zu bytes "
                                "fits into: shorten the prompt",
                                served->model->context, size);
    }
    status = dyno_encode(scribe->encoders[served->number], text, size, options, &ids, &cause);
    if (status == DYNO_NO_MEMORY || ids.count > UINT32_MAX) {
        return dyno_openai_fail_memory(error);
    }
    if (status != DYNO_OK) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_VALUE, param, "%s", cause.text);
    }
    out->tokens = ids.ids;
    out->count = (uint32_t)ids.count;
    return DYNO_OK;
}

dyno_status dyno_scribe_text(struct dyno_scribe *scribe, const char *text, size_t size, bool around,
                             struct dyno_door_prompt *out, struct dyno_openai_error *error)
{
    out->rendered = false;
    return encode(scribe, text, size, (struct dyno_encode_options){.around = around}, "prompt", out,
                  error);
}

dyno_status dyno_scribe_tokens(const struct dyno_scribe *scribe, const uint32_t *tokens,
                               size_t count, struct dyno_door_prompt *out,
                               struct dyno_openai_error *error)
{
    if (count > UINT32_MAX) {
        return dyno_openai_fail_context(error, "prompt", count, 0, scribe->served->model->context);
    }
    *out = (struct dyno_door_prompt){.tokens = tokens, .count = (uint32_t)count};
    return DYNO_OK;
}

dyno_status dyno_scribe_given(struct dyno_scribe *scribe, const struct dyno_openai_prompt *given,
                              const char *param, struct dyno_door_prompt *out,
                              struct dyno_openai_error *error)
{
    if (given->text) {
        out->rendered = false;
        return encode(scribe, given->text, given->text_size,
                      (struct dyno_encode_options){.around = true}, param, out, error);
    }
    for (size_t i = 0; i < given->token_count; i++) {
        DYNO_TRY(dyno_served_model_check_token(scribe->served, given->tokens[i], param, error));
    }
    return dyno_scribe_tokens(scribe, given->tokens, given->token_count, out, error);
}

/* Set, under `key`, what a client sent (NULL: nothing); it names no control token. */
static bool set_fenced(const struct dyno_served_model *served, json_t *variables, const char *key,
                       const json_t *value)
{
    return !value ||
           json_object_set_new(variables, key, dyno_chat_fence(served->tokenizer, value)) == 0;
}

/* The client's own variables, which may not take the place of others. */
static bool add_arguments(const struct dyno_served_model *served, json_t *variables,
                          const json_t *arguments)
{
    json_t *fenced = arguments ? dyno_chat_fence(served->tokenizer, arguments) : NULL;
    bool is_done = !arguments || (fenced && json_object_update_missing(variables, fenced) == 0);

    json_decref(fenced);
    return is_done;
}

/* What a template may use; NULL: no memory. */
static json_t *variables_of(const struct dyno_served_model *served,
                            const struct dyno_door_messages *chat)
{
    const struct dyno_tokenizer_file *file = served->model->file;
    json_t *variables = json_pack("{s:b, s:s, s:s}", "add_generation_prompt", chat->begin_answer,
                                  "bos_token", file->bos_text, "eos_token", file->eos_text);

    if (variables && (!set_fenced(served, variables, "messages", chat->messages) ||
                      !set_fenced(served, variables, "tools", chat->tools) ||
                      !add_arguments(served, variables, chat->arguments))) {
        json_decref(variables);
        return NULL;
    }
    return variables;
}

dyno_status dyno_scribe_chat(struct dyno_scribe *scribe, const struct dyno_door_messages *chat,
                             struct dyno_door_prompt *out, struct dyno_openai_error *error)
{
    const struct dyno_served_model *served = scribe->served;
    const struct dyno_template *template_ =
        chat->tools && served->tool_template ? served->tool_template : served->template_;
    struct dyno_error cause = {.status = DYNO_OK};
    json_t *variables;
    dyno_status status;
    char *text;
    size_t size;

    if (!template_) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_UNSUPPORTED, "messages",
                                "%s has no chat template: it goes on from a text, "
                                "POST /v1/completions",
                                served->model->name);
    }
    variables = variables_of(served, chat);
    if (!variables) {
        return dyno_openai_fail_memory(error);
    }
    status = dyno_template_render(template_, variables, (int64_t)dyno_door_now_s(),
                                  scribe->hurries ? HURRIED_STEPS_MAX : 0, &text, &size, &cause);
    scribe->gave_up |= scribe->hurries && status == DYNO_FULL;
    json_decref(variables);
    if (status != DYNO_OK) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_VALUE, "messages",
                                "the model's chat template refuses the messages: %s", cause.text);
    }
    out->rendered = true;
    status = encode(scribe, text, size,
                    (struct dyno_encode_options){.control = true, .around = chat->around}, "prompt",
                    out, error);
    free(text);
    return status;
}

static dyno_status room_for_spans(struct dyno_scribe *scribe, uint32_t count)
{
    struct dyno_span *spans;

    if (count <= scribe->span_capacity) {
        return DYNO_OK;
    }
    spans = realloc(scribe->spans, count * sizeof *spans);
    if (!spans) {
        return DYNO_NO_MEMORY;
    }
    scribe->spans = spans;
    scribe->span_capacity = count;
    return DYNO_OK;
}

/* Chained identities of `blocks` pieces of `size` bytes each. */
static dyno_status chain_spans(struct dyno_scribe *scribe, const void *bytes, size_t size,
                               uint32_t blocks, uint32_t tenant)
{
    XXH64_hash_t identity = XXH3_64bits_withSeed(&tenant, sizeof tenant, scribe->door->salt);

    DYNO_TRY(room_for_spans(scribe, blocks));
    for (uint32_t i = 0; i < blocks; i++) {
        identity = XXH3_64bits_withSeed((const char *)bytes + i * size, size, identity);
        identity += identity == 0 || identity == UINT64_MAX ? 2 : 0; /* these two are none */
        scribe->spans[i] = (struct dyno_span){.id = identity, .blocks = 1};
    }
    return DYNO_OK;
}

dyno_status dyno_scribe_spans(struct dyno_scribe *scribe, const struct dyno_door_prompt *prompt,
                              uint32_t tenant, uint32_t *count)
{
    uint32_t size = scribe->door->config.block_tokens, blocks = prompt->count / size;

    DYNO_TRY(chain_spans(scribe, prompt->tokens, size * sizeof *prompt->tokens, blocks, tenant));
    *count = blocks;
    return DYNO_OK;
}

dyno_status dyno_scribe_spans_of_text(struct dyno_scribe *scribe, const char *text, size_t size,
                                      uint32_t tenant, uint32_t *count)
{
    size_t block = (size_t)scribe->door->config.block_tokens * DYNO_DOOR_BYTES_A_TOKEN;
    uint32_t blocks = (uint32_t)(size / block);

    DYNO_TRY(chain_spans(scribe, text, block, blocks, tenant));
    *count = blocks;
    return DYNO_OK;
}
