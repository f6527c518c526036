#include "backends/engine/shard.h"

/* One that a sentence says would do: the next divisor of `number` below `ranks`, and above. */
static uint32_t divisor_below(uint32_t number, uint32_t ranks)
{
    uint32_t divisor = ranks < number ? ranks : number;

    while (number % divisor != 0) {
        divisor--;
    }
    return divisor;
}

static uint32_t divisor_above(uint32_t number, uint32_t ranks)
{
    uint32_t divisor = ranks < number ? ranks : number;

    while (number % divisor != 0) {
        divisor++;
    }
    return divisor;
}

static dyno_status refuse(const char *what, uint32_t number, uint32_t ranks,
                          struct dyno_error *error)
{
    uint32_t below = divisor_below(number, ranks), above = divisor_above(number, ranks);

    if (above <= ranks) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%u %s cannot be shared by %u ranks; by %u they can", number, what, ranks,
                         below);
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%u %s cannot be shared by %u ranks; by %u or %u they can", number, what,
                     ranks, below, above);
}

static dyno_status share_evenly(struct dyno_shard_part *out, uint32_t number, const char *what,
                                const struct dyno_shard *shard, struct dyno_error *error)
{
    if (number % shard->ranks != 0) {
        return refuse(what, number, shard->ranks, error);
    }
    out->count = number / shard->ranks;
    out->first = out->count * shard->rank;
    return DYNO_OK;
}

/* Those that the rank's heads look at. */
static dyno_status share_kv_heads(struct dyno_shard *shard, const struct dyno_model *model,
                                  struct dyno_error *error)
{
    uint32_t ranks = shard->ranks, each;

    if (model->kv_heads == 0 || model->heads % model->kv_heads != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%u heads do not go with %u kv heads", model->heads,
                         model->kv_heads);
    }
    if (model->kv_heads % ranks != 0 && ranks % model->kv_heads != 0) {
        return refuse("kv heads", model->kv_heads, ranks, error);
    }
    each = model->heads / model->kv_heads;
    shard->kv_heads.first = shard->heads.first / each;
    shard->kv_heads.count = model->kv_heads > ranks ? model->kv_heads / ranks : 1;
    return DYNO_OK;
}

static void share_vocab(struct dyno_shard *shard, uint32_t vocab)
{
    uint32_t each = (vocab - 1) / shard->ranks + 1;
    uint64_t first = (uint64_t)each * shard->rank;

    shard->vocab_each = each;
    shard->vocab.first = first < vocab ? (uint32_t)first : vocab;
    shard->vocab.count = vocab - shard->vocab.first < each ? vocab - shard->vocab.first : each;
}

dyno_status dyno_shard_make(struct dyno_shard *out, const struct dyno_model *model, uint32_t rank,
                            uint32_t ranks, struct dyno_error *error)
{
    struct dyno_shard shard = {.rank = rank, .ranks = ranks};

    if (rank >= ranks || model->vocab == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "rank %u of %u, and a vocabulary of %u", rank,
                         ranks, model->vocab);
    }
    if (model->attention != DYNO_ATTENTION_GQA || model->shared_intermediate > 0) {
        return dyno_fail(error, DYNO_UNSUPPORTED, "%s are not shared out among ranks",
                         model->shared_intermediate > 0 ? "shared experts" : "latent keys");
    }
    DYNO_TRY(share_evenly(&shard.heads, model->heads, "attention heads", &shard, error));
    DYNO_TRY(share_kv_heads(&shard, model, error));
    DYNO_TRY(
        share_evenly(&shard.intermediate, model->intermediate, "columns of an MLP", &shard, error));
    DYNO_TRY(share_evenly(&shard.expert_intermediate, model->expert_intermediate,
                          "columns of an expert", &shard, error));
    share_vocab(&shard, model->vocab);
    *out = shard;
    return DYNO_OK;
}
