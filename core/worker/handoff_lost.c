/* Hand-offs of which a worker is lost, or whose blocks do not arrive.
 *
 *   the one that decodes  what its prompt's worker holds or does for it is let go, and the request
 * is told of as lost, as far as it came; unless it was at its end already the other one         a
 * prompt that was not computed is sent to another one; one that was, or that nobody else can
 * compute, is computed where it decodes, with its first token if that is out no blocks in time they
 * are sent again, so many times; then the same
 *
 * So a prompt's worker that dies costs its requests nothing but time.
 */
#include <assert.h>

#include "core/worker/first_record.h"
#include "core/worker/handoff_parts.h"

/* What is pulled has a half that decodes only when it asks for its blocks. */
static bool has_decode_half(const struct dyno_handoff *handoff, const struct dyno_passage *passage)
{
    return handoff->config.style != DYNO_HANDOFF_PULL || passage->phase == DYNO_PASSAGE_WAIT ||
           passage->phase == DYNO_PASSAGE_MOVE;
}

/* Its prompt is computed, and nobody had its first token. */
static bool was_pulled(const struct dyno_handoff *handoff, const struct dyno_passage *passage)
{
    return handoff->config.style == DYNO_HANDOFF_PULL && passage->phase == DYNO_PASSAGE_WAIT;
}

bool dyno_handoff_is_anybody(const struct dyno_handoff *handoff)
{
    const struct dyno_handoff_router *router = &handoff->config.router;

    return !router->is_anybody || router->is_anybody(router->context);
}

/* ---- letting go ------------------------------------------------------------------------------ */

void dyno_handoff_drop_parts(struct dyno_handoff *handoff, struct dyno_passage *passage)
{
    struct dyno_links *links = handoff->config.links;
    uint64_t id = passage->request.id;

    if (passage->parts > 0) {
        (void)links->ops->drop(links, handoff->now, id);
        (void)links->ops->drop(links, handoff->now, id | DYNO_FIRST_PART);
        passage->parts = 0;
    }
}

/* Its prompt's worker keeps nothing for it, and what it still computes of it is told to nobody. */
static dyno_status let_go_of_prompt(struct dyno_handoff *handoff, struct dyno_passage *passage)
{
    uint32_t prompt = passage->prompt_place;

    dyno_handoff_drop_parts(handoff, passage);
    if (prompt == DYNO_NO_WORKER || dyno_half_is_leased(handoff->prefill, prompt)) {
        return dyno_handoff_give_lease(handoff, passage);
    }
    passage->cancelled = passage->cancelled || (!passage->leaves && /* nor is its client gone */
                                                dyno_half_is_cancelled(handoff->prefill, prompt));
    passage->prompt_place = DYNO_NO_WORKER;
    handoff->stirred = true;
    handoff->config.router.ended(handoff->config.router.context, handoff->now, passage->request.id);
    return dyno_half_orphan(handoff->prefill, handoff->now, prompt);
}

/* ---- the one that decodes -------------------------------------------------------------------- */

dyno_status dyno_handoff_on_lost(void *context, const struct dyno_resume *how_far)
{
    struct dyno_handoff *handoff = context;
    const struct dyno_worker_listener *listener = &handoff->config.listener;
    uint32_t place = dyno_handoff_find(handoff, how_far->record.id);
    struct dyno_request_record record = how_far->record;
    const struct dyno_passage *passage;
    bool is_over, cancelled;

    if (place == DYNO_POOL_NONE) {
        if (dyno_half_orphan_any(handoff->prefill, record.id)) {
            handoff->config.router.ended(handoff->config.router.context, handoff->now, record.id);
        }
        return listener->lost(listener->context, how_far);
    }
    passage = dyno_handoff_at(handoff, place);
    is_over = passage->is_over;
    cancelled = passage->cancelled;
    record.outcome = is_over ? passage->outcome : DYNO_CANCELLED_BY_CLIENT;
    dyno_handoff_end(handoff, place);
    return is_over || cancelled ? listener->ended(listener->context, &record)
                                : listener->lost(listener->context, how_far);
}

/* Nobody decodes it yet: what there is to tell of it is that it came. */
static dyno_status tell_lost(struct dyno_handoff *handoff, uint32_t place)
{
    const struct dyno_passage *passage = dyno_handoff_at(handoff, place);
    const struct dyno_request *request = &passage->request;
    struct dyno_resume how_far = {.record = dyno_first_record(request, passage->decode_worker)};

    how_far.record.outcome = DYNO_FAILED;
    if (request->before) {
        how_far.record = request->before->record;
        how_far.record.worker = passage->decode_worker;
    }
    if (passage->cancelled) {
        how_far.record.outcome = DYNO_CANCELLED_BY_CLIENT;
    }
    return dyno_handoff_on_lost(handoff, &how_far); /* which ends the passage */
}

static bool is_decoded_by(const struct dyno_passage *passage, uint32_t worker)
{
    return passage->decode_worker == worker;
}

static bool is_prompted_by(const struct dyno_passage *passage, uint32_t worker)
{
    return passage->prefill_worker == worker &&
           (passage->prompt_place != DYNO_NO_WORKER || passage->parts > 0);
}

/* Passages of a worker, in the order of requests, into `ready`. */
static void list_passages(struct dyno_handoff *handoff, uint32_t worker,
                          bool (*is_its)(const struct dyno_passage *passage, uint32_t worker))
{
    handoff->ready_count = 0;
    for (uint32_t i = 0; i < handoff->passages.pool.used; i++) {
        if (dyno_passages_is_taken(&handoff->passages, i) &&
            is_its(dyno_handoff_at(handoff, i), worker)) {
            dyno_handoff_note_ready(handoff, i);
        }
    }
}

/* What a device that is real computes of a prompt it takes down, whether anybody still wants it: so
 * the pass in flight is waited for, and who goes on has its token, if it yields one. */
static dyno_status end_real_prompts(struct dyno_handoff *handoff)
{
    if (!handoff->config.prefill.device->ops->is_real) {
        return DYNO_OK;
    }
    return handoff->prefill->ops->settle(handoff->prefill,
                                         dyno_local_quiesce(handoff->prefill, handoff->now));
}

static dyno_status lose_decoder(struct dyno_handoff *handoff, uint32_t worker)
{
    DYNO_TRY(end_real_prompts(handoff));
    list_passages(handoff, worker, is_decoded_by);
    for (uint32_t i = 0; i < handoff->ready_count; i++) {
        struct dyno_passage *passage = dyno_handoff_at(handoff, handoff->ready[i]);

        if (passage->is_computed && passage->phase == DYNO_PASSAGE_WAIT) { /* its token is out */
            dyno_handoff_note_prompt(handoff, passage, &passage->prompt, passage->started_at);
        }
        DYNO_TRY(let_go_of_prompt(handoff, passage));
        if (!has_decode_half(handoff, passage)) {
            DYNO_TRY(tell_lost(handoff, handoff->ready[i]));
        }
    }
    return handoff->decode->ops->lose(handoff->decode, handoff->now, worker);
}

/* ---- the one that computed the prompt -------------------------------------------------------- */

/* The whole request is served where it decodes. */
dyno_status dyno_handoff_fall_back(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);
    bool has_half = has_decode_half(handoff, passage);
    uint32_t decode = passage->decode_place;

    handoff->given_up++;
    handoff->stirred = true;
    if (!has_half) {
        DYNO_TRY(dyno_half_enter_decode(handoff->decode, handoff->now, passage->decode_worker,
                                        &passage->request, &decode));
        if (decode == DYNO_NO_WORKER) {
            return DYNO_OK; /* it was refused, and the passage has ended */
        }
    }
    dyno_handoff_end(handoff, place);
    return dyno_half_fall_back(handoff->decode, handoff->now, decode);
}

/* Its prompt is sent to another worker, if there is one. */
static dyno_status send_again(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);
    uint32_t tokens = passage->request.max_tokens;
    bool entered;

    if (!dyno_handoff_is_anybody(handoff)) {
        return dyno_handoff_fall_back(handoff, place);
    }
    if (has_decode_half(handoff, passage)) {
        tokens = dyno_half_tokens_max(handoff->decode, passage->decode_place);
    } else {
        passage->phase = DYNO_PASSAGE_PREFILL;
        dyno_heap_remove(&handoff->deadlines, place);
    }
    passage->begun = false;
    handoff->sent_again++;
    return dyno_handoff_send_prompt(handoff, place, tokens, &entered);
}

/* Who was on its way from or to being computed by a worker that is gone. */
static dyno_status go_on(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    if (passage->is_over || (passage->cancelled && passage->phase == DYNO_PASSAGE_MOVE)) {
        return dyno_half_end(handoff->decode, handoff->now, passage->decode_place, /* all of it */
                             passage->is_over ? passage->outcome : DYNO_CANCELLED_BY_CLIENT);
    }
    if (passage->phase == DYNO_PASSAGE_HOP) { /* nobody had its token */
        return send_again(handoff, place);
    }
    if (passage->is_computed && passage->phase == DYNO_PASSAGE_WAIT) { /* its token is out */
        dyno_handoff_note_prompt(handoff, passage, &passage->prompt, passage->started_at);
        return dyno_handoff_fall_back(handoff, place);
    }
    return passage->phase == DYNO_PASSAGE_MOVE || was_pulled(handoff, passage)
               ? dyno_handoff_fall_back(handoff, place)
               : send_again(handoff, place);
}

dyno_status dyno_handoff_on_prompt_lost(void *context, const struct dyno_resume *how_far)
{
    struct dyno_handoff *handoff = context;

    if (dyno_handoff_find(handoff, how_far->record.id) == DYNO_POOL_NONE) {
        handoff->config.router.ended(handoff->config.router.context, handoff->now,
                                     how_far->record.id);
    }
    return DYNO_OK; /* others are gone through afterwards */
}

static dyno_status lose_prompter(struct dyno_handoff *handoff, uint32_t worker)
{
    DYNO_TRY(handoff->prefill->ops->lose(handoff->prefill, handoff->now, worker));
    list_passages(handoff, worker, is_prompted_by);
    for (uint32_t i = 0; i < handoff->ready_count; i++) {
        struct dyno_passage *passage = dyno_handoff_at(handoff, handoff->ready[i]);

        dyno_handoff_drop_parts(handoff, passage);
        if (passage->prompt_place != DYNO_NO_WORKER) {
            passage->prompt_place = DYNO_NO_WORKER;
            handoff->config.router.ended(handoff->config.router.context, handoff->now,
                                         passage->request.id);
        }
    }
    handoff->prefill->ops->sync(handoff->prefill, handoff->now);
    for (uint32_t i = 0; i < handoff->ready_count; i++) {
        DYNO_TRY(go_on(handoff, handoff->ready[i]));
    }
    return DYNO_OK;
}

/* ---- no blocks in time ------------------------------------------------------------------------
 */

dyno_status dyno_handoff_overdue(struct dyno_handoff *handoff, uint32_t place)
{
    struct dyno_passage *passage = dyno_handoff_at(handoff, place);

    dyno_heap_remove(&handoff->deadlines, place);
    dyno_handoff_drop_parts(handoff, passage);
    if (passage->is_over || passage->cancelled) {
        DYNO_TRY(dyno_handoff_give_lease(handoff, passage));
        return go_on(handoff, place);
    }
    if (passage->tries++ < handoff->config.move_retries) {
        handoff->sent_again++;
        return dyno_handoff_move(handoff, passage);
    }
    DYNO_TRY(dyno_handoff_give_lease(handoff, passage));
    return dyno_handoff_fall_back(handoff, place);
}

/* ---- the seam -------------------------------------------------------------------------------- */

dyno_status dyno_handoff_halt(struct dyno_workers *workers, dyno_ns now, uint32_t worker)
{
    struct dyno_handoff *handoff = (void *)workers; /* its first member */
    uint32_t decoders = dyno_handoff_decoders(handoff);

    handoff->now = now;
    return worker < decoders
               ? handoff->decode->ops->halt(handoff->decode, now, worker)
               : handoff->prefill->ops->halt(handoff->prefill, now, worker - decoders);
}

dyno_status dyno_handoff_lose(struct dyno_workers *workers, dyno_ns now, uint32_t worker)
{
    struct dyno_handoff *handoff = (void *)workers; /* its first member */
    uint32_t decoders = dyno_handoff_decoders(handoff);

    handoff->now = now;
    return worker < decoders ? lose_decoder(handoff, worker)
                             : lose_prompter(handoff, worker - decoders);
}
