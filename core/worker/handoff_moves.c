/* What passes between the two halves of a request: word of the prompt, blocks, and the lease's end.
 */
#include <assert.h>

#include "core/worker/handoff_parts.h"

void dyno_handoff_note_prompt(struct dyno_handoff *handoff, const struct dyno_passage *passage,
                              const struct dyno_request_record *record, dyno_ns first_token_at)
{
    dyno_half_note_prompt(handoff->decode, passage->decode_place, record,
                          dyno_handoff_decoders(handoff) + passage->prefill_worker, first_token_at);
}

/* Where what is to be moved lies, and goes: the last blocks of those reserved, which are as deep in
 * the prompt as those of the same index where it was computed. */
static void find_blocks(const struct dyno_handoff *handoff, const struct dyno_passage *passage,
                        const uint32_t **from, const uint32_t **to)
{
    uint32_t there, here;

    *from = dyno_half_table(handoff->prefill, passage->prompt_place, &there);
    *to = dyno_half_table(handoff->decode, passage->decode_place, &here);
    if (*from && *to) {
        assert(here >= passage->blocks && there >= here);
        *from += here - passage->blocks;
        *to += here - passage->blocks;
    }
}

/* What the links call a worker that computes prompts. */
static uint32_t source_of(const struct dyno_handoff *handoff, uint32_t prefill_worker)
{
    return handoff->config.prefill.endpoint + prefill_worker;
}

/* Of layers [from, to) of `layers`; transfers of the first and of the last have names of their own.
 */
static dyno_status submit_part(struct dyno_handoff *handoff, struct dyno_passage *passage,
                               uint32_t from, uint32_t to, uint32_t layers)
{
    const struct dyno_handoff_config *config = &handoff->config;
    const uint32_t *from_blocks = NULL, *to_blocks = NULL;
    bool is_whole = from == 0 && to == layers;

    passage->parts++;
    find_blocks(handoff, passage, &from_blocks, &to_blocks);
    return config->links->ops->submit(
        config->links, handoff->now,
        &(struct dyno_transfer){
            .id = passage->request.id | (to < layers ? DYNO_FIRST_PART : 0),
            .from = source_of(handoff, passage->prefill_worker),
            .to = passage->decode_worker,
            .blocks = passage->blocks,
            .block_bytes = config->block_bytes * to / layers - config->block_bytes * from / layers,
            .block_ns = config->relayout_ns * to / layers - config->relayout_ns * from / layers,
            .from_blocks = from_blocks,
            .to_blocks = to_blocks,
            .first_layer = is_whole ? 0 : from,
            .end_layer = is_whole ? 0 : to});
}

void dyno_handoff_await_move(struct dyno_handoff *handoff, const struct dyno_passage *passage)
{
    if (handoff->config.move_deadline_ns > 0) {
        dyno_heap_set(&handoff->deadlines, dyno_handoff_find(handoff, passage->request.id),
                      handoff->now + handoff->config.move_deadline_ns);
    }
}

dyno_status dyno_handoff_move(struct dyno_handoff *handoff, struct dyno_passage *passage)
{
    passage->phase = DYNO_PASSAGE_MOVE;
    dyno_handoff_await_move(handoff, passage);
    return submit_part(handoff, passage, 0, 1, 1);
}

dyno_status dyno_handoff_move_layers(struct dyno_handoff *handoff, struct dyno_passage *passage,
                                     uint32_t from, uint32_t to)
{
    return submit_part(handoff, passage, from, to, handoff->config.layers);
}

dyno_status dyno_handoff_give_lease(struct dyno_handoff *handoff, struct dyno_passage *passage)
{
    uint32_t prompt = passage->prompt_place;

    if (prompt == DYNO_NO_WORKER) {
        return DYNO_OK;
    }
    passage->prompt_place = DYNO_NO_WORKER;
    handoff->stirred = true;
    handoff->config.router.ended(handoff->config.router.context, handoff->now, passage->request.id);
    return dyno_half_release(handoff->prefill, handoff->now, prompt);
}

void dyno_handoff_note_ended(struct dyno_handoff *handoff, const struct dyno_passage *passage,
                             const struct dyno_request_record *record)
{
    dyno_ns response = handoff->config.prefill.worker.response_ns;

    dyno_handoff_note_prompt(handoff, passage, record,
                             record->output_tokens > 0 ? record->last_token_ns - response : 0);
}

dyno_status dyno_handoff_end_with_prompt(struct dyno_handoff *handoff,
                                         const struct dyno_passage *passage,
                                         const struct dyno_request_record *record)
{
    handoff->config.router.ended(handoff->config.router.context, handoff->now, record->id);
    dyno_handoff_note_ended(handoff, passage, record);
    handoff->stirred = true;
    return dyno_half_end(handoff->decode, handoff->now, passage->decode_place, record->outcome);
}
