/* One sequence, one pass after another: the prompt in slices, then a token at a time. */
#include "cli/model/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/assets/default_model.h"
#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/assets/tokenizer/tokenizer_file.h"
#include "backends/assets/weights.h"
#include "backends/cpu/forward.h"
#include "backends/cpu/kv_storage.h"
#include "backends/cuda/solo.h"
#include "backends/host/allowance.h"
#include "cli/model/tokenizer_path.h"
#include "core/base/words.h"
#include "kernels/team.h"

enum {
    SLICE_TOKENS = 512, /* of a prompt, in one pass */
    BLOCK_TOKENS = 16,
    CONTEXT_MAX = 1 << 15, /* however much longer the model's is: memory is for one sequence */
};

struct dyno_writer {
    struct dyno_weights *weights;
    const struct dyno_tokenizer_file *file;
    struct dyno_template *template_; /* NULL: the model has none */
    struct dyno_tokenizer *tokenizer;
    struct dyno_encoder *encoder;
    struct dyno_cuda_solo *solo; /* it computes; NULL: the CPU does, with the five that follow */
    struct dyno_kv_storage *storage;
    struct dyno_team *team;
    struct dyno_forward *forward;
    uint32_t *table;   /* [blocks]: the sequence lies in the blocks in order */
    float *cpu_logits; /* [vocab] */
    uint32_t context;
    const float *logits; /* [vocab] behind the last token computed */
    void *scratch;       /* of dyno_sample */
    uint32_t *held;      /* [context]: the sequence */
    uint32_t computed;   /* so many of `held` have keys and values */
};

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static dyno_status open_text(struct dyno_writer *writer, const char *path, struct dyno_error *error)
{
    DYNO_TRY(dyno_tokenizer_file_open(&writer->file, path, error));
    DYNO_TRY(dyno_tokenizer_file_tokenizer(&writer->tokenizer, writer->file,
                                           writer->weights->model.vocab, error));
    return dyno_encoder_open(&writer->encoder, writer->tokenizer, error);
}

static dyno_status open_cpu(struct dyno_writer *writer, uint32_t threads, struct dyno_error *error)
{
    const struct dyno_model *model = &writer->weights->model;
    uint32_t blocks = (writer->context + BLOCK_TOKENS - 1) / BLOCK_TOKENS;
    struct dyno_forward_config config = {.weights = writer->weights, .rows_max = SLICE_TOKENS};

    DYNO_TRY(dyno_kv_storage_open(&writer->storage, model, blocks, BLOCK_TOKENS, DYNO_ELEMENT_F32,
                                  error));
    writer->team = dyno_team_open(threads);
    writer->table = calloc(blocks, sizeof *writer->table);
    writer->cpu_logits = calloc(model->vocab, sizeof *writer->cpu_logits);
    if (!writer->team || !writer->table || !writer->cpu_logits) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory or threads for the model");
    }
    for (uint32_t i = 0; i < blocks; i++) {
        writer->table[i] = i;
    }
    config.storage = writer->storage;
    config.team = writer->team;
    DYNO_TRY(dyno_forward_open(&writer->forward, &config, error));
    writer->context = dyno_forward_positions(writer->forward);
    writer->logits = writer->cpu_logits;
    return DYNO_OK;
}

static dyno_status open_engine(struct dyno_writer *writer, const struct dyno_writer_engine *engine,
                               struct dyno_error *error)
{
    const struct dyno_model *model = &writer->weights->model;
    uint32_t threads = engine->threads > 0 ? engine->threads : dyno_allowed_team();

    writer->context = model->context_max < CONTEXT_MAX ? model->context_max : CONTEXT_MAX;
    writer->scratch = malloc(dyno_sample_scratch(model->vocab));
    writer->held = calloc(writer->context, sizeof *writer->held);
    if (!writer->scratch || !writer->held) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the text");
    }
    return engine->on_gpu ? dyno_cuda_solo_open(&writer->solo, writer->weights, writer->context,
                                                threads, engine->narrow, error)
                          : open_cpu(writer, threads, error);
}

dyno_status dyno_writer_open(struct dyno_writer **out, const char *path, const char *tokenizer,
                             const struct dyno_writer_engine *engine, struct dyno_error *error)
{
    struct dyno_writer *writer = calloc(1, sizeof *writer);
    char beside[DYNO_MODEL_PATH_MAX + sizeof "tokenizer.bin"];
    dyno_status status;

    if (!writer) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_weights_open(&writer->weights, path, error);
    if (status == DYNO_OK && !tokenizer) {
        status = dyno_tokenizer_path(beside, sizeof beside, path, error);
        tokenizer = beside;
    }
    if (status == DYNO_OK) {
        status = open_text(writer, tokenizer, error);
    }
    if (status == DYNO_OK) {
        status = open_engine(writer, engine, error);
    }
    if (status != DYNO_OK) {
        dyno_writer_close(writer);
        return status;
    }
    *out = writer;
    return DYNO_OK;
}

void dyno_writer_close(struct dyno_writer *writer)
{
    if (!writer) {
        return;
    }
    dyno_cuda_solo_close(writer->solo);
    dyno_forward_close(writer->forward);
    dyno_team_close(writer->team);
    dyno_kv_storage_close(writer->storage);
    dyno_encoder_close(writer->encoder);
    dyno_tokenizer_close(writer->tokenizer);
    dyno_template_close(writer->template_);
    dyno_tokenizer_file_close(writer->file);
    if (writer->weights) {
        dyno_weights_close(writer->weights);
    }
    free(writer->table);
    free(writer->cpu_logits);
    free(writer->scratch);
    free(writer->held);
    free(writer);
}

uint32_t dyno_writer_context(const struct dyno_writer *writer)
{
    return writer->context;
}

const struct dyno_suggested_sampling *dyno_writer_suggested(const struct dyno_writer *writer)
{
    return &writer->weights->sampling;
}

dyno_status dyno_writer_render(struct dyno_writer *writer, const struct dyno_chat_message *messages,
                               uint32_t count, char **out, size_t *out_size,
                               struct dyno_error *error)
{
    if (!writer->file->chat_template) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "the model has no chat template: it goes on from a text, --prompt "
                         "without --chat");
    }
    if (!writer->template_) {
        DYNO_TRY(dyno_chat_template_open(&writer->template_, writer->file,
                                         writer->file->chat_template, error));
    }
    return dyno_chat_render(writer->template_, writer->file, writer->tokenizer, messages, count,
                            time(NULL), out, out_size, error);
}

static dyno_status compute_slice(struct dyno_writer *writer, uint32_t count, bool yields,
                                 struct dyno_error *error)
{
    uint32_t first = writer->computed;
    struct dyno_forward_slice slice = {.tokens = writer->held + first,
                                       .first = first,
                                       .count = count,
                                       .table = writer->table,
                                       .yields = yields};

    if (writer->solo) {
        return dyno_cuda_solo_run(writer->solo, slice.tokens, first, count,
                                  yields ? &writer->logits : NULL, error);
    }
    dyno_forward_run(writer->forward, &slice, 1, yields ? writer->cpu_logits : NULL);
    return DYNO_OK;
}

/* Compute held[computed, end); the logits are those behind the last, unless whoever hears the
 * answer went away between two parts of it. */
static dyno_status compute(struct dyno_writer *writer, const struct dyno_writer_ask *ask,
                           uint32_t end, struct dyno_error *error)
{
    uint32_t most = writer->solo ? DYNO_CUDA_SOLO_TOKENS : SLICE_TOKENS;
    bool heard = true;

    while (writer->computed < end && heard) {
        uint32_t left = end - writer->computed, count = left < most ? left : most;

        DYNO_TRY(compute_slice(writer, count, count == left, error));
        writer->computed += count;
        heard = count == left || ask->say(ask->listener, "", 0);
    }
    return DYNO_OK;
}

/* Make `ids` the sequence.  What it has in common with the one before stays computed, but for the
 * last token, whose logits are wanted. */
static uint32_t take_prompt(struct dyno_writer *writer, const struct dyno_token_ids *ids)
{
    uint32_t common = 0;

    while (common < writer->computed && common + 1 < ids->count &&
           writer->held[common] == ids->ids[common]) {
        common++;
    }
    memcpy(writer->held, ids->ids, ids->count * sizeof *ids->ids);
    writer->computed = common;
    return common;
}

static dyno_status encode_prompt(struct dyno_writer *writer, const struct dyno_writer_ask *ask,
                                 struct dyno_token_ids *ids, struct dyno_error *error)
{
    struct dyno_encode_options options = {.control = ask->rendered, .around = !ask->rendered};

    DYNO_TRY(dyno_encode(writer->encoder, ask->prompt, ask->prompt_size, options, ids, error));
    if (ids->count == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the prompt is empty; the model needs at least one token to go on from");
    }
    if (ids->count >= writer->context) {
        return dyno_fail(error, DYNO_FULL,
                         "the prompt has %zu tokens; the model's context is %u, and the answer "
                         "needs at least one of them",
                         ids->count, writer->context);
    }
    return DYNO_OK;
}

static bool ends_text(const struct dyno_writer *writer, uint32_t token)
{
    const struct dyno_weights *weights = writer->weights;

    for (uint32_t i = 0; i < weights->eos_count; i++) {
        if (weights->eos[i] == token) {
            return true;
        }
    }
    return token == dyno_tokenizer_eos(writer->tokenizer);
}

static bool say(const struct dyno_writer_ask *ask, struct dyno_text_piece piece)
{
    return ask->say(ask->listener, piece.bytes, piece.size);
}

/* The token behind held[length]. */
static uint32_t choose(const struct dyno_writer *writer, const struct dyno_sampling *sampling,
                       uint32_t prompt_tokens, uint32_t length)
{
    struct dyno_sample_history history = {
        .tokens = writer->held, .prompt_count = prompt_tokens, .count = length};

    return dyno_sample(sampling, writer->logits, writer->weights->model.vocab, length, &history,
                       writer->scratch);
}

/* Tokens until something ends them; the prompt is computed. */
static dyno_status write_answer(struct dyno_writer *writer, const struct dyno_writer_ask *ask,
                                struct dyno_detokenizer *detokenizer,
                                struct dyno_writer_answer *answer, struct dyno_error *error)
{
    uint32_t length = answer->prompt_tokens;

    for (;;) {
        uint32_t token = choose(writer, &ask->sampling, answer->prompt_tokens, length);

        answer->output_tokens++;
        if (ends_text(writer, token)) {
            answer->end = DYNO_END_MODEL;
            return DYNO_OK;
        }
        if (!say(ask, dyno_detokenizer_push(detokenizer, token))) {
            answer->end = DYNO_END_HEARER;
            return DYNO_OK;
        }
        if (dyno_detokenizer_stop(detokenizer)) {
            answer->end = DYNO_END_STOP;
            return DYNO_OK;
        }
        if (answer->output_tokens == ask->tokens_max) {
            answer->end = DYNO_END_LENGTH;
            return DYNO_OK;
        }
        if (length + 1 == writer->context) { /* with this token */
            answer->end = DYNO_END_CONTEXT;
            return DYNO_OK;
        }
        writer->held[length++] = token;
        DYNO_TRY(compute(writer, ask, length, error));
    }
}

static dyno_status write_all(struct dyno_writer *writer, const struct dyno_writer_ask *ask,
                             struct dyno_detokenizer *detokenizer,
                             struct dyno_writer_answer *answer, struct dyno_error *error)
{
    struct dyno_token_ids ids;
    double began, prompted;

    DYNO_TRY(encode_prompt(writer, ask, &ids, error));
    *answer = (struct dyno_writer_answer){.prompt_tokens = (uint32_t)ids.count};
    began = now_s();
    answer->reused_tokens = take_prompt(writer, &ids);
    DYNO_TRY(compute(writer, ask, answer->prompt_tokens, error));
    prompted = now_s();
    if (writer->computed < answer->prompt_tokens) {
        answer->end = DYNO_END_HEARER; /* of a speed of less than the prompt nothing is told */
        return DYNO_OK;
    }
    DYNO_TRY(write_answer(writer, ask, detokenizer, answer, error));
    answer->prompt_s = prompted - began;
    answer->output_s = now_s() - prompted;
    if (answer->end != DYNO_END_HEARER) {
        (void)say(ask, dyno_detokenizer_finish(detokenizer));
    }
    return DYNO_OK;
}

dyno_status dyno_writer_run(struct dyno_writer *writer, const struct dyno_writer_ask *ask,
                            struct dyno_writer_answer *answer, struct dyno_error *error)
{
    struct dyno_detokenizer_options options = {
        .stops = ask->stops, .stop_count = ask->stop_count, .keep_space = !ask->rendered};
    struct dyno_detokenizer *detokenizer;
    dyno_status status;

    DYNO_TRY(dyno_detokenizer_open(&detokenizer, writer->tokenizer, &options, error));
    status = write_all(writer, ask, detokenizer, answer, error);
    dyno_detokenizer_close(detokenizer);
    return status;
}
