#include "backends/assets/rope_config.h"

#include <string.h>

#include "backends/assets/rope_table.h"
#include "core/base/words.h"
#include "kernels/rope.h"

/* What an object about scaling says, NULL where there is none, and of which type. */
struct said {
    struct dyno_json_keys keys;
    const char *type; /* NULL: none */
};

static const char *const places[] = {"rope_scaling", "rope_parameters"};

enum { PLACES = sizeof places / sizeof places[0] };

static dyno_status look_into(struct said *out, const struct dyno_json_keys *keys, const char *place)
{
    *out = (struct said){.keys = {.path = keys->path, .error = keys->error}};
    DYNO_TRY(dyno_json_object(keys, place, &out->keys.object));
    DYNO_TRY(dyno_json_string(&out->keys, "rope_type", &out->type));
    if (!out->type) {
        DYNO_TRY(dyno_json_string(&out->keys, "type", &out->type));
    }
    return DYNO_OK;
}

static bool is(const struct said *said, const char *type)
{
    return said->type && strcmp(said->type, type) == 0;
}

static dyno_status read_original(const struct said *said, uint32_t context, uint32_t *out)
{
    return dyno_json_u32(&said->keys, "original_max_position_embeddings", 1, DYNO_ROPE_CONTEXT_MAX,
                         context, out);
}

/* The context is so many times the original one.  Where the file does not say it, it says both. */
static dyno_status read_stretch(const struct said *said, uint32_t context, uint32_t *original,
                                double *factor)
{
    DYNO_TRY(read_original(said, context, original));
    return dyno_json_positive(&said->keys, "factor", (double)context / *original, factor);
}

static dyno_status read_llama3(const struct said *said, uint32_t context, struct dyno_rope *rope)
{
    char path[DYNO_QUOTE_MAX];

    rope->scaling = DYNO_ROPE_LLAMA3;
    DYNO_TRY(dyno_json_positive(&said->keys, "low_freq_factor", 1, &rope->low_freq_factor));
    DYNO_TRY(dyno_json_positive(&said->keys, "high_freq_factor", 4, &rope->high_freq_factor));
    if (rope->high_freq_factor <= rope->low_freq_factor) {
        return dyno_fail(said->keys.error, DYNO_BAD_INPUT,
                         "%s: \"high_freq_factor\" is %g, which is not above low_freq_factor, %g",
                         dyno_quote(path, said->keys.path), rope->high_freq_factor,
                         rope->low_freq_factor);
    }
    return read_original(said, context, &rope->original_context);
}

/* What vLLM reads here beside the rest would change every text. */
static dyno_status refuse_strangers(const struct said *said)
{
    static const char *const strangers[] = {"attn_factor", "extrapolation_factor"};
    double value;

    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        DYNO_TRY(dyno_json_double(&said->keys, strangers[i], 1, &value));
        if (value != 1) {
            return dyno_json_refuse(&said->keys, strangers[i], "not 1", "1");
        }
    }
    return DYNO_OK;
}

/* "attention_factor", or of two that DeepSeek's files have the quotient, or the paper's. */
static dyno_status read_length(const struct said *said, struct dyno_rope *rope)
{
    double above, below, length;

    DYNO_TRY(dyno_json_double(&said->keys, "mscale", 0, &above));
    DYNO_TRY(dyno_json_double(&said->keys, "mscale_all_dim", 0, &below));
    length = above != 0 && below != 0 ? dyno_rope_yarn_length(rope->factor, above) /
                                            dyno_rope_yarn_length(rope->factor, below)
                                      : dyno_rope_yarn_length(rope->factor, 1);
    DYNO_TRY(dyno_json_double(&said->keys, "attention_factor", length, &rope->length));
    return DYNO_OK;
}

static dyno_status read_yarn(const struct said *said, uint32_t context, struct dyno_rope *rope)
{
    bool truncates;

    rope->scaling = DYNO_ROPE_YARN;
    DYNO_TRY(read_stretch(said, context, &rope->original_context, &rope->factor));
    DYNO_TRY(dyno_json_positive(&said->keys, "beta_fast", DYNO_ROPE_BETA_FAST, &rope->beta_fast));
    DYNO_TRY(dyno_json_positive(&said->keys, "beta_slow", DYNO_ROPE_BETA_SLOW, &rope->beta_slow));
    DYNO_TRY(dyno_json_bool(&said->keys, "truncate", true, &truncates));
    rope->exact = !truncates;
    DYNO_TRY(refuse_strangers(said));
    DYNO_TRY(read_length(said, rope));
    return dyno_rope_check(rope, said->keys.path, said->keys.error);
}

static dyno_status read_scaling(const struct said *said, uint32_t context, struct dyno_rope *rope)
{
    DYNO_TRY(dyno_json_positive(&said->keys, "rope_theta", rope->theta, &rope->theta));
    if (!said->type && json_object_get(said->keys.object, "factor")) {
        return dyno_json_refuse(&said->keys, "rope_type", "absent, and \"factor\" is there",
                                "default, linear, llama3 and yarn");
    }
    if (!said->type || is(said, "default")) {
        return DYNO_OK;
    }
    if (is(said, "yarn")) {
        return read_yarn(said, context, rope);
    }
    DYNO_TRY(dyno_json_positive(&said->keys, "factor", 1, &rope->factor));
    if (is(said, "linear")) {
        rope->scaling = DYNO_ROPE_LINEAR;
        return DYNO_OK;
    }
    if (is(said, "llama3")) {
        return read_llama3(said, context, rope);
    }
    return dyno_json_refuse(&said->keys, "rope_type", said->type,
                            "default, linear, llama3 and yarn");
}

/* As the file says it, before anything is stretched. */
static dyno_status read_context(const struct dyno_json_keys *keys, uint32_t *out)
{
    return dyno_json_u32(keys, "max_position_embeddings", 1, DYNO_ROPE_CONTEXT_MAX,
                         DYNO_JSON_REQUIRED, out);
}

dyno_status dyno_rope_config_context(const struct dyno_json_keys *keys, uint32_t *context)
{
    struct said said;
    uint32_t original;
    double factor;

    for (size_t i = 0; i < PLACES; i++) {
        DYNO_TRY(look_into(&said, keys, places[i]));
        if (is(&said, "yarn")) {
            DYNO_TRY(read_stretch(&said, *context, &original, &factor));
            return dyno_rope_stretch(context, original, factor, keys->path, keys->error);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_rope_config_read(struct dyno_rope *out, const struct dyno_json_keys *keys,
                                  double theta)
{
    struct dyno_rope rope = {.pairs = DYNO_ROPE_HALF_SPLIT};
    struct said said;
    uint32_t context;
    double partial;

    DYNO_TRY(dyno_json_positive(keys, "rope_theta", theta, &rope.theta));
    DYNO_TRY(dyno_json_double(keys, "partial_rotary_factor", 1, &partial));
    if (partial != 1) {
        return dyno_json_refuse(keys, "partial_rotary_factor", "not 1", "1, all of each head");
    }
    DYNO_TRY(read_context(keys, &context));
    for (size_t i = 0; i < PLACES; i++) {
        DYNO_TRY(look_into(&said, keys, places[i]));
        DYNO_TRY(read_scaling(&said, context, &rope));
    }
    *out = rope;
    return DYNO_OK;
}
