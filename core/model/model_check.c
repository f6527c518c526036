/* Shapes that contradict each other are refused before anything is derived from them. */
#include "core/model/model.h"

/* Above any model there is, and low enough that no product of three overflows 64 bits. */
enum { SIDE_MAX = 1 << 20 };

struct bound {
    const char *name;
    uint32_t value, min, max;
};

static dyno_status check_bounds(const struct dyno_model *model, const struct bound *bounds,
                                unsigned count, struct dyno_error *error)
{
    for (unsigned i = 0; i < count; i++) {
        const struct bound *bound = &bounds[i];

        if (bound->value < bound->min || bound->value > bound->max) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "model \"%s\": %s is %u, which is not between %u and %u", model->name,
                             bound->name, bound->value, bound->min, bound->max);
        }
    }
    return DYNO_OK;
}

static dyno_status check_common(const struct dyno_model *model, struct dyno_error *error)
{
    const struct bound bounds[] = {
        {"layers", model->layers, 1, 4096},
        {"hidden", model->hidden, 1, SIDE_MAX},
        {"heads", model->heads, 1, 8192},
        {"kv_heads", model->kv_heads, 1, model->heads ? model->heads : 1},
        {"head_dim", model->head_dim, 1, 8192},
        {"vocab", model->vocab, 1, 1 << 24},
        {"context_max", model->context_max, 1, 1 << 30},
        {"intermediate", model->intermediate, model->dense_layers ? 1 : 0, SIDE_MAX},
        {"dense_layers", model->dense_layers, 0, model->layers},
        {"sliding_layers", model->sliding_layers, 0, model->layers},
        {"sliding_window", model->sliding_window, model->sliding_layers ? 1 : 0, 1 << 30},
    };

    DYNO_TRY(check_bounds(model, bounds, sizeof bounds / sizeof bounds[0], error));
    if (model->heads % model->kv_heads != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "model \"%s\": %u attention heads cannot share %u key/value heads equally",
                         model->name, model->heads, model->kv_heads);
    }
    return DYNO_OK;
}

static dyno_status check_experts(const struct dyno_model *model, struct dyno_error *error)
{
    const struct bound bounds[] = {
        {"experts", model->experts, 1, 65536},
        {"experts_per_token", model->experts_per_token, 1, model->experts},
        {"expert_intermediate", model->expert_intermediate, 1, SIDE_MAX},
        {"shared_intermediate", model->shared_intermediate, 0, SIDE_MAX},
    };

    return check_bounds(model, bounds, sizeof bounds / sizeof bounds[0], error);
}

static dyno_status check_latent(const struct dyno_model *model, struct dyno_error *error)
{
    const struct bound bounds[] = {
        {"mla_q_rank", model->mla_q_rank, 0, 65536},
        {"mla_kv_rank", model->mla_kv_rank, 1, 65536},
        {"mla_rope_dim", model->mla_rope_dim, 0, 8192},
        {"mla_nope_dim", model->mla_nope_dim, 1, 8192},
        {"mla_v_dim", model->mla_v_dim, 1, 8192},
    };

    return check_bounds(model, bounds, sizeof bounds / sizeof bounds[0], error);
}

/* Beyond this, sums of parameters times bytes could leave 64 bits. */
#define PARAMETERS_MAX 1e15

static dyno_status check_size(const struct dyno_model *model, struct dyno_error *error)
{
    double widths = 4.0 * model->heads * model->head_dim + 3.0 * model->intermediate +
                    3.0 * model->experts * model->expert_intermediate +
                    3.0 * model->shared_intermediate;
    double parameters = (double)model->layers * model->hidden * widths;

    if (parameters > PARAMETERS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "model \"%s\": its shapes make %.3g parameters, more than the %.0e that "
                         "can be counted; a layer count or width is wrong",
                         model->name, parameters, PARAMETERS_MAX);
    }
    return DYNO_OK;
}

dyno_status dyno_model_check(const struct dyno_model *model, struct dyno_error *error)
{
    DYNO_TRY(check_common(model, error));
    if (model->dense_layers < model->layers) {
        DYNO_TRY(check_experts(model, error));
    }
    if (model->attention == DYNO_ATTENTION_MLA) {
        DYNO_TRY(check_latent(model, error));
    }
    return check_size(model, error);
}
