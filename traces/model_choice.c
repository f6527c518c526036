#include "traces/model_choice.h"

#include <stdio.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/rng.h"

uint32_t dyno_model_choice_find(const struct dyno_model_choice *choice, const char *name,
                                size_t length)
{
    uint32_t i = 0;

    while (i < choice->count && (strlen(choice->of[i].name) != length ||
                                 memcmp(choice->of[i].name, name, length) != 0)) {
        i++;
    }
    return i;
}

static uint32_t for_tenant(const struct dyno_model_choice *choice, uint32_t tenant)
{
    for (uint32_t i = 0; tenant > 0 && i < choice->count; i++) {
        for (uint32_t j = 0; j < choice->of[i].tenant_count; j++) {
            if (choice->of[i].tenants[j] == tenant) {
                return i;
            }
        }
    }
    return choice->count;
}

static double share_at(const struct dyno_model_shares *shares, dyno_ns at)
{
    uint32_t i = shares->count;

    while (i > 1 && shares->of[i - 1].from_ns > at) {
        i--;
    }
    return i > 0 ? shares->of[i - 1].share : 0.0;
}

/* The last one with a share gets what rounding leaves. */
static uint32_t draw(const struct dyno_model_choice *choice, dyno_ns at, uint64_t key)
{
    double shares[DYNO_MODELS_MAX] = {0}, sum = 0.0, point;
    uint32_t last = choice->count;
    struct dyno_rng rng;

    for (uint32_t i = 0; i < choice->count; i++) {
        shares[i] = share_at(&choice->of[i].shares, at);
        sum += shares[i];
    }
    dyno_rng_init(&rng, dyno_chain(choice->seed, key), "model");
    point = dyno_rng_unit(&rng) * sum;
    for (uint32_t i = 0; i < choice->count; i++) {
        if (shares[i] > 0.0) {
            last = i;
            if (point < shares[i]) {
                break;
            }
            point -= shares[i];
        }
    }
    return last;
}

uint32_t dyno_model_choice_pick(const struct dyno_model_choice *choice, dyno_ns at, uint64_t id,
                                uint64_t session, uint32_t tenant)
{
    uint32_t model = for_tenant(choice, tenant);

    return model < choice->count ? model : draw(choice, at, session > 0 ? ~session : id);
}

void dyno_model_choice_list(const struct dyno_model_choice *choice, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < choice->count && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
                                 choice->of[i].name);
    }
}
