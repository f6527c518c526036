/* What makes calls of requests, of one thread. */
#include <stdlib.h>

#include "backends/door/door_parts.h"
#include "core/base/map.h"

enum { TEXT_BYTES_MAX = 1 << 27 };

uint64_t dyno_scribe_draw(struct dyno_scribe *scribe)
{
    return dyno_chain(dyno_mix(scribe->chance), scribe->draws++);
}

dyno_status dyno_scribe_init(struct dyno_scribe *scribe, struct dyno_door *door, uint64_t chance,
                             struct dyno_error *error)
{
    *scribe = (struct dyno_scribe){.door = door, .chance = chance};
    dyno_bytes_init(&scribe->out, TEXT_BYTES_MAX);
    return door->tokenizer ? dyno_encoder_open(&scribe->encoder, door->tokenizer, error) : DYNO_OK;
}

void dyno_scribe_release(struct dyno_scribe *scribe)
{
    dyno_encoder_close(scribe->encoder);
    dyno_bytes_release(&scribe->out);
    free(scribe->spans);
}
