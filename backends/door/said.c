#include "backends/door/said.h"

#include <math.h>
#include <stdlib.h>

#include "backends/assets/tokenizer/detokenizer.h"
#include "core/base/array.h"

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
    return dyno_array_reserve(&said->tokens, &said->token_capacity, said->token_count + 1U,
                              sizeof *said->tokens) &&
                   dyno_array_reserve(&said->others, &said->other_capacity,
                                      said->other_count + others, sizeof *said->others)
               ? DYNO_OK
               : DYNO_NO_MEMORY;
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

/* Add `token`, and those of `tops` that are its own. */
static dyno_status add(struct dyno_said *said, const struct dyno_tokenizer *tokenizer,
                       const struct dyno_answer_token *token, const struct dyno_logprob *tops)
{
    struct dyno_openai_alternative chosen =
        alternative(tokenizer, token->id, token->logprob.logprob);

    DYNO_TRY(make_room(said, token->top_count));
    said->tokens[said->token_count++] = (struct dyno_openai_token){
        .chosen = chosen,
        .characters = (uint32_t)dyno_openai_characters(chosen.text, chosen.size),
        .has_logprob = !isnan(token->logprob.logprob),
        .top_count = token->top_count};
    for (uint32_t i = 0; i < token->top_count; i++) {
        const struct dyno_logprob *top = &tops[token->top_first + i];

        said->others[said->other_count++] = alternative(tokenizer, top->token, top->logprob);
    }
    return DYNO_OK;
}

dyno_status dyno_said_add(struct dyno_said *said, const struct dyno_tokenizer *tokenizer,
                          const struct dyno_answer_news *news, uint32_t index)
{
    return add(said, tokenizer, &news->tokens[index], news->tops);
}

/* Of `left` characters, those that `piece` lets out. */
static uint32_t take_characters(struct dyno_text_piece piece, size_t *left)
{
    size_t count = piece.size > 0 ? dyno_openai_characters(piece.bytes, piece.size) : 0;

    count = count < *left ? count : *left;
    *left -= count;
    return (uint32_t)count;
}

dyno_status dyno_said_add_prompt(struct dyno_said *said, const struct dyno_tokenizer *tokenizer,
                                 const struct dyno_answer_prompt *prompt, const char *text,
                                 size_t size, bool show_control)
{
    const struct dyno_detokenizer_options options = {.show_control = show_control};
    size_t left = dyno_openai_characters(text, size);
    struct dyno_detokenizer *detokenizer;
    struct dyno_error error;
    dyno_status status;

    DYNO_TRY(dyno_detokenizer_open(&detokenizer, tokenizer, &options, &error));
    status = DYNO_OK;
    for (uint32_t i = 0; status == DYNO_OK && i < prompt->count; i++) {
        status = add(said, tokenizer, &prompt->tokens[i], prompt->tops);
        if (status == DYNO_OK) {
            said->tokens[said->token_count - 1].characters =
                take_characters(dyno_detokenizer_push(detokenizer, prompt->tokens[i].id), &left);
        }
    }
    dyno_detokenizer_close(detokenizer);
    if (status == DYNO_OK && prompt->count > 0) { /* what follows begins behind the text */
        said->tokens[said->token_count - 1].characters += (uint32_t)left;
    }
    return status;
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
