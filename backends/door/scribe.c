/* What makes calls of requests, of one thread. */
#include <stdlib.h>

#include "backends/door/door_parts.h"
#include "core/base/map.h"

enum { TEXT_BYTES_MAX = 1 << 27 };

uint64_t dyno_scribe_draw(struct dyno_scribe *scribe)
{
    return dyno_chain(dyno_mix(scribe->chance), scribe->draws++);
}

dyno_status dyno_scribe_choose(struct dyno_scribe *scribe, const char *model,
                               struct dyno_openai_error *error)
{
    return dyno_door_find_model(scribe->door, model, &scribe->served, error);
}

dyno_status dyno_scribe_init(struct dyno_scribe *scribe, struct dyno_door *door, uint64_t chance,
                             struct dyno_error *error)
{
    *scribe = (struct dyno_scribe){.door = door, .chance = chance};
    dyno_bytes_init(&scribe->out, TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < door->config.model_count; i++) {
        if (door->served[i].tokenizer) {
            DYNO_TRY(dyno_encoder_open(&scribe->encoders[i], door->served[i].tokenizer, error));
        }
    }
    return DYNO_OK;
}

void dyno_scribe_release(struct dyno_scribe *scribe)
{
    for (uint32_t i = 0; i < DYNO_MODELS_MAX; i++) {
        dyno_encoder_close(scribe->encoders[i]);
    }
    dyno_bytes_release(&scribe->out);
    free(scribe->spans);
}
