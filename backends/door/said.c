#include "backends/door/said.h"

#include <stdlib.h>

void dyno_said_release(struct dyno_said *said)
{
    free(said->tokens);
    free(said->others);
    *said = (struct dyno_said){.tokens = NULL};
}

void dyno_said_clear(struct dyno_said *said)
{
    said->token_count = said->other_count = 0;
}

static dyno_status make_room(struct dyno_said *said, uint32_t others)
{
    if (said->token_count == said->token_capacity) {
        uint32_t capacity = 2 * said->token_capacity + 16;
        struct dyno_openai_token *tokens = realloc(said->tokens, capacity * sizeof *tokens);

        if (!tokens) {
            return DYNO_NO_MEMORY;
        }
        said->tokens = tokens;
        said->token_capacity = capacity;
    }
    if (said->other_count + others > said->other_capacity) {
        uint32_t capacity = 2 * (said->other_count + others) + 16;
        struct dyno_openai_alternative *list = realloc(said->others, capacity * sizeof *list);

        if (!list) {
            return DYNO_NO_MEMORY;
        }
        said->others = list;
        said->other_capacity = capacity;
    }
    return DYNO_OK;
}

static struct dyno_openai_alternative alternative(const struct dyno_tokenizer *tokenizer,
                                                  uint32_t id, double logprob)
{
    struct dyno_token token = {.bytes = "", .size = 0};

    if (id < dyno_tokenizer_count(tokenizer)) {
        token = dyno_tokenizer_token(tokenizer, id);
    }
    return (struct dyno_openai_alternative){
        .text = token.size > 0 ? token.bytes : "",
        .size = token.size,
        .logprob = logprob < -9999.0 ? -9999.0F : (float)logprob, /* -infinity is no JSON */
    };
}

dyno_status dyno_said_add(struct dyno_said *said, const struct dyno_tokenizer *tokenizer,
                          const struct dyno_answer_news *news, uint32_t index)
{
    const struct dyno_answer_token *token = &news->tokens[index];

    DYNO_TRY(make_room(said, token->top_count));
    said->tokens[said->token_count++] = (struct dyno_openai_token){
        .chosen = alternative(tokenizer, token->id, token->logprob.logprob),
        .has_logprob = true,
        .top_count = token->top_count};
    for (uint32_t i = 0; i < token->top_count; i++) {
        const struct dyno_logprob *top = &news->tops[token->top_first + i];

        said->others[said->other_count++] = alternative(tokenizer, top->token, top->logprob);
    }
    return DYNO_OK;
}

const struct dyno_openai_token *dyno_said_tokens(struct dyno_said *said)
{
    uint32_t first = 0;

    for (uint32_t i = 0; i < said->token_count; i++) {
        said->tokens[i].top = said->others + first;
        first += said->tokens[i].top_count;
    }
    return said->tokens;
}
