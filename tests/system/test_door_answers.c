/* Answers over the desk from the device that computes, whatever else the fleet does meanwhile: a
 * vector is the one that a forward pass of its prompt alone gives, and so is how likely the tokens
 * of a prompt and of an answer were; a text is the same with any number of threads. */
#include <math.h>

#include "backends/cpu/device.h"
#include "backends/cpu/forward.h"
#include "core/base/map.h"
#include "tests/backends/tiny_models.h"
#include "tests/system/desk_rig.h"

enum {
    WORKERS = 2,
    BLOCK_TOKENS = 4,
    BLOCKS = 64,
    CONTEXT = 48,
    PROMPT_MAX = 40,
    ASKED = 60,
    TOKENS_MAX = 8,
    HIDDEN_MAX = 64,
    TOPS = 7, /* some of the models have fewer tokens */
};

/* How likely a token was, and which others were. */
struct likely {
    struct dyno_logprob chosen, tops[TOPS];
    uint32_t top_count;
};

/* What was posted, and what came of it. */
struct asked {
    struct dyno_answer *answer; /* NULL: ended */
    uint32_t prompt[PROMPT_MAX], length, dimensions;
    struct dyno_span spans[PROMPT_MAX / BLOCK_TOKENS];
    float vector[HIDDEN_MAX];
    bool has_vector;
    uint32_t tokens[TOKENS_MAX], token_count;
    bool logprobs, scores, mute;
    struct likely likely[PROMPT_MAX + TOKENS_MAX]; /* of the prompt's tokens, then of the others */
    bool was_scored;
    enum dyno_answer_end end;
    struct dyno_request_record record;
};

struct rig {
    struct desk_rig base; /* its first member */
    const struct dyno_weights *weights;
    uint32_t threads; /* of a worker */
    struct asked asked[ASKED];
};

static struct dyno_device *open_device(struct desk_rig *base)
{
    struct rig *rig = (struct rig *)base;
    struct dyno_cpu_config config = {.weights = rig->weights,
                                     .threads = rig->threads,
                                     .blocks = base->worker.blocks,
                                     .block_tokens = base->worker.block_tokens,
                                     .batch_tokens_max = base->worker.batch_tokens_max,
                                     .threaded = {.worker_count = base->worker_count,
                                                  .seqs_max = base->worker.seqs_max,
                                                  .steps_max = base->worker.steps_max,
                                                  .transcripts = base->transcripts,
                                                  .now = dyno_wall_clock_now,
                                                  .wake = dyno_wall_clock_wake,
                                                  .clock = base->clock}};
    struct dyno_device *device;
    struct dyno_error error;

    ck_assert_msg(dyno_cpu_device_open(&device, &config, &error) == DYNO_OK, "%s", error.text);
    return device;
}

static void open_rig_of(struct rig *rig, const struct dyno_weights *weights, uint32_t threads,
                        uint32_t blocks)
{
    struct dyno_worker_config worker = dyno_engine_find("vllm")->config;

    worker.block_tokens = BLOCK_TOKENS;
    worker.blocks = blocks;
    worker.batch_tokens_max = 24; /* prompts come in slices */
    worker.seqs_max = 8;
    worker.steps_max = 3;
    worker.context_max = CONTEXT;
    worker.async_scheduling = false;
    worker.ingest_ns = worker.response_ns = 0;
    worker.ingest_token_ticks = 0;
    *rig = (struct rig){.base = {.worker = worker,
                                 .worker_count = WORKERS,
                                 .answers_max = ASKED,
                                 .computes = true,
                                 .open_device = open_device},
                        .weights = weights,
                        .threads = threads};
    desk_rig_open(&rig->base);
}

static void open_rig(struct rig *rig, const struct dyno_weights *weights, uint32_t threads)
{
    open_rig_of(rig, weights, threads, BLOCKS);
}

/* A prompt that begins as one before it did, or as none. */
static void draw_prompt(struct rig *rig, struct dyno_rng *rng, uint32_t index)
{
    struct asked *asked = &rig->asked[index];
    const struct asked *like = &rig->asked[dyno_rng_below(rng, index + 1)];
    uint32_t shared = (uint32_t)dyno_rng_below(rng, like->length + 1);
    uint64_t identity = 1;

    asked->length = shared + (uint32_t)dyno_rng_below(rng, PROMPT_MAX - shared + 1);
    asked->length = asked->length > 0 ? asked->length : 1;
    for (uint32_t i = 0; i < asked->length; i++) {
        asked->prompt[i] =
            i < shared ? like->prompt[i] : (uint32_t)dyno_rng_below(rng, rig->weights->model.vocab);
        identity = dyno_chain(identity, asked->prompt[i]);
        if (i % BLOCK_TOKENS == BLOCK_TOKENS - 1) {
            asked->spans[i / BLOCK_TOKENS] = (struct dyno_span){.id = identity, .blocks = 1};
        }
    }
}

static void post(struct rig *rig, struct asked *asked)
{
    bool is_short = asked->dimensions > 0 || asked->mute;
    struct dyno_error error;
    struct dyno_answer_config config = {.prompt = asked->prompt,
                                        .prompt_tokens = asked->length,
                                        .tokens_max = is_short ? 1 : TOKENS_MAX,
                                        .dimensions = asked->dimensions,
                                        .logprobs = asked->logprobs,
                                        .top_logprobs = asked->logprobs ? TOPS : 0,
                                        .scores = asked->scores,
                                        .mute = asked->mute,
                                        .spans = asked->spans,
                                        .span_count = asked->length / BLOCK_TOKENS,
                                        .sampling = {.seed = asked->length, .temperature = 1.0},
                                        .tokenizer = rig->base.tokenizer,
                                        .owner = asked};

    ck_assert_int_eq(dyno_answer_open(&asked->answer, &config, &error), DYNO_OK);
    ck_assert_int_eq(dyno_desk_post(rig->base.desk, asked->answer), DYNO_OK);
}

static void keep_likely(struct likely *out, const struct dyno_answer_token *token,
                        const struct dyno_logprob *tops)
{
    ck_assert_uint_le(token->top_count, TOPS);
    ck_assert_uint_eq(token->id, token->logprob.token);
    out->chosen = token->logprob;
    out->top_count = token->top_count;
    memcpy(out->tops, tops + token->top_first, token->top_count * sizeof *tops);
}

/* The prompt's come with the first token, or with the end if there is none. */
static void hear_likely(struct asked *asked, const struct dyno_answer_news *news)
{
    const struct dyno_answer_prompt *prompt = news->prompt;

    ck_assert((prompt != NULL) == asked->scores);
    for (uint32_t i = 0; prompt && !asked->was_scored && i < prompt->count; i++) {
        ck_assert_uint_eq(prompt->tokens[i].id, asked->prompt[i]);
        keep_likely(&asked->likely[i], &prompt->tokens[i], prompt->tops);
    }
    asked->was_scored = prompt != NULL;
    for (uint32_t i = 0; asked->logprobs && i < news->token_count; i++) {
        keep_likely(&asked->likely[asked->length + asked->token_count + i], &news->tokens[i],
                    news->tops);
    }
}

static void hear(struct asked *asked, const struct dyno_answer_news *news)
{
    hear_likely(asked, news);
    for (uint32_t i = 0; i < news->token_count; i++) {
        ck_assert_uint_lt(asked->token_count, TOKENS_MAX);
        asked->tokens[asked->token_count++] = news->tokens[i].id;
    }
    if (news->end == DYNO_ANSWER_GOES_ON) {
        ck_assert_ptr_null(news->vector);
        return;
    }
    asked->end = news->end;
    asked->record = *news->record;
    asked->has_vector = news->vector != NULL;
    if (news->vector) {
        ck_assert_uint_eq(asked->token_count, 0);
        memcpy(asked->vector, news->vector, asked->dimensions * sizeof *news->vector);
    }
    dyno_answer_release(asked->answer);
    asked->answer = NULL;
}

static void hear_all(struct rig *rig, uint32_t count)
{
    struct dyno_answer_news news;
    struct dyno_answer *answer;

    for (uint32_t i = 0; i < count; i++) {
        while (rig->asked[i].answer) {
            while ((answer = dyno_desk_news(rig->base.desk, &news)) != NULL) {
                hear(dyno_answer_owner(answer), &news);
            }
            desk_rig_nap();
        }
    }
}

static void run(struct rig *rig, uint32_t count)
{
    desk_rig_start(&rig->base);
    hear_all(rig, count);
    dyno_desk_finish(rig->base.desk);
    desk_rig_join(&rig->base);
}

/* A place to compute one sequence in. */
struct place {
    struct dyno_team *team;
    struct dyno_kv_storage *storage;
    struct dyno_forward *forward;
};

static struct place place_open(const struct dyno_weights *weights)
{
    struct place place = {.team = dyno_team_open(1)};
    struct dyno_forward_config config = {
        .weights = weights, .team = place.team, .rows_max = CONTEXT};
    struct dyno_error error;

    ck_assert_int_eq(
        dyno_kv_storage_open(&place.storage, &weights->model, 1, CONTEXT, DYNO_ELEMENT_F32, &error),
        DYNO_OK);
    config.storage = place.storage;
    ck_assert_int_eq(dyno_forward_open(&place.forward, &config, &error), DYNO_OK);
    return place;
}

static void place_close(struct place *place)
{
    dyno_forward_close(place->forward);
    dyno_kv_storage_close(place->storage);
    dyno_team_close(place->team);
}

/* What becomes of tokens[count] in one slice: logits, or its state. */
static void compute(const struct place *place, const uint32_t *tokens, uint32_t count,
                    float *logits, float *state)
{
    static const uint32_t table[] = {0};

    dyno_forward_run(
        place->forward,
        &(struct dyno_forward_slice){
            .tokens = tokens, .count = count, .table = table, .yields = true, .state = state},
        1, logits);
}

/* The vector by a forward pass of the prompt, and a definition in a line. */
static void expected(const struct dyno_weights *weights, const struct asked *asked, float *out)
{
    struct place place = place_open(weights);
    float state[HIDDEN_MAX];
    double sum = 0.0;

    compute(&place, asked->prompt, asked->length, NULL, state);
    for (uint32_t i = 0; i < asked->dimensions; i++) {
        sum += (double)state[i] * (double)state[i];
    }
    for (uint32_t i = 0; i < asked->dimensions; i++) {
        out[i] = (float)((double)state[i] / sqrt(sum));
    }
    place_close(&place);
}

START_TEST(company_reuse_and_slices_do_not_show_in_a_vector)
{
    static struct rig rig;
    struct dyno_rng rng;
    uint64_t reused = 0;

    dyno_rng_init(&rng, (uint64_t)_i, "vectors");
    open_rig(&rig, tiny_model(&rng, (enum family)(_i % FAMILIES), DYNO_ELEMENT_F32), 2);
    ck_assert_uint_le(rig.weights->model.hidden, HIDDEN_MAX);
    for (uint32_t i = 0; i < ASKED; i++) {
        draw_prompt(&rig, &rng, i);
        if (i % 3 > 0) { /* the others say something */
            rig.asked[i].dimensions = 1 + (uint32_t)dyno_rng_below(&rng, rig.weights->model.hidden);
        }
        post(&rig, &rig.asked[i]);
    }
    run(&rig, ASKED);
    for (uint32_t i = 0; i < ASKED; i++) {
        const struct asked *asked = &rig.asked[i];
        float due[HIDDEN_MAX];

        ck_assert_int_eq(asked->record.outcome, DYNO_COMPLETED);
        ck_assert(asked->has_vector == (asked->dimensions > 0));
        reused += asked->has_vector ? asked->record.cached_tokens : 0;
        if (asked->has_vector) {
            ck_assert_int_eq(asked->end, DYNO_ANSWER_STOPPED);
            expected(rig.weights, asked, due);
            ck_assert_msg(memcmp(due, asked->vector, asked->dimensions * sizeof *due) == 0,
                          "seed %d: request %u has another vector", _i, i);
        }
    }
    ck_assert_uint_gt(reused, 0);
    desk_rig_close(&rig.base);
}
END_TEST

/* Every token of prompt and answer, behind a forward pass of those before it: bit for bit. */
static void check_likely(const struct rig *rig, const struct asked *asked, int seed)
{
    uint32_t all[PROMPT_MAX + TOKENS_MAX], count = asked->length + asked->token_count;
    uint32_t vocab = rig->weights->model.vocab, first = asked->scores ? 1 : asked->length;
    struct place place = place_open(rig->weights);
    float *logits = array_of(vocab, sizeof *logits);

    memcpy(all, asked->prompt, asked->length * sizeof *all);
    memcpy(all + asked->length, asked->tokens, asked->token_count * sizeof *all);
    for (uint32_t i = first; i < count; i++) {
        const struct likely *likely = &asked->likely[i];
        struct likely due;

        compute(&place, all, i, logits, NULL);
        due.top_count = dyno_logprobs(logits, vocab, all[i], &due.chosen, due.tops, TOPS);
        ck_assert_msg(due.chosen.token == likely->chosen.token &&
                          memcmp(&due.chosen.logprob, &likely->chosen.logprob, sizeof(double)) == 0,
                      "seed %d: token %u of %u is %a likely, not %a", seed, i, count,
                      likely->chosen.logprob, due.chosen.logprob);
        ck_assert_uint_eq(due.top_count, likely->top_count);
        for (uint32_t j = 0; j < due.top_count; j++) {
            ck_assert_uint_eq(due.tops[j].token, likely->tops[j].token);
            ck_assert(memcmp(&due.tops[j].logprob, &likely->tops[j].logprob, sizeof(double)) == 0);
        }
    }
    place_close(&place);
}

static void check_scored(const struct rig *rig, const struct asked *asked, int seed)
{
    ck_assert_int_eq(asked->record.outcome, DYNO_COMPLETED);
    ck_assert_int_eq(asked->end, DYNO_ANSWER_FULL);
    ck_assert_uint_eq(asked->token_count, asked->mute ? 0 : TOKENS_MAX);
    ck_assert(asked->was_scored == asked->scores);
    if (asked->scores) {
        ck_assert_uint_eq(asked->record.cached_tokens, 0);
        ck_assert(isnan(asked->likely[0].chosen.logprob));
    }
    check_likely(rig, asked, seed);
}

/* Prompts that others have computed and will, in memory for a few of them at a time: some are
 * scored, some of these are answered, and some of the others say how likely they were. */
START_TEST(company_reuse_and_preemption_do_not_show_in_scores)
{
    enum { FEW_BLOCKS = 26 };
    static struct rig rig;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "scores");
    open_rig_of(&rig, tiny_model(&rng, (enum family)(_i % FAMILIES), DYNO_ELEMENT_F32), 2,
                FEW_BLOCKS);
    for (uint32_t i = 0; i < ASKED; i++) {
        draw_prompt(&rig, &rng, i);
        rig.asked[i].scores = i % 3 > 0;
        rig.asked[i].mute = i % 3 == 1;
        rig.asked[i].logprobs = rig.asked[i].scores || i % 2 == 0;
        post(&rig, &rig.asked[i]);
    }
    run(&rig, ASKED);
    for (uint32_t i = 0; i < ASKED; i++) {
        if (rig.asked[i].logprobs) {
            check_scored(&rig, &rig.asked[i], _i);
        }
    }
    desk_rig_close(&rig.base);
}
END_TEST

/* Each answer draws by its own seed, and one thread or several choose for those of a pass. */
START_TEST(threads_do_not_show_in_what_is_chosen)
{
    static struct rig rigs[2];
    struct dyno_weights *weights;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "threads");
    weights = tiny_model(&rng, (enum family)(_i % FAMILIES), DYNO_ELEMENT_F32);
    open_rig(&rigs[0], weights, 1);
    open_rig(&rigs[1], weights, 3);
    for (uint32_t i = 0; i < ASKED; i++) {
        draw_prompt(&rigs[0], &rng, i);
        rigs[1].asked[i] = rigs[0].asked[i];
        post(&rigs[0], &rigs[0].asked[i]);
        post(&rigs[1], &rigs[1].asked[i]);
    }
    run(&rigs[0], ASKED);
    run(&rigs[1], ASKED);
    for (uint32_t i = 0; i < ASKED; i++) {
        const struct asked *one = &rigs[0].asked[i], *other = &rigs[1].asked[i];

        ck_assert_uint_eq(one->token_count, TOKENS_MAX);
        ck_assert_msg(memcmp(one->tokens, other->tokens, sizeof one->tokens) == 0,
                      "seed %d: request %u is answered otherwise", _i, i);
    }
    desk_rig_close(&rigs[0].base);
    desk_rig_close(&rigs[1].base);
}
END_TEST

/* A model whose last norm is zero says nothing of any text. */
START_TEST(a_state_without_direction_is_a_failure)
{
    static struct rig rig;
    struct dyno_weights *weights;
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "nothing");
    weights = tiny_model(&rng, LLAMA3, DYNO_ELEMENT_F32);
    weights->final_norm = array_of(weights->model.hidden, sizeof(float));
    open_rig(&rig, weights, 1);
    draw_prompt(&rig, &rng, 0);
    rig.asked[0].dimensions = weights->model.hidden;
    post(&rig, &rig.asked[0]);
    run(&rig, 1);
    ck_assert_int_eq(rig.asked[0].record.outcome, DYNO_COMPLETED);
    ck_assert_int_eq(rig.asked[0].end, DYNO_ANSWER_FAILED);
    ck_assert(!rig.asked[0].has_vector);
    desk_rig_close(&rig.base);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("answers");

    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, NULL, arrays_free);
    tcase_add_loop_test(cases, company_reuse_and_slices_do_not_show_in_a_vector, 0, FAMILIES);
    tcase_add_loop_test(cases, company_reuse_and_preemption_do_not_show_in_scores, 0, 2 * FAMILIES);
    tcase_add_loop_test(cases, threads_do_not_show_in_what_is_chosen, 0, FAMILIES);
    tcase_add_test(cases, a_state_without_direction_is_a_failure);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/door_answers", add_cases)
