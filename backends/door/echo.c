/* Answers that begin with their prompt, and say how likely its tokens were.
 *
 * A prompt that is scored is computed from its first token on (answer.h), and what was made of it
 * is there with the first token of the answer: prompt and answer are told in one stream of tokens.
 */
#include <stdlib.h>

#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/door/door_parts.h"

/* Probabilities of one prompt, its alternatives among them, and of all prompts of a request that is
 * answered as a whole; about 25 bytes each as text, of which a stream's must fit into what it may
 * be behind its client (serve.unsent_max). */
enum { SCORES_MAX = 1 << 21, STREAMED_SCORES_MAX = 1 << 17 };

dyno_status dyno_call_check_echo(const struct dyno_served_model *served,
                                 const struct dyno_openai_completion *asked,
                                 struct dyno_openai_error *error)
{
    if (!asked->echo || !asked->sampling.logprobs || served->model->scores) {
        return DYNO_OK;
    }
    return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_UNSUPPORTED, "logprobs",
                            "this server does not compute how likely a prompt is: leave out echo "
                            "or logprobs");
}

dyno_status dyno_call_count_scores(struct dyno_call *call,
                                   const struct dyno_openai_sampling *sampling,
                                   const struct dyno_door_prompt *prompt,
                                   struct dyno_openai_error *error)
{
    uint32_t most = call->streams ? STREAMED_SCORES_MAX : SCORES_MAX;

    if (!call->scores) {
        return DYNO_OK;
    }
    call->score_count += (uint64_t)prompt->count * sampling->choices * (1 + sampling->top_logprobs);
    if (call->score_count > most) {
        return dyno_openai_fail(error, 400, DYNO_OPENAI_CODE_VALUE, "logprobs",
                                "the prompts have more than the %u probabilities that %s has room "
                                "for: ask for fewer of each token, for fewer choices, or%s for "
                                "fewer prompts at a time",
                                most, call->streams ? "a stream" : "an answer",
                                call->streams ? " without 'stream', or" : "");
    }
    return DYNO_OK;
}

/* Each of them has a text of its own. */
static dyno_status keep_text(struct dyno_call *call, uint32_t first, bool shows_control,
                             const char *text, size_t size, struct dyno_openai_error *error)
{
    for (uint32_t i = first; i < call->count; i++) {
        struct dyno_choice *choice = &call->choices[i];

        choice->echoes = true;
        choice->shows_control = shows_control;
        dyno_bytes_put(&choice->text, text, size);
        if (choice->text.status != DYNO_OK) {
            return dyno_openai_fail_memory(error);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_call_echo(struct dyno_call *call, uint32_t first,
                           const struct dyno_openai_prompt *asked,
                           const struct dyno_door_prompt *prompt, struct dyno_openai_error *error)
{
    struct dyno_error cause;
    dyno_status status;
    char *text;
    size_t size;

    if (asked->text) {
        return keep_text(call, first, false, asked->text, asked->text_size, error);
    }
    if (dyno_decode(call->served->tokenizer, prompt->tokens, prompt->count, true, &text, &size,
                    &cause) != DYNO_OK) {
        return dyno_openai_fail_memory(error);
    }
    status = keep_text(call, first, true, text, size, error);
    free(text);
    return status;
}

bool dyno_choice_say_echo(struct dyno_choice *choice, const struct dyno_answer_news *news)
{
    const struct dyno_call *call = choice->call;

    if (!choice->echoes) {
        return true;
    }
    choice->echoes = false;
    if (news->prompt && dyno_said_add_prompt(&choice->said, call->served->tokenizer, news->prompt,
                                             choice->text.data, choice->text.size,
                                             choice->shows_control) != DYNO_OK) {
        return false;
    }
    return !call->streams || dyno_choice_say(choice, choice->text.data, choice->text.size);
}
