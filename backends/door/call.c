/* An HTTP request that waits for answers of the fleet. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backends/door/door_parts.h"

enum { WHOLE_TEXT_MAX = 1 << 26 };

static void free_call(struct dyno_call *call)
{
    for (uint32_t i = 0; i < call->count; i++) {
        struct dyno_choice *choice = &call->choices[i];

        dyno_answer_release(choice->answer);
        dyno_bytes_release(&choice->text);
        dyno_said_release(&choice->said);
        if (call->tools.list) {
            dyno_openai_call_reader_release(&choice->reader);
        }
    }
    dyno_openai_stream_close(&call->stream);
    dyno_openai_events_close(&call->events);
    dyno_relay_close(call->relay);
    json_decref(call->tools.list);
    json_decref(call->schema);
    json_decref(call->body);
    free(call->choices);
    free(call->vectors);
    free(call);
}

static const char *prefix_of(enum dyno_call_kind kind)
{
    static const char *const prefixes[] = {[DYNO_CALL_CHAT] = "chatcmpl",
                                           [DYNO_CALL_COMPLETION] = "cmpl",
                                           [DYNO_CALL_RESPONSE] = "resp",
                                           [DYNO_CALL_EMBEDDING] = "embd"};

    return prefixes[kind];
}

struct dyno_openai_about dyno_call_about(const struct dyno_call *call)
{
    return (struct dyno_openai_about){
        .id = call->id, .model = call->served->model->name, .created_s = call->created_s};
}

/* What the answer is written with. */
static dyno_status open_writers(struct dyno_call *call, const struct dyno_call_config *config)
{
    struct dyno_openai_about about = dyno_call_about(call);

    if (config->is_relayed) {
        call->relay = calloc(1, sizeof *call->relay);
        return call->relay ? DYNO_OK : DYNO_NO_MEMORY;
    }
    if (config->kind == DYNO_CALL_RESPONSE) {
        return dyno_openai_events_open(&call->events, &about, config->response);
    }
    if (call->streams) {
        return dyno_openai_stream_open(&call->stream, &about, config->kind == DYNO_CALL_CHAT,
                                       config->head->include_usage);
    }
    return DYNO_OK;
}

/* Where choices are kept until all are there. */
static dyno_status open_choices(struct dyno_call *call, const struct dyno_call_config *config)
{
    size_t count = (size_t)config->prompts * config->sampling->choices;

    call->choices = calloc(count, sizeof *call->choices);
    if (config->dimensions > 0) {
        call->vectors = calloc(count * config->dimensions, sizeof *call->vectors);
    }
    return call->choices && (config->dimensions == 0 || call->vectors) ? DYNO_OK : DYNO_NO_MEMORY;
}

/* Tools lie in the body of the request, which is kept for them. */
static void keep_tools(struct dyno_call *call, const struct dyno_call_config *config)
{
    if (config->tools && config->tools->list && config->tools->choice != DYNO_OPENAI_TOOL_NONE) {
        call->tools = *config->tools;
        json_incref(call->tools.list);
        call->body = json_incref(config->head->body);
    }
}

static void client_gone(struct dyno_guest *guest)
{
    struct dyno_call *call = (struct dyno_call *)(void *)guest; /* its first member */

    dyno_log(call->door->config.log, DYNO_LOG_INFO, call->asker.request_id, "client_gone",
             dyno_log_count("open", call->open_count));
    dyno_call_drop(call);
}

dyno_status dyno_call_open(struct dyno_call **out, struct dyno_scribe *scribe,
                           const struct dyno_door_asker *asker,
                           const struct dyno_call_config *config, struct dyno_openai_error *error)
{
    struct dyno_call *call = calloc(1, sizeof *call);

    if (!call) {
        return dyno_openai_fail_memory(error);
    }
    call->guest.gone = client_gone;
    call->door = scribe->door;
    call->served = scribe->served;
    call->asker = *asker;
    call->kind = config->kind;
    call->streams = config->head->stream;
    call->logprobs = config->sampling->logprobs;
    call->scores = config->echo && call->logprobs;
    call->mute = config->sampling->has_max_tokens && config->sampling->max_tokens == 0;
    call->choices_each = config->sampling->choices;
    call->created_s = dyno_door_now_s();
    dyno_openai_id(call->id, prefix_of(call->kind), dyno_scribe_draw(scribe),
                   dyno_scribe_draw(scribe));
    call->dimensions = config->dimensions;
    call->base64 = config->base64;
    keep_tools(call, config);
    if (open_choices(call, config) != DYNO_OK || open_writers(call, config) != DYNO_OK) {
        free_call(call);
        return dyno_openai_fail_memory(error);
    }
    if (dyno_call_constrain(call, scribe, config, error) != DYNO_OK) {
        free_call(call);
        return error->cause.status;
    }
    *out = call;
    return DYNO_OK;
}

/* How many tokens the answer may have: as asked, and as the context has room for. */
static dyno_status tokens_max_of(const struct dyno_call *call,
                                 const struct dyno_door_prompt *prompt,
                                 const struct dyno_openai_sampling *sampling, const char *param,
                                 uint32_t *out, struct dyno_openai_error *error)
{
    uint32_t context = call->served->model->context, left = context - prompt->count;

    if (sampling->has_max_tokens && sampling->max_tokens > left) {
        return dyno_openai_fail_context(error, param, prompt->count, sampling->max_tokens, context);
    }
    *out = !sampling->has_max_tokens ? left : call->mute ? 1 : sampling->max_tokens;
    return DYNO_OK;
}

static uint32_t pretended_length(struct dyno_scribe *scribe,
                                 const struct dyno_openai_sampling *sampling, uint32_t tokens_max)
{
    const struct dyno_door *door = scribe->door;
    uint32_t drawn;

    if (!door->config.pretend || sampling->ignore_eos) {
        return tokens_max;
    }
    drawn = door->config.pretend(door->config.pretend_context, dyno_scribe_draw(scribe));
    drawn = drawn > sampling->min_tokens ? drawn : sampling->min_tokens;
    return drawn < 1 ? 1 : drawn < tokens_max ? drawn : tokens_max;
}

static struct dyno_sampling sampling_of(struct dyno_scribe *scribe,
                                        const struct dyno_openai_sampling *asked,
                                        const struct dyno_logit_bias *bias, uint32_t index)
{
    uint64_t seed = asked->has_seed ? (uint64_t)asked->seed : dyno_scribe_draw(scribe);

    return (struct dyno_sampling){.seed = seed + index,
                                  .temperature = asked->temperature,
                                  .top_k = asked->top_p > 0.0 ? asked->top_k : 1,
                                  .top_p = asked->top_p,
                                  .min_p = asked->min_p,
                                  .repetition = asked->repetition_penalty,
                                  .presence = asked->presence_penalty,
                                  .frequency = asked->frequency_penalty,
                                  .bias = bias,
                                  .bias_count = asked->bias_count};
}

/* A constraint of the choice's own. */
static dyno_status take_constraint(const struct dyno_call *call, struct dyno_answer_config *config,
                                   struct dyno_openai_error *error)
{
    struct dyno_error cause = {.status = DYNO_OK};

    config->constraint = NULL;
    if (call->is_constrained &&
        dyno_constraint_take(call->served->constraints, call->schema, call->is_strict,
                             &config->constraint, &cause) != DYNO_OK) {
        return dyno_openai_fail_memory(error);
    }
    return DYNO_OK;
}

dyno_status dyno_call_add_choice(struct dyno_call *call, struct dyno_scribe *scribe,
                                 struct dyno_answer_config *config, struct dyno_openai_error *error)
{
    struct dyno_choice *choice = &call->choices[call->count];
    struct dyno_error cause = {.status = DYNO_OK};
    dyno_status status;

    *choice = (struct dyno_choice){.call = call, .index = call->count};
    dyno_bytes_init(&choice->text, WHOLE_TEXT_MAX);
    if (call->tools.list) {
        dyno_openai_call_reader_init(
            &choice->reader, call->is_constrained ? DYNO_OPENAI_CALL_BARE : call->served->call_form,
            &call->tools, dyno_scribe_draw(scribe), dyno_scribe_draw(scribe));
    }
    config->owner = choice;
    DYNO_TRY(take_constraint(call, config, error));
    call->count++;
    status = dyno_answer_open(&choice->answer, config, &cause);
    if (status == DYNO_BAD_INPUT) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_VALUE, "stop", "%s", cause.text);
    }
    if (status != DYNO_OK) {
        return dyno_openai_fail_memory(error);
    }
    return DYNO_OK;
}

uint64_t dyno_call_session(const struct dyno_door *door, const char *session)
{
    uint64_t id = door->salt;

    for (; session && *session; session++) {
        id = id * 0x100000001b3ULL ^ (unsigned char)*session;
    }
    return session ? id | 1 : 0;
}

dyno_status dyno_call_add(struct dyno_call *call, struct dyno_scribe *scribe,
                          const struct dyno_door_prompt *prompt,
                          const struct dyno_openai_sampling *sampling,
                          const struct dyno_openai_head *head, const char *param,
                          struct dyno_openai_error *error)
{
    const struct dyno_served_model *served = call->served;
    const char *stops[DYNO_OPENAI_STOP_MAX];
    struct dyno_logit_bias bias[DYNO_OPENAI_BIAS_MAX];
    struct dyno_answer_config config = {
        .model = served->number,
        .tenant = call->asker.tenant,
        .prompt = prompt->tokens,
        .prompt_tokens = prompt->count,
        .tokens_min = sampling->min_tokens,
        .dimensions = call->dimensions,
        .session = dyno_call_session(call->door, head->session),
        .priority = head->priority,
        .ignore_eos = sampling->ignore_eos,
        .logprobs = sampling->logprobs,
        .top_logprobs = sampling->top_logprobs,
        .scores = call->scores,
        .mute = call->mute,
        .eos = served->eos,
        .eos_count = served->eos_count,
        .tokenizer = served->tokenizer,
        .text = {.stops = stops,
                 .stop_count = sampling->stop_count,
                 .keep_space = !prompt->rendered,
                 /* one of them announces calls */
                 .show_control = call->tools.list && !call->is_constrained &&
                                 served->call_form == DYNO_OPENAI_CALL_ARRAY}};

    for (uint32_t i = 0; i < sampling->stop_count; i++) {
        stops[i] = sampling->stops[i].text;
    }
    for (uint32_t i = 0; i < sampling->bias_count; i++) {
        DYNO_TRY(
            dyno_served_model_check_token(served, sampling->biases[i].token, "logit_bias", error));
        bias[i] = (struct dyno_logit_bias){.token = sampling->biases[i].token,
                                           .bias = (double)sampling->biases[i].bias};
    }
    call->param = param;
    DYNO_TRY(dyno_scribe_check_length(scribe, prompt, param, error));
    DYNO_TRY(tokens_max_of(call, prompt, sampling, param, &config.tokens_max, error));
    if (dyno_scribe_spans(scribe, prompt, config.tenant, &config.span_count) != DYNO_OK) {
        return dyno_openai_fail_memory(error);
    }
    config.spans = scribe->spans;
    for (uint32_t i = 0; i < sampling->choices; i++) {
        config.sampling = sampling_of(scribe, sampling, bias, i);
        config.pretended = pretended_length(scribe, sampling, config.tokens_max);
        DYNO_TRY(dyno_call_add_choice(call, scribe, &config, error));
    }
    call->usage.prompt_tokens += prompt->count;
    return DYNO_OK;
}

static dyno_status post_all(struct dyno_call *call, struct dyno_openai_error *error)
{
    struct dyno_door *door = call->door;
    uint32_t answers_max = door->config.desk.answers_max;

    if (call->count > answers_max) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_VALUE, "n",
                                "these are %u answers, and the server gives %u at a time at most",
                                call->count, answers_max);
    }
    if (dyno_desk_room(door->desk) < call->count) {
        return dyno_openai_fail(error, 429, DYNO_OPENAI_CODE_RATE, NULL,
                                "the server has as many requests as it takes; try again later");
    }
    for (uint32_t i = 0; i < call->count; i++) {
        if (dyno_desk_post(door->desk, call->choices[i].answer) != DYNO_OK) {
            return dyno_openai_fail(error, 503, NULL, NULL,
                                    "the server is going away; try another one");
        }
        dyno_telemetry_received(call->served->telemetry, dyno_door_now(door));
        call->open_count++;
    }
    dyno_telemetry_read(call->served->telemetry, dyno_door_now(door) - call->asker.arrival_ns);
    return DYNO_OK;
}

dyno_status dyno_call_start(struct dyno_call *call, struct dyno_http_exchange *exchange,
                            struct dyno_openai_error *error)
{
    dyno_status status = post_all(call, error);

    if (status != DYNO_OK) {
        dyno_call_drop(call);
        return status;
    }
    call->exchange = exchange;
    dyno_http_exchange_set_data(exchange, call);
    return DYNO_OK;
}

void dyno_call_drop(struct dyno_call *call)
{
    call->exchange = NULL;
    if (call->open_count == 0) {
        free_call(call);
        return;
    }
    for (uint32_t i = 0; i < call->count; i++) {
        if (call->choices[i].answer) {
            dyno_desk_cancel(call->door->desk, call->choices[i].answer);
        }
    }
}
