/* Requests in halves, as local workers serve them: one computes the prompt, another decodes.
 *
 * Either half is a sequence of its own fleet of local workers, known by the place that entering
 * gave it, which holds until the listener hears that it ended (or, of a prompt, until it is
 * released).  Who moves the blocks, and when, is the caller's (core/worker/handoff.c):
 *
 *   the half that decodes  enter_decode -> reserved(...) -> note_prompt -> arrive, or end
 *                                       -> take_over: the whole request is served here after all
 *   the half that prompts  enter_prompt -> prompt_done(...) -> release, or it ended before
 */
#ifndef DYNO_CORE_WORKER_HALVES_H
#define DYNO_CORE_WORKER_HALVES_H

#include "core/worker/local.h"

/* Whether a worker of the fleet could ever hold the request. */
bool dyno_half_could_hold(const struct dyno_workers *workers, const struct dyno_request *request);

/* Prompt tokens that lie in the worker's cache at `now`, in whole blocks. */
uint32_t dyno_half_cached_tokens(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                 const struct dyno_request *request);

/* Requests that decode on the worker, and that wait there. */
void dyno_half_load(const struct dyno_workers *workers, uint32_t worker, uint32_t *decoding,
                    uint32_t *waiting);

/* As the fleet's submit, for one half.  *place is DYNO_NO_WORKER if it was refused. */
dyno_status dyno_half_enter_decode(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                   const struct dyno_request *request, uint32_t *place);
dyno_status dyno_half_enter_prompt(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                                   const struct dyno_request *request, uint32_t *place);

/* Where the blocks lie of a half that has them reserved, or leased, or whose prompt's last pass has
 * begun: [*count], until it takes or gives back any.  NULL: its device stores nothing. */
const uint32_t *dyno_half_table(const struct dyno_workers *workers, uint32_t place,
                                uint32_t *count);

/* How many tokens the half that decodes may generate in all. */
uint32_t dyno_half_tokens_max(const struct dyno_workers *workers, uint32_t place);

/* The prompt's half has come so far as `prompt` says, its first token at `at`, on `prefill_worker`
 * (as the record is to name it). */
void dyno_half_note_prompt(struct dyno_workers *workers, uint32_t place,
                           const struct dyno_request_record *prompt, uint32_t prefill_worker,
                           dyno_ns at);

/* The blocks have arrived: the prompt may be hit, and the request decodes. */
dyno_status dyno_half_arrive(struct dyno_workers *workers, dyno_ns now, uint32_t place);

/* It ends before its blocks have arrived. */
dyno_status dyno_half_end(struct dyno_workers *workers, dyno_ns now, uint32_t place,
                          enum dyno_outcome outcome);

/* It has waited for blocks too long: it goes on waiting as a whole request, which computes its
 * prompt again, and the first token with it if that was noted. */
void dyno_half_take_over(struct dyno_workers *workers, dyno_ns now, uint32_t place);

/* As take_over, also of one that has its slot and blocks, which it gives back. */
dyno_status dyno_half_fall_back(struct dyno_workers *workers, dyno_ns now, uint32_t place);

/* Whether the half that is a prompt is computed, and whether its client has gone. */
bool dyno_half_is_leased(const struct dyno_workers *workers, uint32_t place);
bool dyno_half_is_cancelled(const struct dyno_workers *workers, uint32_t place);

/* Nobody wants the half that is a prompt any more, which is not computed: it leaves as one whose
 * client has gone, and nobody hears of it. */
dyno_status dyno_half_orphan(struct dyno_workers *workers, dyno_ns now, uint32_t place);
/* The same of request `id`, wherever a pass computes it although its client, or whoever wanted it,
 * has gone; false: none does. */
bool dyno_half_orphan_any(struct dyno_workers *workers, uint64_t id);

/* The transfer has ended: the leased blocks of the prompt are given back. */
dyno_status dyno_half_release(struct dyno_workers *workers, dyno_ns now, uint32_t place);

#endif
