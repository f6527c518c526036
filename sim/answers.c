#include "sim/answers.h"

#include <stdlib.h>

#include "core/base/id_map.h"

struct table {
    struct dyno_answers base;
    struct dyno_id_map tokens_of;
};

static dyno_status expect(struct dyno_answers *answers, uint64_t id, uint32_t output_tokens)
{
    bool is_new;
    uint32_t *tokens =
        dyno_id_map_put(&((struct table *)answers)->tokens_of, id, output_tokens, &is_new);

    if (!tokens) {
        return DYNO_NO_MEMORY;
    }
    *tokens = output_tokens;
    return DYNO_OK;
}

static void forget(struct dyno_answers *answers, uint64_t id)
{
    dyno_id_map_remove(&((struct table *)answers)->tokens_of, id);
}

static const struct dyno_answers_ops table_ops = {.expect = expect, .forget = forget};

dyno_status dyno_answers_open(struct dyno_answers **out)
{
    struct table *table = calloc(1, sizeof *table);

    if (!table) {
        return DYNO_NO_MEMORY;
    }
    table->base.ops = &table_ops;
    *out = &table->base;
    return DYNO_OK;
}

void dyno_answers_close(struct dyno_answers *answers)
{
    struct table *table = (struct table *)answers;

    if (table) {
        dyno_id_map_release(&table->tokens_of);
        free(table);
    }
}

uint32_t dyno_answers_get(void *answers, uint64_t id)
{
    const uint32_t *tokens = dyno_id_map_find(&((struct table *)answers)->tokens_of, id);

    return tokens ? *tokens : 1;
}
