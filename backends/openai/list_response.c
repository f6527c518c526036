/* Answers that are lists: models, vectors, tokens. */
#include <string.h>

#include "backends/openai/json_text.h"
#include "backends/openai/response.h"

/* Bytes that are written at a time: a multiple of a float and of three. */
enum { BASE64_PIECE = 3 * 1024 };

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One to three bytes as four characters (RFC 4648). */
static void put_group(char out[4], const unsigned char *bytes, size_t size)
{
    uint32_t group = (uint32_t)bytes[0] << 16;

    group |= size > 1 ? (uint32_t)bytes[1] << 8 : 0;
    group |= size > 2 ? bytes[2] : 0;
    out[0] = base64_digits[group >> 18];
    out[1] = base64_digits[group >> 12 & 63];
    out[2] = size > 1 ? base64_digits[group >> 6 & 63] : '=';
    out[3] = size > 2 ? base64_digits[group & 63] : '=';
}

static void put_base64(struct dyno_bytes *out, const unsigned char *bytes, size_t size)
{
    char *at = dyno_bytes_reserve(out, (size + 2) / 3 * 4);

    for (size_t i = 0; at && i < size; i += 3) {
        put_group(at, bytes + i, size - i);
        at += 4;
        out->size += 4;
    }
}

/* A float's bytes in little-endian order, whatever the machine's is. */
static void put_base64_floats(struct dyno_bytes *out, const float *vector, uint32_t count)
{
    unsigned char bytes[BASE64_PIECE];
    size_t size = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, &vector[i], sizeof bits);
        for (unsigned shift = 0; shift < 32; shift += 8) {
            bytes[size++] = (unsigned char)(bits >> shift);
        }
        if (size == BASE64_PIECE) {
            put_base64(out, bytes, size);
            size = 0;
        }
    }
    put_base64(out, bytes, size);
}

static void put_vector(struct dyno_bytes *out, const float *vector, uint32_t count, bool base64)
{
    if (base64) {
        dyno_bytes_put_text(out, "\"");
        put_base64_floats(out, vector, count);
        dyno_bytes_put_text(out, "\"");
        return;
    }
    dyno_bytes_put_text(out, "[");
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put(out, ",", i > 0);
        dyno_json_put_float(out, vector[i]);
    }
    dyno_bytes_put_text(out, "]");
}

void dyno_openai_put_embeddings(struct dyno_bytes *out, const char *model, const float *vectors,
                                uint32_t count, uint32_t dimensions, bool base64,
                                uint64_t prompt_tokens)
{
    dyno_bytes_put_text(out, "{\"object\":\"list\",\"data\":[");
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put_text(out, i > 0 ? ",{\"object\":\"embedding\",\"index\":"
                                       : "{\"object\":\"embedding\",\"index\":");
        dyno_bytes_put_u64(out, i);
        dyno_bytes_put_text(out, ",\"embedding\":");
        put_vector(out, vectors + (size_t)i * dimensions, dimensions, base64);
        dyno_bytes_put_text(out, "}");
    }
    dyno_bytes_put_text(out, "],\"model\":");
    dyno_json_put_text(out, model);
    dyno_bytes_put_text(out, ",\"usage\":{\"prompt_tokens\":");
    dyno_bytes_put_u64(out, prompt_tokens);
    dyno_bytes_put_text(out, ",\"total_tokens\":");
    dyno_bytes_put_u64(out, prompt_tokens);
    dyno_bytes_put_text(out, "}}");
}

void dyno_openai_put_model(struct dyno_bytes *out, const struct dyno_openai_model *model)
{
    dyno_bytes_put_text(out, "{\"id\":");
    dyno_json_put_text(out, model->id);
    dyno_bytes_put_text(out, ",\"object\":\"model\",\"created\":");
    dyno_bytes_put_u64(out, model->created_s);
    dyno_bytes_put_text(out, ",\"owned_by\":\"dyno\",\"root\":");
    dyno_json_put_text(out, model->root);
    dyno_bytes_put_text(out, ",\"parent\":");
    dyno_json_put_text(out, model->parent);
    if (model->context_tokens > 0) {
        dyno_bytes_put_text(out, ",\"max_model_len\":");
        dyno_bytes_put_u64(out, model->context_tokens);
    }
    dyno_bytes_put_text(out, "}");
}

void dyno_openai_put_models(struct dyno_bytes *out, const struct dyno_openai_model *models,
                            uint32_t count)
{
    dyno_bytes_put_text(out, "{\"object\":\"list\",\"data\":[");
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put(out, ",", i > 0);
        dyno_openai_put_model(out, &models[i]);
    }
    dyno_bytes_put_text(out, "]}");
}

void dyno_openai_put_tokens(struct dyno_bytes *out, const uint32_t *tokens, uint32_t count,
                            uint32_t context_tokens)
{
    dyno_bytes_put_text(out, "{\"count\":");
    dyno_bytes_put_u64(out, count);
    dyno_bytes_put_text(out, ",\"max_model_len\":");
    dyno_bytes_put_u64(out, context_tokens);
    dyno_bytes_put_text(out, ",\"tokens\":[");
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put(out, ",", i > 0);
        dyno_bytes_put_u64(out, tokens[i]);
    }
    dyno_bytes_put_text(out, "]}");
}

void dyno_openai_put_detokenized(struct dyno_bytes *out, const char *text, size_t size)
{
    dyno_bytes_put_text(out, "{\"prompt\":");
    dyno_json_put_string(out, text, size);
    dyno_bytes_put_text(out, "}");
}
