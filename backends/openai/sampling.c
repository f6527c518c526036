/* The fields that say how tokens are chosen. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/openai/fields.h"
#include "core/base/words.h"

enum { BODY_BYTES = 16 << 20, DEPTH = 64, VALUES = 2 << 20, PROMPTS = 2048 };

struct dyno_openai_sampling dyno_openai_sampling_default(void)
{
    return (struct dyno_openai_sampling){
        .temperature = 1, .top_p = 1, .repetition_penalty = 1, .choices = 1};
}

struct dyno_openai_rules dyno_openai_rules_default(void)
{
    return (struct dyno_openai_rules){.body_bytes_max = BODY_BYTES,
                                      .depth_max = DEPTH,
                                      .values_max = VALUES,
                                      .prompts_max = PROMPTS,
                                      .defaults = dyno_openai_sampling_default()};
}

struct dyno_openai_sampling dyno_openai_sampling_start(const struct dyno_openai_rules *rules)
{
    struct dyno_openai_sampling sampling = rules->defaults;

    sampling.stop_count = 0;
    sampling.biases = NULL;
    sampling.bias_count = 0;
    return sampling;
}

/* -1 and 0 both mean "off", as in vLLM. */
static dyno_status read_top_k(const struct dyno_openai_value *value,
                              const struct dyno_openai_field *field, void *out)
{
    if (json_is_integer(value->json) && json_integer_value(value->json) == -1) {
        ((struct dyno_openai_sampling *)out)->top_k = 0;
        return DYNO_OK;
    }
    return dyno_openai_read_u32(value, field, out);
}

static dyno_status read_seed(const struct dyno_openai_value *value,
                             const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_sampling *sampling = out;

    (void)field;
    if (!json_is_integer(value->json)) {
        return dyno_openai_refuse_type(value, "a whole number");
    }
    sampling->seed = json_integer_value(value->json);
    sampling->has_seed = true;
    return DYNO_OK;
}

/* The newer name counts where a body has both. */
dyno_status dyno_openai_read_max_tokens(const struct dyno_openai_value *value,
                                        const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_sampling *sampling = out, read = {.max_tokens = 0};
    struct dyno_openai_value newer = dyno_openai_member(value->within, "max_completion_tokens");
    struct dyno_openai_field place = *field;

    place.offset = offsetof(struct dyno_openai_sampling, max_tokens);
    DYNO_TRY(dyno_openai_read_u32(value, &place, &read));
    if (!newer.json || strcmp(value->key, newer.key) == 0) {
        sampling->max_tokens = read.max_tokens;
        sampling->has_max_tokens = true;
    }
    return DYNO_OK;
}

static dyno_status read_one_stop(const struct dyno_openai_value *value,
                                 struct dyno_openai_stop *out)
{
    static const struct dyno_openai_field text = {.min = 1, .max = DYNO_OPENAI_STOP_BYTES};
    const char *read;

    DYNO_TRY(dyno_openai_read_text(value, &text, &read));
    *out = (struct dyno_openai_stop){read, json_string_length(value->json)};
    return DYNO_OK;
}

static dyno_status read_stops(const struct dyno_openai_value *value,
                              const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_sampling *sampling = out;
    size_t count = json_array_size(value->json);

    (void)field;
    if (json_is_string(value->json)) {
        DYNO_TRY(read_one_stop(value, &sampling->stops[0]));
        sampling->stop_count = 1;
        return DYNO_OK;
    }
    if (!json_is_array(value->json)) {
        return dyno_openai_refuse_type(value, "a string or an array of strings");
    }
    if (count > DYNO_OPENAI_STOP_MAX) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "has %zu strings, more than the %d that are allowed", count,
                                  DYNO_OPENAI_STOP_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        struct dyno_openai_value item = dyno_openai_item(value, i);

        DYNO_TRY(read_one_stop(&item, &sampling->stops[i]));
    }
    sampling->stop_count = (uint32_t)count;
    return DYNO_OK;
}

/* A token's number as a name: digits, without a leading zero. */
static bool is_token_name(const char *text, uint64_t *number)
{
    uint64_t sum = 0;
    size_t i = 0;

    for (; text[i] >= '0' && text[i] <= '9' && i < 10; i++) {
        sum = sum * 10 + (uint64_t)(text[i] - '0');
    }
    *number = sum;
    return i > 0 && text[i] == '\0' && (text[0] != '0' || i == 1);
}

static dyno_status read_one_bias(const struct dyno_openai_value *value,
                                 struct dyno_openai_bias *out)
{
    static const struct dyno_openai_field bias = {.min = -100, .max = 100};
    uint64_t token, end = value->rules->vocab ? value->rules->vocab : UINT32_MAX;
    double number;

    if (!is_token_name(value->key, &token) || token >= end) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "names no token; tokens are 0 to %" PRIu64, end - 1);
    }
    if (!value->json) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_TYPE,
                                  "is null where a number is expected");
    }
    DYNO_TRY(dyno_openai_read_number(value, &bias, &number));
    *out = (struct dyno_openai_bias){(uint32_t)token, (float)number};
    return DYNO_OK;
}

static dyno_status read_biases(const struct dyno_openai_value *value,
                               const struct dyno_openai_field *field, void *out)
{
    struct dyno_openai_sampling *sampling = out;
    json_t *object = (json_t *)value->json; /* Jansson's iterators only read */
    size_t count = json_object_size(value->json);
    const char *key;
    json_t *json;

    (void)field;
    if (!json_is_object(value->json)) {
        return dyno_openai_refuse_type(value, "an object of tokens and biases");
    }
    if (count > DYNO_OPENAI_BIAS_MAX) {
        return dyno_openai_refuse(value, DYNO_OPENAI_CODE_VALUE,
                                  "has %zu tokens, more than the %d that are allowed", count,
                                  DYNO_OPENAI_BIAS_MAX);
    }
    sampling->biases = calloc(count + 1, sizeof *sampling->biases);
    if (!sampling->biases) {
        return dyno_openai_fail_memory(value->error);
    }
    json_object_foreach(object, key, json)
    {
        struct dyno_openai_value item = dyno_openai_member(value, key);

        DYNO_TRY(read_one_bias(&item, &sampling->biases[sampling->bias_count]));
        sampling->bias_count++;
    }
    return DYNO_OK;
}

#define AT(member) offsetof(struct dyno_openai_sampling, member)

static const struct dyno_openai_field sampling_fields[] = {
    {"temperature", dyno_openai_read_number, AT(temperature), 0, 2, NULL},
    {"top_p", dyno_openai_read_number, AT(top_p), 0, 1, NULL},
    {"top_k", read_top_k, AT(top_k), 0, DYNO_OPENAI_TOKENS_MAX, NULL},
    {"min_p", dyno_openai_read_number, AT(min_p), 0, 1, NULL},
    {"repetition_penalty", dyno_openai_read_number, AT(repetition_penalty), 0.01, 100, NULL},
    {"presence_penalty", dyno_openai_read_number, AT(presence_penalty), -2, 2, NULL},
    {"frequency_penalty", dyno_openai_read_number, AT(frequency_penalty), -2, 2, NULL},
    {"seed", read_seed, 0, 0, 0, NULL},
    {"stop", read_stops, 0, 0, 0, NULL},
    {"n", dyno_openai_read_u32, AT(choices), 1, DYNO_OPENAI_CHOICES_MAX, NULL},
    {"logit_bias", read_biases, 0, 0, 0, NULL},
    {"min_tokens", dyno_openai_read_u32, AT(min_tokens), 0, DYNO_OPENAI_TOKENS_MAX, NULL},
    {"ignore_eos", dyno_openai_read_bool, AT(ignore_eos), 0, 0, NULL},
};

struct dyno_openai_table dyno_openai_sampling_table(size_t offset)
{
    return (struct dyno_openai_table)DYNO_OPENAI_TABLE(sampling_fields, offset);
}

dyno_status dyno_openai_sampling_check(const struct dyno_openai_value *body,
                                       const struct dyno_openai_sampling *sampling)
{
    struct dyno_openai_value least = dyno_openai_member(body, "min_tokens");
    struct dyno_openai_value top = dyno_openai_member(body, "top_logprobs");

    if (sampling->has_max_tokens && sampling->min_tokens > sampling->max_tokens) {
        return dyno_openai_refuse(&least, DYNO_OPENAI_CODE_VALUE,
                                  "is %" PRIu32 ", more than the most there may be, %" PRIu32,
                                  sampling->min_tokens, sampling->max_tokens);
    }
    if (sampling->top_logprobs > 0 && !sampling->logprobs) {
        return dyno_openai_refuse(&top, DYNO_OPENAI_CODE_VALUE, "needs 'logprobs' to be true");
    }
    return DYNO_OK;
}
