#include "backends/ucx/labour.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/isa.h"

struct dyno_ucx_labour {
    struct dyno_ranks *ranks;
    struct dyno_ucx_limits limits;
    uint32_t hidden, layers;
    void (*layer_done)(void *context, uint32_t layers); /* NULL: nobody wants to know */
    void *layer_context;
    bool yields;                       /* this step does */
    struct dyno_ucx_piece *pieces;     /* [rows_max] */
    struct dyno_forward_slice *slices; /* [rows_max] */
    float *logits;                     /* [logits_capacity][vocab] */
    float *states;                     /* [states_capacity][hidden] */
    uint32_t logits_capacity, states_capacity;
    struct dyno_ucx_bytes answer;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static bool grow(float **array, uint32_t *capacity, uint32_t count, size_t width)
{
    float *grown;

    if (count <= *capacity) {
        return true;
    }
    grown = realloc(*array, count * width * sizeof **array);
    if (!grown) {
        return false;
    }
    *array = grown;
    *capacity = count;
    return true;
}

static void tell_layer(void *context, uint32_t layers)
{
    const struct dyno_ucx_labour *labour = context;

    if (labour->yields && layers < labour->layers) {
        labour->layer_done(labour->layer_context, layers);
    }
}

static bool make_room(struct dyno_ucx_labour *labour, uint32_t piece_count)
{
    uint32_t logits = 0, states = 0;

    for (uint32_t i = 0; i < piece_count; i++) {
        enum dyno_ucx_wanted wanted = labour->pieces[i].wanted;

        logits += wanted == DYNO_UCX_TOKEN || wanted == DYNO_UCX_LOGITS;
        states += wanted == DYNO_UCX_STATE;
    }
    return grow(&labour->logits, &labour->logits_capacity, logits, labour->limits.vocab) &&
           grow(&labour->states, &labour->states_capacity, states, labour->hidden);
}

static void lay_out(struct dyno_ucx_labour *labour, uint32_t piece_count)
{
    float *state = labour->states;

    labour->yields = false;
    for (uint32_t i = 0; i < piece_count; i++) {
        const struct dyno_ucx_piece *piece = &labour->pieces[i];

        labour->slices[i] =
            (struct dyno_forward_slice){.tokens = piece->tokens,
                                        .first = piece->first,
                                        .count = piece->count,
                                        .cached = piece->cached,
                                        .table = piece->table,
                                        .yields = piece->wanted != DYNO_UCX_NOTHING};
        labour->yields = labour->yields || labour->slices[i].yields;
        if (piece->wanted == DYNO_UCX_STATE) {
            labour->slices[i].state = state;
            state += labour->hidden;
        }
    }
}

static void write_answer(struct dyno_ucx_labour *labour, uint32_t piece_count)
{
    const float *logits = labour->logits, *state = labour->states;
    uint32_t vocab = labour->limits.vocab;

    for (uint32_t i = 0; i < piece_count; i++) {
        switch (labour->pieces[i].wanted) {
        case DYNO_UCX_NOTHING:
            break;
        case DYNO_UCX_TOKEN:
            dyno_ucx_put_u32(&labour->answer, dyno_isa_best()->largest(logits, vocab));
            logits += vocab;
            break;
        case DYNO_UCX_LOGITS:
            dyno_ucx_put(&labour->answer, logits, vocab * sizeof *logits);
            logits += vocab;
            break;
        case DYNO_UCX_STATE:
            dyno_ucx_put(&labour->answer, state, labour->hidden * sizeof *state);
            state += labour->hidden;
            break;
        }
    }
}

static void refuse(struct dyno_ucx_labour *labour, struct dyno_ucx_head *head, const char *why)
{
    head->refused = 1;
    labour->answer.failed = false;
    labour->answer.size = 0;
    dyno_ucx_put(&labour->answer, why, strlen(why));
}

const struct dyno_ucx_bytes *dyno_ucx_labour_do(struct dyno_ucx_labour *labour,
                                                struct dyno_ucx_head *head, const void *question,
                                                size_t size)
{
    uint64_t began = now_ns();
    struct dyno_error error;
    uint32_t count;

    head->refused = 0;
    labour->answer.size = 0;
    if (dyno_ucx_read_step(labour->pieces, &count, question, size, &labour->limits, &error) !=
        DYNO_OK) {
        refuse(labour, head, error.text);
    } else if (!make_room(labour, count)) {
        refuse(labour, head, "the worker has no memory for a step");
    } else {
        lay_out(labour, count);
        dyno_ranks_run(labour->ranks, labour->slices, count, labour->logits);
        write_answer(labour, count);
    }
    if (labour->answer.failed) {
        refuse(labour, head, "the worker has no memory for an answer");
    }
    head->took_ns = now_ns() - began;
    return &labour->answer;
}

const struct dyno_ucx_limits *dyno_ucx_labour_limits(const struct dyno_ucx_labour *labour)
{
    return &labour->limits;
}

static dyno_status open_ranks(struct dyno_ucx_labour *labour,
                              const struct dyno_ranks_config *config, struct dyno_error *error)
{
    struct dyno_ranks_config ranks = *config;

    labour->layer_done = config->layer_done;
    labour->layer_context = config->layer_context;
    ranks.layer_done = config->layer_done ? tell_layer : NULL;
    ranks.layer_context = labour;
    return dyno_ranks_open(&labour->ranks, &ranks, error);
}

dyno_status dyno_ucx_labour_open(struct dyno_ucx_labour **out,
                                 const struct dyno_ranks_config *config, struct dyno_error *error)
{
    struct dyno_ucx_labour *labour = calloc(1, sizeof *labour);
    dyno_status status = DYNO_OK;

    if (!labour) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a worker");
    }
    labour->pieces = calloc(config->rows_max, sizeof *labour->pieces);
    labour->slices = calloc(config->rows_max, sizeof *labour->slices);
    if (!labour->pieces || !labour->slices) {
        status =
            dyno_fail(error, DYNO_NO_MEMORY, "no memory for passes of %u rows", config->rows_max);
    }
    if (status == DYNO_OK) {
        status = open_ranks(labour, config, error);
    }
    if (status != DYNO_OK) {
        dyno_ucx_labour_close(labour);
        return status;
    }
    labour->hidden = config->weights->model.hidden;
    labour->layers = config->weights->model.layers;
    labour->limits = (struct dyno_ucx_limits){.rows_max = config->rows_max,
                                              .positions = dyno_ranks_positions(labour->ranks),
                                              .vocab = config->weights->model.vocab,
                                              .blocks = config->blocks,
                                              .block_tokens = config->block_tokens};
    *out = labour;
    return DYNO_OK;
}

void dyno_ucx_labour_close(struct dyno_ucx_labour *labour)
{
    if (!labour) {
        return;
    }
    dyno_ranks_close(labour->ranks);
    free(labour->pieces);
    free(labour->slices);
    free(labour->logits);
    free(labour->states);
    free(labour->answer.at);
    free(labour);
}
