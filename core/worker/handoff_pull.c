/* To pull: the prompt first, then, by way of a proxy, a place to decode, which fetches the blocks
 * and yields the first token. */
#include <assert.h>

#include "core/worker/handoff_parts.h"

static dyno_status pull_submit(struct dyno_handoff *handoff, dyno_ns now, uint32_t worker,
                               const struct dyno_request *request)
{
    uint32_t place;
    bool entered;

    if (!dyno_half_could_hold(handoff->decode, request)) { /* which says so */
        return handoff->decode->ops->submit(handoff->decode, now, worker, request);
    }
    DYNO_TRY(dyno_handoff_begin(handoff, request, worker, &place));
    dyno_handoff_at(handoff, place)->phase = DYNO_PASSAGE_PREFILL;
    handoff->prefill->ops->sync(handoff->prefill, now);
    return dyno_handoff_send_prompt(handoff, place, request->max_tokens, &entered);
}

/* There is no half that decodes yet, which would tell. */
static dyno_status tell_end(struct dyno_handoff *handoff, uint32_t place,
                            const struct dyno_request_record *record)
{
    const struct dyno_passage *passage = dyno_handoff_at(handoff, place);
    struct dyno_request_record told = *record;

    told.worker = passage->decode_worker;
    told.prefill_worker = dyno_handoff_decoders(handoff) + passage->prefill_worker;
    dyno_handoff_end(handoff, place);
    return handoff->config.listener.ended(handoff->config.listener.context, &told);
}

static dyno_status pull_cancel(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);
    struct dyno_request_record record = passage->prompt;

    if (passage->phase == DYNO_PASSAGE_PREFILL) {
        return handoff->prefill->ops->cancel(handoff->prefill, handoff->now,
                                             passage->prefill_worker, passage->request.id);
    }
    DYNO_TRY(dyno_handoff_give_lease(handoff, passage));
    record.outcome = DYNO_CANCELLED_BY_CLIENT;
    return tell_end(handoff, place, &record);
}

static dyno_status pull_reserved(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    dyno_handoff_note_prompt(handoff, passage, &passage->prompt, passage->started_at);
    return dyno_handoff_move(handoff, passage);
}

/* The token that its prompt yielded goes no further: the worker that decodes will yield it again.
 */
static dyno_status pull_prompt_done(struct dyno_handoff *handoff, uint32_t place,
                                    const struct dyno_request_record *record, dyno_ns when)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    passage->phase = DYNO_PASSAGE_HOP;
    passage->prompt = *record;
    passage->prompt.output_tokens = 0;
    passage->prompt.first_token_ns = DYNO_NEVER;
    handoff->stirred = true;
    dyno_heap_set(&handoff->deadlines, place,
                  when + handoff->config.prefill.worker.response_ns + handoff->config.hop_ns);
    return DYNO_OK;
}

static dyno_status pull_prompt_ended(struct dyno_handoff *handoff, uint32_t place,
                                     const struct dyno_request_record *record)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);
    struct dyno_request_record prompt = *record;

    handoff->config.router.ended(handoff->config.router.context, handoff->now, record->id);
    if (passage->phase == DYNO_PASSAGE_HOP) { /* the run is given up, and nobody had its token */
        prompt = passage->prompt;
        prompt.outcome = record->outcome;
    } else if (record->output_tokens > 0) {
        dyno_handoff_tell_first_token(handoff, record->id);
    }
    return tell_end(handoff, place, &prompt);
}

static dyno_status pull_hopped(struct dyno_handoff *handoff)
{
    for (uint32_t i = 0; i < handoff->ready_count; i++) {
        uint32_t place = handoff->ready[i], decode;
        struct dyno_passage *passage = dyno_handoff_at(handoff, place);

        passage->phase = DYNO_PASSAGE_WAIT;
        dyno_handoff_await(handoff, place);
        DYNO_TRY(dyno_half_enter_decode(handoff->decode, handoff->now, passage->decode_worker,
                                        &passage->request, &decode));
        if (decode != DYNO_NO_WORKER) {
            dyno_handoff_at(handoff, place)->decode_place = decode;
        }
    }
    return DYNO_OK;
}

const struct dyno_handoff_way dyno_handoff_pull = {
    .first_token_here = true,
    .submit = pull_submit,
    .cancel = pull_cancel,
    .reserved = pull_reserved,
    .prompt_done = pull_prompt_done,
    .prompt_ended = pull_prompt_ended,
    .hopped = pull_hopped,
};
