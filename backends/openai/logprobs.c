/* How probable tokens were, in the two shapes of the API. */
#include <string.h>

#include "backends/openai/json_text.h"
#include "backends/openai/response_parts.h"
#include "core/base/utf8.h"

static void put_byte_list(struct dyno_bytes *out, const char *bytes, size_t size)
{
    dyno_bytes_put_text(out, "[");
    for (size_t i = 0; i < size; i++) {
        dyno_bytes_put(out, ",", i > 0);
        dyno_bytes_put_u64(out, (unsigned char)bytes[i]);
    }
    dyno_bytes_put_text(out, "]");
}

static void put_alternative(struct dyno_bytes *out, const struct dyno_openai_alternative *token)
{
    dyno_bytes_put_text(out, "{\"token\":");
    dyno_json_put_string(out, token->text, token->size);
    dyno_bytes_put_text(out, ",\"logprob\":");
    dyno_json_put_float(out, token->logprob);
    dyno_bytes_put_text(out, ",\"bytes\":");
    put_byte_list(out, token->text, token->size);
}

void dyno_openai_put_token_items(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put(out, ",", i > 0);
        put_alternative(out, &tokens[i].chosen);
        dyno_bytes_put_text(out, ",\"top_logprobs\":[");
        for (uint32_t j = 0; j < tokens[i].top_count; j++) {
            dyno_bytes_put(out, ",", j > 0);
            put_alternative(out, &tokens[i].top[j]);
            dyno_bytes_put_text(out, "}");
        }
        dyno_bytes_put_text(out, "]}");
    }
}

void dyno_openai_put_token_list(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                                uint32_t count)
{
    dyno_bytes_put_text(out, "[");
    dyno_openai_put_token_items(out, tokens, count);
    dyno_bytes_put_text(out, "]");
}

void dyno_openai_put_chat_logprobs(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                                   uint32_t count)
{
    dyno_bytes_put_text(out, "{\"content\":");
    dyno_openai_put_token_list(out, tokens, count);
    dyno_bytes_put_text(out, ",\"refusal\":null}");
}

/* A token's text as a name: bytes that are no text are spelt out, so that no two are alike. */
static void put_name(struct dyno_bytes *out, const struct dyno_openai_alternative *token)
{
    static const char hex[] = "0123456789abcdef";

    if (dyno_utf8_valid(token->text, token->size, NULL) == token->size) {
        dyno_json_put_string(out, token->text, token->size);
        return;
    }
    dyno_bytes_put_text(out, "\"bytes:");
    for (size_t i = 0; i < token->size; i++) {
        unsigned char byte = (unsigned char)token->text[i];
        const char spelt[] = {'\\', '\\', 'x', hex[byte >> 4], hex[byte & 15]};

        dyno_bytes_put(out, spelt, sizeof spelt);
    }
    dyno_bytes_put_text(out, "\"");
}

/* Whether top[index] reads like one before it. */
static bool is_repeated(const struct dyno_openai_alternative *top, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (top[i].size == top[index].size &&
            memcmp(top[i].text, top[index].text, top[i].size) == 0) {
            return true;
        }
    }
    return false;
}

/* {token: logprob}; of two tokens with the same text the less probable one is left out. */
static void put_top_map(struct dyno_bytes *out, const struct dyno_openai_token *token)
{
    dyno_bytes_put_text(out, "{");
    for (uint32_t i = 0; i < token->top_count; i++) {
        if (!is_repeated(token->top, i)) {
            dyno_bytes_put(out, ",", i > 0);
            put_name(out, &token->top[i]);
            dyno_bytes_put_text(out, ":");
            dyno_json_put_float(out, token->top[i].logprob);
        }
    }
    dyno_bytes_put_text(out, "}");
}

static void put_names(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put(out, ",", i > 0);
        put_name(out, &tokens[i].chosen);
    }
}

static void put_probabilities(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                              uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put(out, ",", i > 0);
        if (tokens[i].has_logprob) {
            dyno_json_put_float(out, tokens[i].chosen.logprob);
        } else {
            dyno_bytes_put_text(out, "null");
        }
    }
}

static void put_tops(struct dyno_bytes *out, const struct dyno_openai_token *tokens, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put(out, ",", i > 0);
        if (tokens[i].has_logprob) {
            put_top_map(out, &tokens[i]);
        } else {
            dyno_bytes_put_text(out, "null");
        }
    }
}

static void put_offsets(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                        uint32_t count, size_t offset)
{
    for (uint32_t i = 0; i < count; i++) {
        dyno_bytes_put(out, ",", i > 0);
        dyno_bytes_put_u64(out, offset);
        offset += tokens[i].characters;
    }
}

size_t dyno_openai_characters(const char *text, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < size; i++) {
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return count;
}

void dyno_openai_put_text_logprobs(struct dyno_bytes *out, const struct dyno_openai_token *tokens,
                                   uint32_t count, size_t offset)
{
    dyno_bytes_put_text(out, "{\"tokens\":[");
    put_names(out, tokens, count);
    dyno_bytes_put_text(out, "],\"token_logprobs\":[");
    put_probabilities(out, tokens, count);
    dyno_bytes_put_text(out, "],\"top_logprobs\":[");
    put_tops(out, tokens, count);
    dyno_bytes_put_text(out, "],\"text_offset\":[");
    put_offsets(out, tokens, count, offset);
    dyno_bytes_put_text(out, "]}");
}
