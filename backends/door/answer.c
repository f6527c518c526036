#include "backends/door/answer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/door/answer_parts.h"
#include "backends/door/filler_text.h"
#include "backends/engine/transcript.h"
#include "core/base/array.h"

static struct dyno_answer *answer_of(struct dyno_generation *generation)
{
    return (void *)generation; /* its first member */
}

/* ---- pages ----------------------------------------------------------------------------------- */

bool dyno_answer_write_text(struct dyno_answer *answer, struct dyno_text_piece piece)
{
    struct dyno_answer_page *page = &answer->pages[answer->written];

    if (!dyno_array_reserve(&page->text, &page->text_capacity, page->text_size + piece.size, 1)) {
        answer->out_of_memory = true;
        return false;
    }
    if (piece.size > 0) {
        memcpy(page->text + page->text_size, piece.bytes, piece.size);
        page->text_size += (uint32_t)piece.size;
    }
    return true;
}

static bool write_tops(struct dyno_answer *answer, struct dyno_answer_page *page)
{
    const struct dyno_answer_choice *latest = &answer->latest;

    if (latest->top_count == 0) {
        return true;
    }
    if (!dyno_array_reserve(&page->tops, &page->top_capacity,
                            (size_t)page->top_count + latest->top_count, sizeof *page->tops)) {
        return false;
    }
    memcpy(page->tops + page->top_count, latest->tops, latest->top_count * sizeof *page->tops);
    page->top_count += latest->top_count;
    return true;
}

bool dyno_answer_write_token(struct dyno_answer *answer, uint32_t token)
{
    struct dyno_answer_page *page = &answer->pages[answer->written];

    if (!dyno_array_reserve(&page->tokens, &page->token_capacity, page->token_count + 1U,
                            sizeof *page->tokens)) {
        answer->out_of_memory = true;
        return false;
    }
    page->tokens[page->token_count++] =
        (struct dyno_answer_token){.id = token,
                                   .text_end = page->text_size,
                                   .logprob = answer->latest.chosen,
                                   .top_first = page->top_count,
                                   .top_count = answer->latest.top_count};
    if (answer->config.logprobs && !write_tops(answer, page)) {
        answer->out_of_memory = true;
        return false;
    }
    return true;
}

/* ---- the device's side ----------------------------------------------------------------------- */

static uint32_t choose(struct dyno_generation *generation, const float *logits, uint32_t vocab,
                       const struct dyno_transcript *transcript, void *scratch)
{
    struct dyno_answer *answer = answer_of(generation);
    const struct dyno_answer_config *config = &answer->config;
    struct dyno_answer_choice *latest = &answer->latest;
    struct dyno_sampling sampling = config->sampling;
    struct dyno_sample_history history = {.tokens = transcript->tokens,
                                          .prompt_count = transcript->prompt_tokens,
                                          .count = transcript->count};
    uint32_t token;

    if (config->constraint) {
        sampling.allowed = dyno_constraint_mask(config->constraint);
        if (!sampling.allowed) {
            return config->eos[0]; /* no token of the model's leads on */
        }
    }
    sampling.bias = answer->bias;
    sampling.bias_count = answer->bias_count;
    if (answer->generated < config->tokens_min) {
        sampling.bias_count += config->eos_count; /* it may not end yet */
    }
    token = dyno_sample(&sampling, logits, vocab, transcript->count, &history, scratch);
    if (config->logprobs) {
        latest->top_count = dyno_logprobs(logits, vocab, token, &latest->chosen, latest->tops,
                                          config->top_logprobs);
    }
    return token;
}

static bool plain(const struct dyno_generation *generation, struct dyno_sampling *out)
{
    const struct dyno_answer *answer = (const struct dyno_answer *)(const void *)generation;
    const struct dyno_answer_config *config = &answer->config;
    const struct dyno_sampling *sampling = &config->sampling;
    bool penalizes = sampling->presence != 0.0 || sampling->frequency != 0.0 ||
                     (sampling->repetition != 0.0 && sampling->repetition != 1.0);
    bool must_go_on = answer->generated < config->tokens_min && config->eos_count > 0;

    if (config->constraint || config->logprobs || answer->bias_count > 0 || penalizes ||
        must_go_on) {
        return false;
    }
    *out = *sampling;
    out->bias = NULL;
    out->allowed = NULL;
    return true;
}

static bool is_eos(const struct dyno_answer *answer, uint32_t token)
{
    bool may_end = answer->config.constraint ||
                   (!answer->config.ignore_eos && answer->generated >= answer->config.tokens_min);

    if (!may_end) {
        return false;
    }
    for (uint32_t i = 0; i < answer->config.eos_count; i++) {
        if (answer->config.eos[i] == token) {
            return true;
        }
    }
    return false;
}

/* The text of the answer's next token. */
static struct dyno_text_piece text_of(struct dyno_answer *answer, uint32_t token)
{
    struct dyno_text_piece piece = {.size = 0};

    if (token == DYNO_TOKEN_FILLER) {
        return dyno_filler_text(answer->filler_words, answer->id, answer->generated);
    }
    if (is_eos(answer, token)) {
        answer->stopped = true;
        return piece;
    }
    if (answer->config.constraint) {
        dyno_constraint_advance(answer->config.constraint, token);
    }
    piece = dyno_detokenizer_push(answer->detokenizer, token);
    answer->stopped = dyno_detokenizer_stop(answer->detokenizer) != NULL;
    return piece;
}

static bool took(struct dyno_generation *generation, uint32_t token)
{
    struct dyno_answer *answer = answer_of(generation);
    struct dyno_text_piece piece;
    bool ends;

    if (answer->config.mute) {
        return true;
    }
    piece = text_of(answer, token);
    answer->generated++;
    dyno_desk_lock(answer->desk);
    ends = !dyno_answer_write_text(answer, piece) || !dyno_answer_write_token(answer, token) ||
           answer->stopped;
    dyno_desk_unlock_with_news(answer->desk, answer);
    return ends;
}

static const struct dyno_generation_ops answer_ops = {
    .choose = choose, .plain = plain, .took = took};
static const struct dyno_generation_ops scoring_ops = {
    .choose = choose, .plain = plain, .score = dyno_answer_score, .took = took};

/* ---- the side of a worker that is asked by text -----------------------------------------------
 */

static struct dyno_answer *answer_of_errand(struct dyno_errand *errand)
{
    return (struct dyno_answer *)(void *)((char *)errand - offsetof(struct dyno_answer, errand));
}

static bool heard_event(struct dyno_errand *errand, const char *data, size_t size)
{
    struct dyno_answer *answer = answer_of_errand(errand);
    struct dyno_text_piece piece = {.bytes = data, .size = size};
    bool is_kept;

    dyno_desk_lock(answer->desk);
    is_kept = answer->pages[answer->written].text_size + size <= DYNO_ANSWER_PAGE_MAX &&
              dyno_answer_write_text(answer, piece) && dyno_answer_write_token(answer, 0);
    dyno_desk_unlock_with_news(answer->desk, answer);
    return is_kept;
}

/* What comes with a refusal leaves with the end, and is no news before. */
static void heard_refusal(struct dyno_errand *errand, uint32_t http_status, const char *body,
                          size_t size)
{
    struct dyno_answer *answer = answer_of_errand(errand);
    struct dyno_text_piece piece = {.bytes = body, .size = size};

    dyno_desk_lock(answer->desk);
    answer->refused = http_status;
    (void)dyno_answer_write_text(answer, piece);
    dyno_desk_unlock(answer->desk);
}

static const struct dyno_errand_ops errand_ops = {.event = heard_event, .refused = heard_refusal};

/* ---- open and release ------------------------------------------------------------------------ */

static void *copy(const void *from, size_t size)
{
    void *made = malloc(size > 0 ? size : 1);

    if (made && size > 0) {
        memcpy(made, from, size);
    }
    return made;
}

/* Texts of its own, each a pointer to const for whoever reads it. */
static void free_errand(struct dyno_errand *errand)
{
    free((void *)(uintptr_t)errand->path);
    free((void *)(uintptr_t)errand->fields);
    free((void *)(uintptr_t)errand->body);
    free((void *)(uintptr_t)errand->request_id);
}

static bool copy_errand(struct dyno_errand *to, const struct dyno_errand *from)
{
    *to = (struct dyno_errand){.ops = &errand_ops,
                               .path = strdup(from->path),
                               .fields = strdup(from->fields),
                               .body = copy(from->body, from->body_size),
                               .body_size = from->body_size,
                               .request_id = strdup(from->request_id),
                               .is_whole = from->is_whole};
    return to->path && to->fields && to->body && to->request_id;
}

void dyno_answer_free(struct dyno_answer *answer)
{
    free_errand(&answer->errand);
    dyno_constraint_give(answer->config.constraint);
    dyno_detokenizer_close(answer->detokenizer);
    for (int i = 0; i < 2; i++) {
        free(answer->pages[i].text);
        free(answer->pages[i].tokens);
        free(answer->pages[i].tops);
    }
    free(answer->prompt);
    free(answer->spans);
    free(answer->bias);
    free(answer->prompt_scores);
    free(answer->prompt_tops);
    free(answer->vector);
    free(answer);
}

/* What was asked for, and then the tokens that end a text, barred. */
static bool copy_bias(struct dyno_answer *answer)
{
    const struct dyno_answer_config *config = &answer->config;
    size_t count = (size_t)config->sampling.bias_count + config->eos_count;

    answer->bias = calloc(count + 1, sizeof *answer->bias);
    if (!answer->bias) {
        return false;
    }
    answer->bias_count = config->sampling.bias_count;
    for (uint32_t i = 0; i < answer->bias_count; i++) {
        answer->bias[i] = config->sampling.bias[i];
    }
    for (uint32_t i = 0; i < config->eos_count; i++) {
        answer->bias[answer->bias_count + i] =
            (struct dyno_logit_bias){.token = config->eos[i], .bias = -INFINITY};
    }
    return true;
}

/* What an answer of tokens needs, and one that travels as text does not. */
static dyno_status open_tokens(struct dyno_answer *answer, struct dyno_error *error)
{
    const struct dyno_answer_config *config = &answer->config;

    answer->prompt = copy(config->prompt, config->prompt_tokens * sizeof *answer->prompt);
    if (!answer->prompt || !copy_bias(answer) || !dyno_answer_open_scores(answer)) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for an answer");
    }
    DYNO_TRY(dyno_detokenizer_open(&answer->detokenizer, config->tokenizer, &config->text, error));
    answer->filler_words = dyno_filler_words(config->text.stops, config->text.stop_count);
    return DYNO_OK;
}

static dyno_status open_kind(struct dyno_answer *answer, const struct dyno_errand *errand,
                             struct dyno_error *error)
{
    if (!answer->spans || (errand && !copy_errand(&answer->errand, errand))) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for an answer");
    }
    answer->config.errand = errand ? &answer->errand : NULL;
    return errand ? DYNO_OK : open_tokens(answer, error);
}

dyno_status dyno_answer_open(struct dyno_answer **out, const struct dyno_answer_config *config,
                             struct dyno_error *error)
{
    struct dyno_answer *answer = calloc(1, sizeof *answer);
    dyno_status status;

    assert(config->prompt_tokens >= 1 && config->tokens_max >= 1 &&
           config->top_logprobs <= DYNO_ANSWER_TOPS_MAX &&
           (!config->mute || config->tokens_max == 1));
    if (!answer) {
        dyno_constraint_give(config->constraint);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for an answer");
    }
    answer->generation.ops = config->dimensions > 0 ? &dyno_answer_vector_ops
                             : config->scores       ? &scoring_ops
                                                    : &answer_ops;
    answer->config = *config;
    answer->config.span_count = config->scores ? 0 : config->span_count;
    answer->spans = copy(config->spans, answer->config.span_count * sizeof *answer->spans);
    status = open_kind(answer, config->errand, error);
    if (status != DYNO_OK) {
        dyno_answer_free(answer);
        return status;
    }
    *out = answer;
    return DYNO_OK;
}

void *dyno_answer_owner(const struct dyno_answer *answer)
{
    return answer->config.owner;
}

struct dyno_answer_stamps dyno_answer_stamps(const struct dyno_answer *answer)
{
    return answer->stamps;
}
