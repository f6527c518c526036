/* POST /v1/embeddings: every input is a request of its own to the fleet, which ends with a vector
 * in the place of its first token. */
#include <string.h>

#include "backends/door/door_parts.h"

/* Numbers of one answer: as text they are 70 MB at most. */
enum { NUMBERS_MAX = 1 << 22 };

void dyno_choice_keep_vector(const struct dyno_choice *choice, const float *vector)
{
    const struct dyno_call *call = choice->call;

    memcpy(call->vectors + (size_t)choice->index * call->dimensions, vector,
           call->dimensions * sizeof *vector);
}

void dyno_call_put_vectors(const struct dyno_call *call)
{
    struct dyno_door *door = call->door;

    dyno_openai_put_embeddings(&door->out, call->served->model->name, call->vectors, call->count,
                               call->dimensions, call->base64, call->usage.prompt_tokens);
}

/* How many numbers a vector has: as asked, or as the model makes. */
static dyno_status dimensions_of(const struct dyno_door_model *model,
                                 const struct dyno_openai_embedding *asked, uint32_t *out,
                                 struct dyno_openai_error *error)
{
    uint32_t most = model->dimensions;
    uint32_t dimensions = asked->dimensions > 0 ? asked->dimensions : most;

    if (most == 0) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_UNSUPPORTED, "model",
                                "this server computes nothing: it has no vectors of '%.100s'",
                                model->name);
    }
    if (dimensions > most) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_VALUE, "dimensions",
                                "'dimensions' is %u; the model's vectors have %u", dimensions,
                                most);
    }
    if (asked->inputs.count > NUMBERS_MAX / dimensions) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_VALUE, "input",
                                "input has %zu texts, and an answer has room for %d vectors of %u "
                                "numbers: ask for fewer",
                                asked->inputs.count, (int)(NUMBERS_MAX / dimensions), dimensions);
    }
    *out = dimensions;
    return DYNO_OK;
}

static dyno_status add_inputs(struct dyno_call *call, struct dyno_scribe *scribe,
                              const struct dyno_openai_embedding *asked,
                              const struct dyno_openai_sampling *one,
                              struct dyno_openai_error *error)
{
    for (size_t i = 0; i < asked->inputs.count; i++) {
        struct dyno_door_prompt encoded;

        DYNO_TRY(dyno_scribe_given(scribe, &asked->inputs.list[i], "input", &encoded, error));
        DYNO_TRY(dyno_call_add(call, scribe, &encoded, one, &asked->head, "input", error));
    }
    return DYNO_OK;
}

static dyno_status make_embeddings(struct dyno_scribe *scribe, const struct dyno_order *order,
                                   const struct dyno_openai_embedding *asked,
                                   struct dyno_call **out, struct dyno_openai_error *error)
{
    const struct dyno_openai_sampling one = {.choices = 1, .has_max_tokens = true, .max_tokens = 1};
    struct dyno_call_config config = {.kind = DYNO_CALL_EMBEDDING,
                                      .head = &asked->head,
                                      .sampling = &one,
                                      .prompts = (uint32_t)asked->inputs.count,
                                      .base64 = asked->base64};
    dyno_status status;

    DYNO_TRY(dyno_scribe_choose(scribe, asked->head.model, error));
    DYNO_TRY(dimensions_of(scribe->served->model, asked, &config.dimensions, error));
    DYNO_TRY(dyno_call_open(out, scribe, &order->asker, &config, error));
    status = add_inputs(*out, scribe, asked, &one, error);
    if (status != DYNO_OK) {
        dyno_call_drop(*out);
    }
    return status;
}

dyno_status dyno_door_embeddings(struct dyno_scribe *scribe, const struct dyno_order *order,
                                 struct dyno_call **out, struct dyno_openai_error *error)
{
    struct dyno_openai_embedding asked;
    dyno_status status;

    if (scribe->door->config.relays) {
        return dyno_door_relay(scribe, order, DYNO_CALL_EMBEDDING, out, error);
    }
    DYNO_TRY(
        dyno_openai_embedding_read(&asked, order->body, order->size, &scribe->door->rules, error));
    status = make_embeddings(scribe, order, &asked, out, error);
    dyno_openai_embedding_release(&asked);
    return status;
}
