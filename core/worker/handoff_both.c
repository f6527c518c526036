/* Both at once: the prompt is computed while the request waits for blocks where it will decode; the
 * blocks move when there are both.  Blocks here may wait for a prompt that waits for blocks there,
 * and the other way round: only the deadline parts them.
 *
 * A device that is real writes down what it yields, and reads what others write, so that a request
 * is never computed in two places at once: whose deadline is over goes on when its prompt has left
 * the other worker, with its token if the pass in flight yielded one. */
#include "core/worker/handoff_parts.h"

static dyno_status both_submit(struct dyno_handoff *handoff, dyno_ns now, uint32_t worker,
                               const struct dyno_request *request)
{
    uint32_t place, decode;
    bool entered;

    DYNO_TRY(dyno_handoff_begin(handoff, request, worker, &place));
    dyno_handoff_await(handoff, place);
    DYNO_TRY(dyno_half_enter_decode(handoff->decode, now, worker, request, &decode));
    if (decode == DYNO_NO_WORKER) { /* it was refused, and the passage has ended */
        return DYNO_OK;
    }
    dyno_handoff_at(handoff, place)->decode_place = decode;
    handoff->prefill->ops->sync(handoff->prefill, now);
    return dyno_handoff_send_prompt(handoff, place, dyno_half_tokens_max(handoff->decode, decode),
                                    &entered);
}

static dyno_status move_noted(struct dyno_handoff *handoff, struct dyno_passage *passage)
{
    dyno_handoff_note_prompt(handoff, passage, &passage->prompt, passage->started_at);
    return dyno_handoff_move(handoff, passage);
}

static dyno_status both_reserved(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    if (passage->is_computed) {
        return move_noted(handoff, passage);
    }
    passage->phase = DYNO_PASSAGE_PREFILL;
    return DYNO_OK;
}

static dyno_status both_prompt_done(struct dyno_handoff *handoff, uint32_t place,
                                    const struct dyno_request_record *record, dyno_ns when)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    (void)when;
    passage->prompt = *record;
    passage->is_computed = true;
    if (passage->phase == DYNO_PASSAGE_PREFILL) {
        return move_noted(handoff, passage);
    }
    return DYNO_OK;
}

static dyno_status both_prompt_ended(struct dyno_handoff *handoff, uint32_t place,
                                     const struct dyno_request_record *record)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    if (handoff->abandoned) {
        return DYNO_OK;
    }
    passage->prompt_place = DYNO_NO_WORKER;
    if (passage->leaves && !passage->cancelled && record->outcome == DYNO_CANCELLED_BY_CLIENT) {
        handoff->config.router.ended(handoff->config.router.context, handoff->now, record->id);
        if (record->output_tokens > 0) {
            dyno_handoff_note_ended(handoff, passage, record);
        }
        return dyno_handoff_fall_back(handoff, place);
    }
    return dyno_handoff_end_with_prompt(handoff, passage, record);
}

static dyno_status both_cancel(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    passage->cancelled = true; /* the deadline may come before the pass in flight has ended */
    if (!passage->is_computed) {
        return handoff->prefill->ops->cancel(handoff->prefill, handoff->now,
                                             passage->prefill_worker, passage->request.id);
    }
    dyno_handoff_note_prompt(handoff, passage, &passage->prompt, passage->started_at);
    DYNO_TRY(dyno_handoff_give_lease(handoff, passage));
    return dyno_half_end(handoff->decode, handoff->now, passage->decode_place,
                         DYNO_CANCELLED_BY_CLIENT);
}

static dyno_status leave(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    passage->leaves = true;
    dyno_heap_remove(&handoff->deadlines, place);
    return handoff->prefill->ops->cancel(handoff->prefill, handoff->now, passage->prefill_worker,
                                         passage->request.id);
}

/* No blocks within the deadline: the prompt is computed where it waits, with its first token if
 * that is out; what the other worker still does of it is for nothing. */
static dyno_status both_give_up(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage passage = *dyno_handoff_at(handoff, place);

    if (!passage.is_computed && handoff->config.prefill.device->ops->is_real) {
        return leave(handoff, place);
    }
    handoff->given_up++;
    if (passage.cancelled) { /* which ends the passage */
        return dyno_half_end(handoff->decode, handoff->now, passage.decode_place,
                             DYNO_CANCELLED_BY_CLIENT);
    }
    if (passage.is_computed) {
        dyno_handoff_note_prompt(handoff, &passage, &passage.prompt, passage.started_at);
        DYNO_TRY(dyno_handoff_give_lease(handoff, dyno_handoff_at(handoff, place)));
    }
    dyno_handoff_end(handoff, place);
    dyno_half_take_over(handoff->decode, handoff->now, passage.decode_place);
    return passage.is_computed
               ? DYNO_OK
               : handoff->prefill->ops->cancel(handoff->prefill, handoff->now,
                                               passage.prefill_worker, passage.request.id);
}

const struct dyno_handoff_way dyno_handoff_both = {
    .cancels_waiting = true,
    .submit = both_submit,
    .cancel = both_cancel,
    .reserved = both_reserved,
    .prompt_done = both_prompt_done,
    .prompt_ended = both_prompt_ended,
    .give_up = both_give_up,
};
