/* To push: blocks first, then the prompt, then the transfer, at once. */
#include <assert.h>

#include "core/worker/handoff_parts.h"

static dyno_status push_submit(struct dyno_handoff *handoff, dyno_ns now, uint32_t worker,
                               const struct dyno_request *request)
{
    uint32_t place, decode;

    DYNO_TRY(dyno_handoff_begin(handoff, request, worker, &place));
    dyno_handoff_await(handoff, place);
    DYNO_TRY(dyno_half_enter_decode(handoff->decode, now, worker, request, &decode));
    if (decode != DYNO_NO_WORKER) { /* else it was refused, and the passage has ended */
        dyno_handoff_at(handoff, place)->decode_place = decode;
    }
    return DYNO_OK;
}

static dyno_status push_cancel(struct dyno_handoff *handoff, uint32_t place)
{
    const struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    return handoff->prefill->ops->cancel(handoff->prefill, handoff->now, passage->prefill_worker,
                                         passage->request.id);
}

static dyno_status push_reserved(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);
    bool entered;

    passage->phase = DYNO_PASSAGE_PREFILL;
    if (!dyno_handoff_is_anybody(handoff)) { /* any more */
        return dyno_handoff_fall_back(handoff, place);
    }
    return dyno_handoff_send_prompt(
        handoff, place, dyno_half_tokens_max(handoff->decode, passage->decode_place), &entered);
}

static dyno_status push_prompt_done(struct dyno_handoff *handoff, uint32_t place,
                                    const struct dyno_request_record *record, dyno_ns when)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    dyno_handoff_note_prompt(handoff, passage, record, when);
    passage->phase = DYNO_PASSAGE_MOVE;
    dyno_handoff_await_move(handoff, passage);
    return passage->begun ? dyno_handoff_move_layers(handoff, passage, handoff->config.layers - 1,
                                                     handoff->config.layers)
                          : dyno_handoff_move(handoff, passage);
}

static dyno_status push_begun(struct dyno_handoff *handoff)
{
    for (uint32_t i = 0; i < handoff->ready_count; i++) {
        struct dyno_passage *passage = dyno_handoff_at(handoff, handoff->ready[i]);

        passage->begun = true;
        DYNO_TRY(dyno_handoff_move_layers(handoff, passage, 0, handoff->config.layers - 1));
    }
    return DYNO_OK;
}

static dyno_status push_prompt_ended(struct dyno_handoff *handoff, uint32_t place,
                                     const struct dyno_request_record *record)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    if (handoff->abandoned) {
        return DYNO_OK;
    }
    assert(passage->phase == DYNO_PASSAGE_PREFILL);
    passage->prompt_place = DYNO_NO_WORKER;
    if (handoff->config.prefill.device->ops->stores_kv) { /* its blocks may be somebody else's */
        dyno_handoff_drop_parts(handoff, passage);
    }
    if (passage->parts > 0) {
        passage->phase = DYNO_PASSAGE_MOVE;
        passage->is_over = true;
        passage->outcome = record->outcome;
        handoff->config.router.ended(handoff->config.router.context, handoff->now, record->id);
        dyno_handoff_note_ended(handoff, passage, record);
        return DYNO_OK;
    }
    return dyno_handoff_end_with_prompt(handoff, passage, record);
}

const struct dyno_handoff_way dyno_handoff_push = {
    .submit = push_submit,
    .cancel = push_cancel,
    .reserved = push_reserved,
    .prompt_done = push_prompt_done,
    .prompt_ended = push_prompt_ended,
    .begun = push_begun,
};
