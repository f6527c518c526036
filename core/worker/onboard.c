/* Blocks of a prompt come from lower tiers, or from another worker's GPU, before it is computed,
 * where that is faster (onboard_choose.c). */
#include <assert.h>

#include "core/base/usual.h"
#include "core/worker/tiers_parts.h"

static dyno_status send(struct dyno_tiers *tiers, uint32_t index, dyno_ns now)
{
    struct dyno_move *move = dyno_move_at(tiers, index);
    struct dyno_kv_cache *cache = &move->local->workers[move->worker].cache;
    uint32_t idle;

    move->is_onboard = true;
    move->started_at = now;
    (void)dyno_kv_find(cache, dyno_move_links(move, 0), move->link_count, move->from, &idle);
    DYNO_TRY(dyno_kv_hold(cache, dyno_move_links(move, 0), move->from));
    DYNO_TRY(dyno_move_place_hold(move, 0, cache, move->from));
    dyno_kv_take(cache, move->to - move->from, now);
    DYNO_TRY(dyno_move_place_take(move, 0, cache, move->to - move->from));
    if (move->part_to[DYNO_FROM_GPU] > 0) {
        move->is_awaited[DYNO_FROM_GPU] = true;
        move->parts++;
        DYNO_TRY(dyno_peers_await(move->local, index, now));
    }
    for (uint32_t i = 0; i < tiers->config.tier_count; i++) {
        struct dyno_kv_cache *pool = dyno_tier_cache(tiers, i, move->local, move->worker);
        uint32_t blocks = dyno_onboard_blocks(tiers, move, i), first = move->part_to[i] - blocks;

        if (move->part_to[i] == 0) {
            continue;
        }
        DYNO_TRY(dyno_kv_hold(pool, dyno_move_links(move, 1 + i), move->part_to[i]));
        DYNO_TRY(dyno_move_place_hold(move, 1 + i, pool, move->part_to[i]));
        move->is_awaited[i] = true;
        move->parts++;
        DYNO_TRY(dyno_move_send(
            tiers, now, index, i,
            (struct dyno_transfer){.from = dyno_move_endpoint(tiers, move, i),
                                   .to = move->local->config.endpoint + move->worker,
                                   .blocks = blocks,
                                   .from_blocks = dyno_move_place_at(move, 1 + i, pool, first),
                                   .to_blocks = dyno_move_place_at(move, 0, cache, first),
                                   .names = dyno_move_names(tiers, move, i, first, blocks)}));
    }
    return DYNO_OK;
}

/* Whether a tier may have more of the chain than its first `blocks` blocks: what is resident is
 * closed under prefix, so it has some of the span that the next one is in. */
static bool may_have_more(const struct dyno_tiers *tiers, const struct dyno_local *local,
                          uint32_t worker, const struct dyno_seq *seq, uint32_t blocks)
{
    uint32_t next = 0, end = seq->links[0].blocks;

    while (end <= blocks && ++next < seq->span_count) {
        end += seq->links[next].blocks;
    }
    for (uint32_t i = 0; i < tiers->config.tier_count && next < seq->span_count; i++) {
        if (dyno_kv_has(dyno_tier_cache(tiers, i, local, worker), seq->links[next].span)) {
            return true;
        }
    }
    return false;
}

dyno_status dyno_onboard(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                         uint32_t hit_blocks, uint32_t idle_blocks, dyno_ns now, bool *waits)
{
    struct dyno_tiers *tiers = local->config.tiers;
    struct dyno_seq *seq = &local->seqs[index];
    uint32_t findable = (seq->target - 1) / local->config.worker.block_tokens, place;
    uint32_t number = dyno_worker_index(local, worker), peer = 0, peer_blocks = 0;
    struct dyno_move *move;

    *waits = false;
    if (seq->span_count == 0 || findable <= hit_blocks || seq->move != 0) {
        return DYNO_OK;
    }
    if (DYNO_RARELY(local->peers) && !seq->pulls_no_more) {
        DYNO_TRY(
            dyno_peers_find(local, number, seq, hit_blocks, findable, now, &peer, &peer_blocks));
    }
    if (peer_blocks == 0 && !may_have_more(tiers, local, number, seq, hit_blocks)) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_move_make(tiers, local, number, seq->links, seq->span_count,
                            1 + dyno_move_end(tiers, DYNO_FROM_GPU), &place));
    move = dyno_move_at(tiers, place);
    move->from = hit_blocks;
    move->peer = peer;
    move->to = dyno_onboard_choose(tiers, move, findable, peer_blocks, seq->target);
    if (move->to <= hit_blocks ||
        (uint64_t)(move->to - hit_blocks) + idle_blocks + worker->blocks_along >
            dyno_kv_available(&worker->cache)) {
        dyno_move_free(tiers, place);
        return DYNO_OK;
    }
    move->seq = index;
    DYNO_TRY(send(tiers, place, now));
    seq->move = place + 1;
    seq->state = SEQ_ONBOARD;
    dyno_seq_unlink(local, &worker->waiting, index);
    dyno_seq_append(local, &worker->onboarding, index);
    worker->moves_on_way++;
    *waits = true;
    return DYNO_OK;
}

/* What was lost, and what is behind it, is computed after all. */
static void cut(struct dyno_move *move)
{
    struct dyno_kv_cache *cache = &move->local->workers[move->worker].cache;

    dyno_move_place_cut(move, 0, cache);
    dyno_kv_drop(cache, move->lost);
    move->to -= move->lost;
    move->lost = 0;
    for (uint32_t i = 0; i < DYNO_SOURCES; i++) {
        move->part_to[i] = move->part_to[i] < move->to ? move->part_to[i] : move->to;
    }
}

/* All of it is there. */
static dyno_status land(struct dyno_tiers *tiers, uint32_t index, dyno_ns now)
{
    struct dyno_move *move = dyno_move_at(tiers, index);
    struct dyno_local *local = move->local;
    struct dyno_worker *worker = &local->workers[move->worker];

    dyno_local_touch(local, move->worker, now);
    cut(move);
    DYNO_TRY(dyno_move_place_seal(move, 0, &worker->cache));
    DYNO_TRY(dyno_kv_seal(&worker->cache, dyno_move_links(move, 0), move->link_count, 0, move->from,
                          move->to, now));
    worker->moves_on_way--;
    if (move->seq == DYNO_NO_SEQ) {
        dyno_move_place_leave(move, 0, &worker->cache, move->to);
        dyno_kv_let_go(&worker->cache, dyno_move_links(move, 0), move->link_count, move->to);
        worker->shrunk = true;
        dyno_move_free(tiers, index);
        return DYNO_OK;
    }
    worker->moves_held++;
    worker->onboarded++;
    local->seqs[move->seq].arrived_at = now;
    if (local->seqs[move->seq].record.admitted_ns == DYNO_NEVER) {
        local->seqs[move->seq].record.onboard_ns += now - move->started_at;
    }
    return DYNO_OK;
}

/* The source has not, or no more, the last of what it was to send, and what comes after that. */
static void note_lost(struct dyno_tiers *tiers, struct dyno_move *move, uint32_t source,
                      uint32_t lost, dyno_ns now)
{
    uint32_t good = move->part_to[source] - lost;

    tiers->totals[source].lost_blocks += lost;
    if (source != DYNO_FROM_GPU) {
        dyno_kv_forget(dyno_move_cache(tiers, move, source),
                       dyno_move_links(move, dyno_move_end(tiers, source)), move->link_count, good,
                       now);
    }
    if (move->to - move->lost > good) {
        move->lost = move->to - good;
    }
}

/* The source lets go.  Returns how many of its blocks did not come. */
static uint32_t leave_source(struct dyno_tiers *tiers, struct dyno_move *move, uint32_t source,
                             uint32_t lost, dyno_ns now)
{
    uint32_t blocks = dyno_onboard_blocks(tiers, move, source), end = dyno_move_end(tiers, source);
    struct dyno_kv_cache *cache = dyno_move_cache(tiers, move, source);

    if (source == DYNO_FROM_GPU) {
        bool is_dead = move->local->workers[move->peer].halted; /* what it sent last is not whole */
        uint32_t missing =
            move->peer_held > 0 && !is_dead ? move->part_to[source] - move->peer_held : blocks;

        dyno_peer_left(tiers, move, now);
        return lost > missing ? lost : missing;
    }
    cache->ranking.cost = DYNO_EVICT_COST_ONE; /* the store that follows knows better */
    dyno_move_place_leave(move, end, cache, move->part_to[source]);
    dyno_kv_let_go(cache, dyno_move_links(move, end), move->link_count, move->part_to[source]);
    return lost;
}

dyno_status dyno_onboard_arrived(struct dyno_tiers *tiers, uint32_t index, uint32_t source,
                                 uint32_t lost, dyno_ns now)
{
    struct dyno_move *move = dyno_move_at(tiers, index);
    struct dyno_tier_totals *totals = &tiers->totals[source];

    lost = leave_source(tiers, move, source, lost, now);
    move->is_awaited[source] = false;
    if (source == DYNO_FROM_GPU) {
        dyno_peers_over(move->local);
    }
    totals->loads++;
    totals->loaded_blocks += dyno_onboard_blocks(tiers, move, source) - lost;
    if (DYNO_RARELY(lost > 0)) {
        note_lost(tiers, move, source, lost, now);
    }
    totals->load_wait_ns += now - move->started_at;
    return --move->parts == 0 ? land(tiers, index, now) : DYNO_OK;
}

/* ---- what the batch calls -------------------------------------------------------------------- */

/* As for a request that became ready: a pass is made of those that the scheduler knows of. */
static bool is_hidden(const struct dyno_local *local, const struct dyno_worker *worker,
                      const struct dyno_seq *seq, dyno_ns now)
{
    return worker->decode_count + worker->ghost_count > 0 &&
           local->config.worker.async_scheduling && worker->settled_at == now &&
           seq->arrived_at > worker->last_step_start;
}

static bool has_landed(const struct dyno_local *local, const struct dyno_seq *seq)
{
    return seq->move == 0 || dyno_move_at(local->config.tiers, seq->move - 1)->parts == 0;
}

void dyno_onboard_join(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now)
{
    uint32_t index = worker->onboarding.last;

    while (index != DYNO_NO_SEQ && worker->onboarded > 0) { /* the first comes to stand first */
        struct dyno_seq *seq = &local->seqs[index];
        uint32_t prev = seq->prev;

        if (has_landed(local, seq)) {
            if (is_hidden(local, worker, seq, now)) {
                worker->hidden = true;
            } else {
                dyno_seq_unlink(local, &worker->onboarding, index);
                dyno_seq_prepend(local, &worker->waiting, index);
                seq->state = SEQ_WAITING;
                worker->onboarded--;
            }
        }
        index = prev;
    }
}

void dyno_onboard_count(struct dyno_local *local, struct dyno_seq *seq)
{
    struct dyno_tiers *tiers = local->config.tiers;
    const struct dyno_move *move;

    if (seq->move == 0) {
        return;
    }
    move = dyno_move_at(tiers, seq->move - 1);
    seq->record.onboarded_tokens = (move->to - move->from) * local->config.worker.block_tokens;
    seq->record.pulled_tokens =
        dyno_onboard_blocks(tiers, move, DYNO_FROM_GPU) * local->config.worker.block_tokens;
    for (uint32_t i = 0; i < DYNO_SOURCES; i++) {
        if (i < tiers->config.tier_count || i == DYNO_FROM_GPU) {
            tiers->totals[i].hit_blocks += dyno_onboard_blocks(tiers, move, i);
        }
    }
}

void dyno_onboard_end(struct dyno_local *local, struct dyno_worker *worker, uint32_t index)
{
    struct dyno_tiers *tiers = local->config.tiers;
    struct dyno_seq *seq = &local->seqs[index];
    struct dyno_move *move;

    if (seq->state == SEQ_ONBOARD && has_landed(local, seq)) {
        worker->onboarded--;
    }
    if (seq->move == 0) {
        return;
    }
    move = dyno_move_at(tiers, seq->move - 1);
    if (move->parts > 0) { /* it is on its way, and cannot be called back */
        move->seq = DYNO_NO_SEQ;
    } else {
        dyno_move_place_leave(move, 0, &worker->cache, move->to);
        dyno_kv_let_go(&worker->cache, dyno_move_links(move, 0), move->link_count, move->to);
        dyno_move_free(tiers, seq->move - 1);
        worker->moves_held--;
        worker->shrunk = true;
    }
    seq->move = 0;
}

/* The last of a list that holds what was onboarded. */
static uint32_t last_holder(const struct dyno_local *local, const struct dyno_seq_list *list)
{
    uint32_t index = list->last;

    while (index != DYNO_NO_SEQ &&
           (local->seqs[index].move == 0 || !has_landed(local, &local->seqs[index]))) {
        index = local->seqs[index].prev;
    }
    return index;
}

bool dyno_onboard_yield(struct dyno_local *local, struct dyno_worker *worker)
{
    uint32_t index = DYNO_NO_SEQ;

    if (worker->moves_held == 0) {
        return false;
    }
    index = last_holder(local, &worker->onboarding);
    if (index != DYNO_NO_SEQ) {
        worker->onboarded++; /* it stays where it is, without anything */
    } else {
        index = last_holder(local, &worker->waiting);
    }
    assert(index != DYNO_NO_SEQ);
    dyno_onboard_end(local, worker, index);
    return true;
}
