/* What the GPUs of other workers hold of a prompt, and how it is had from them.
 *
 * Who needs blocks forms a pass, and so may everybody else at that instant, in an order that is
 * nobody's business: what they take for it may evict what is looked for.  So a look sees what was
 * done before that instant, by an index that is told of changes as late as that; and a peer is
 * asked a nanosecond later, when all passes are formed.  What it does not have by then is not sent.
 *
 * It sends while it computes: blocks that others may find are written once.  Only what its pass in
 * flight computes, which may be found when that begins, is there when it has ended: who needs some
 * of it waits for that, as does who needs blocks that were promised to later steps of a pass where
 * blocks have places (core/kv/places.h); it ends with the next one then.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/worker/tiers_parts.h"

struct change {
    dyno_ns at;
    uint64_t span;
    uint32_t worker, blocks;
};

/* A pull, and until when it may take. */
struct pull {
    uint64_t number;
    dyno_ns due;
    uint32_t move;
};

struct dyno_peers {
    struct dyno_kv_index *index;
    struct change *changes; /* that it was not told of yet, in the order in which they came */
    uint32_t change_count, change_capacity;
    uint32_t *overlap; /* [workers] zeros, while nobody looks */
    uint32_t *touched; /* [workers] scratch */
    struct dyno_span *spans;
    uint32_t span_capacity;
    uint32_t *asking; /* [asking_count] moves whose peers are to be asked, in order */
    uint32_t asking_count, asking_capacity;
    struct pull *pulls; /* [pull_count] in the order of their deadlines; before pull_first: over */
    uint32_t pull_first, pull_count, pull_capacity;
    uint64_t pulled; /* so far */
    bool out_of_memory;
};

dyno_status dyno_peers_open(struct dyno_peers **out, uint32_t workers)
{
    struct dyno_peers *peers = calloc(1, sizeof *peers);

    *out = peers; /* whoever closes the workers closes it, also after a failure */
    if (!peers) {
        return DYNO_NO_MEMORY;
    }
    peers->overlap = calloc(workers, sizeof *peers->overlap);
    peers->touched = calloc(workers, sizeof *peers->touched);
    return peers->overlap && peers->touched ? dyno_kv_index_open(&peers->index, workers)
                                            : DYNO_NO_MEMORY;
}

void dyno_peers_close(struct dyno_peers *peers)
{
    if (!peers) {
        return;
    }
    dyno_kv_index_close(peers->index);
    free(peers->changes);
    free(peers->overlap);
    free(peers->touched);
    free(peers->spans);
    free(peers->asking);
    free(peers->pulls);
    free(peers);
}

/* ---- who holds what -------------------------------------------------------------------------- */

enum { CHANGES_MANY = 4096 };

/* The index is told of what changed before `now`. */
static void tell_index(struct dyno_peers *peers, dyno_ns now)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < peers->change_count; i++) {
        const struct change *change = &peers->changes[i];

        if (change->at >= now) {
            peers->changes[left++] = *change;
        } else if (dyno_kv_index_set(peers->index, change->span, change->worker, change->blocks) !=
                   DYNO_OK) {
            peers->out_of_memory = true;
        }
    }
    peers->change_count = left;
}

void dyno_peers_hear(struct dyno_peers *peers, uint32_t worker, dyno_ns at, uint64_t span,
                     uint32_t blocks)
{
    if (peers->change_count >= CHANGES_MANY && peers->change_count == peers->change_capacity) {
        tell_index(peers, at); /* nobody will ask for an earlier time */
    }
    if (!dyno_array_reserve(&peers->changes, &peers->change_capacity, peers->change_count + 1U,
                            sizeof *peers->changes)) {
        peers->out_of_memory = true;
        return;
    }
    peers->changes[peers->change_count++] =
        (struct change){.at = at, .span = span, .worker = worker, .blocks = blocks};
}

static dyno_status take_spans(struct dyno_peers *peers, const struct dyno_seq *seq)
{
    if (!dyno_array_reserve(&peers->spans, &peers->span_capacity, seq->span_count,
                            sizeof *peers->spans)) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < seq->span_count; i++) {
        peers->spans[i] =
            (struct dyno_span){.id = seq->links[i].span, .blocks = seq->links[i].blocks};
    }
    return DYNO_OK;
}

static dyno_ns time_from(const struct dyno_local *local, uint32_t peer, uint32_t worker,
                         uint32_t blocks)
{
    const struct dyno_links *links = local->links;

    return links->ops->predict(
        links, &(struct dyno_transfer){.from = local->config.endpoint + peer,
                                       .to = local->config.endpoint + worker,
                                       .blocks = blocks,
                                       .block_bytes = local->config.tiers->config.block_bytes});
}

/* Of those who have most the one from whom it comes soonest, the first of several. */
dyno_status dyno_peers_find(struct dyno_local *local, uint32_t worker, const struct dyno_seq *seq,
                            uint32_t min, uint32_t max, dyno_ns now, uint32_t *peer,
                            uint32_t *blocks)
{
    struct dyno_peers *peers = local->peers;
    dyno_ns least = DYNO_NEVER;
    uint32_t count;

    *blocks = 0;
    tell_index(peers, now);
    if (peers->out_of_memory) {
        return DYNO_NO_MEMORY;
    }
    DYNO_TRY(take_spans(peers, seq));
    count = dyno_kv_index_match(peers->index, peers->spans, seq->span_count, peers->overlap,
                                peers->touched);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t who = peers->touched[i];
        uint32_t found = peers->overlap[who] < max ? peers->overlap[who] : max;
        dyno_ns time;

        peers->overlap[who] = 0;
        if (who == worker || found <= min || found < *blocks || local->workers[who].halted ||
            !dyno_worker_may_hold(&local->workers[who], found)) {
            continue;
        }
        time = time_from(local, who, worker, found - min);
        if (found > *blocks || time < least) {
            *peer = who;
            *blocks = found;
            least = time;
        }
    }
    return DYNO_OK;
}

/* ---- asking one ------------------------------------------------------------------------------ */

/* Is it still under way?  Its place may be another move's by now. */
static bool is_awaited(const struct dyno_local *local, const struct pull *pull)
{
    const struct dyno_move *move = dyno_move_at(local->config.tiers, pull->move);

    return move->is_alive && move->local == local && move->pull == pull->number &&
           move->is_awaited[DYNO_FROM_GPU];
}

void dyno_peers_over(struct dyno_local *local)
{
    struct dyno_peers *peers = local->peers;

    while (peers->pull_first < peers->pull_count &&
           !is_awaited(local, &peers->pulls[peers->pull_first])) {
        peers->pull_first++;
    }
    local->pulls_late =
        peers->pull_first < peers->pull_count ? peers->pulls[peers->pull_first].due : DYNO_NEVER;
}

/* Room for one pull more, at the end. */
static bool reserve_pull(struct dyno_peers *peers)
{
    uint32_t over = peers->pull_first, left = peers->pull_count - over;

    if (peers->pull_count == peers->pull_capacity && over > 0 && over >= left) {
        memmove(peers->pulls, peers->pulls + over, left * sizeof *peers->pulls);
        peers->pull_first = 0;
        peers->pull_count = left;
    }
    return dyno_array_reserve(&peers->pulls, &peers->pull_capacity, peers->pull_count + 1U,
                              sizeof *peers->pulls);
}

/* The deadline of a pull that begins now: after all others, as they are equally long. */
static dyno_status limit(struct dyno_local *local, uint32_t move, dyno_ns now)
{
    dyno_ns deadline_ns = local->config.tiers->config.pull_deadline_ns;
    struct dyno_peers *peers = local->peers;

    if (deadline_ns == 0) {
        return DYNO_OK;
    }
    if (!reserve_pull(peers)) {
        return DYNO_NO_MEMORY;
    }
    peers->pulls[peers->pull_count++] =
        (struct pull){.number = dyno_move_at(local->config.tiers, move)->pull,
                      .due = now + deadline_ns,
                      .move = move};
    dyno_peers_over(local);
    return DYNO_OK;
}

dyno_status dyno_peers_await(struct dyno_local *local, uint32_t move, dyno_ns now)
{
    struct dyno_peers *peers = local->peers;

    if (!dyno_array_reserve(&peers->asking, &peers->asking_capacity, peers->asking_count + 1U,
                            sizeof *peers->asking)) {
        return DYNO_NO_MEMORY;
    }
    peers->asking[peers->asking_count++] = move;
    local->pulls_due = now + 1;
    dyno_move_at(local->config.tiers, move)->pull = ++peers->pulled;
    return limit(local, move, now);
}

dyno_status dyno_peers_expire(struct dyno_local *local, dyno_ns now)
{
    while (local->pulls_late <= now) { /* each that is given up is over */
        uint32_t index = local->peers->pulls[local->peers->pull_first].move;
        const struct dyno_move *move = dyno_move_at(local->config.tiers, index);

        if (move->seq != DYNO_NO_SEQ) {
            local->seqs[move->seq].pulls_no_more = true;
        }
        DYNO_TRY(dyno_pull_give_up(local->config.tiers, index, now));
    }
    return DYNO_OK;
}

void dyno_peers_forget(struct dyno_local *local, uint32_t move)
{
    struct dyno_peers *peers = local->peers;
    uint32_t left = 0;

    for (uint32_t i = 0; i < peers->asking_count; i++) {
        if (peers->asking[i] != move) {
            peers->asking[left++] = peers->asking[i];
        }
    }
    peers->asking_count = left;
}

/* The peer holds its first blocks of the chain, as many as it has and may.  A leap of its that
 * counted on idle ones ends at its next step; not where its later steps were promised others. */
static dyno_status hold(struct dyno_tiers *tiers, struct dyno_move *move, uint32_t blocks,
                        uint32_t before, dyno_ns now)
{
    uint32_t end = dyno_move_end(tiers, DYNO_FROM_GPU), found, idle;
    struct dyno_local *local = move->local;
    struct dyno_worker *peer = &local->workers[move->peer];

    dyno_local_sync_worker(local, move->peer, now);
    found = dyno_kv_find(&peer->cache, dyno_move_links(move, end), move->link_count, blocks, &idle);
    if (found <= before || peer->halted || !dyno_worker_may_hold(peer, found)) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_kv_hold(&peer->cache, dyno_move_links(move, end), found));
    DYNO_TRY(dyno_move_place_hold(move, end, &peer->cache, found));
    move->peer_held = found;
    peer->moves_on_way++;
    peer->blocks_storing += found;
    if (idle > 0 && peer->busy && peer->pass_steps > 1 && !peer->places) {
        local->config.device->ops->stop(local->config.device, move->peer, now, 0);
    }
    return DYNO_OK;
}

/* Word that there is nothing takes its time, too. */
static dyno_status ask(struct dyno_tiers *tiers, uint32_t index, dyno_ns now)
{
    struct dyno_move *move = dyno_move_at(tiers, index);
    uint32_t to = move->part_to[DYNO_FROM_GPU];
    uint32_t before = to - dyno_onboard_blocks(tiers, move, DYNO_FROM_GPU), blocks;
    const struct dyno_kv_cache *cache = dyno_move_cache(tiers, move, DYNO_FROM_GPU);
    const struct dyno_kv_cache *own = &move->local->workers[move->worker].cache;
    bool any;

    DYNO_TRY(hold(tiers, move, to, before, now));
    any = move->peer_held > 0;
    blocks = any ? move->peer_held - before : 0;
    move->is_peer_asked = true;
    return dyno_move_send(
        tiers, now, index, DYNO_FROM_GPU,
        (struct dyno_transfer){
            .from = dyno_move_endpoint(tiers, move, DYNO_FROM_GPU),
            .to = move->local->config.endpoint + move->worker,
            .blocks = blocks,
            .from_blocks =
                any ? dyno_move_place_at(move, dyno_move_end(tiers, DYNO_FROM_GPU), cache, before)
                    : NULL,
            .to_blocks = any ? dyno_move_place_at(move, 0, own, before) : NULL});
}

/* How many leading blocks the chains have in common. */
static uint32_t in_common(const struct dyno_kv_link *a, uint32_t a_count,
                          const struct dyno_kv_link *b, uint32_t b_count)
{
    uint32_t count = a_count < b_count ? a_count : b_count, blocks = 0;

    for (uint32_t i = 0; i < count && a[i].span == b[i].span; i++) {
        blocks += a[i].blocks < b[i].blocks ? a[i].blocks : b[i].blocks;
        if (a[i].blocks != b[i].blocks) {
            break;
        }
    }
    return blocks;
}

/* Whether some of the chain's first `blocks` blocks are computed by the worker's pass in flight. */
static bool is_in_flight(const struct dyno_local *local, const struct dyno_worker *worker,
                         const struct dyno_kv_link *links, uint32_t link_count, uint32_t blocks)
{
    for (uint32_t i = 0; worker->busy && i < worker->slice_count; i++) {
        const struct dyno_slice *slice = &worker->slices[i];
        const struct dyno_seq *seq = &local->seqs[worker->seq_of_slot[slice->slot]];
        uint32_t first = slice->first / local->config.worker.block_tokens;
        uint32_t common = in_common(links, link_count, seq->links, seq->link_count);

        common = common < seq->held_blocks ? common : seq->held_blocks;
        if (first < common && first < blocks) {
            return true;
        }
    }
    return false;
}

/* The peer's pass in flight is to end first. */
static bool has_to_wait(const struct dyno_tiers *tiers, const struct dyno_move *move, dyno_ns now)
{
    struct dyno_kv_link *links = dyno_move_links(move, dyno_move_end(tiers, DYNO_FROM_GPU));
    struct dyno_local *local = move->local;
    const struct dyno_worker *peer = &local->workers[move->peer];
    uint32_t blocks = move->part_to[DYNO_FROM_GPU], found, idle;

    if (!peer->busy || peer->halted) {
        return false;
    }
    dyno_local_sync_worker(local, move->peer, now);
    found = dyno_kv_find(&peer->cache, links, move->link_count, blocks, &idle);
    if (is_in_flight(local, peer, links, move->link_count, found)) {
        return true;
    }
    if (!peer->places || peer->pass_steps == 1 ||
        !dyno_kv_places_any_lent(peer->places, links, found)) {
        return false;
    }
    local->config.device->ops->stop(local->config.device, move->peer, now, 0);
    return true;
}

dyno_status dyno_peers_ask(struct dyno_local *local, dyno_ns now)
{
    struct dyno_tiers *tiers = local->config.tiers;
    struct dyno_peers *peers = local->peers;
    uint32_t left = 0;

    for (uint32_t i = 0; i < peers->asking_count; i++) {
        uint32_t move = peers->asking[i];

        if (has_to_wait(tiers, dyno_move_at(tiers, move), now)) {
            peers->asking[left++] = move;
        } else {
            DYNO_TRY(ask(tiers, move, now));
        }
    }
    peers->asking_count = left;
    local->pulls_wait = left > 0;
    local->pulls_due = DYNO_NEVER;
    return DYNO_OK;
}

void dyno_peer_leave(const struct dyno_tiers *tiers, struct dyno_move *move)
{
    struct dyno_worker *peer = &move->local->workers[move->peer];
    uint32_t end = dyno_move_end(tiers, DYNO_FROM_GPU);

    if (move->peer_held == 0) {
        return;
    }
    dyno_move_place_leave(move, end, &peer->cache, move->peer_held);
    dyno_kv_let_go(&peer->cache, dyno_move_links(move, end), move->link_count, move->peer_held);
    peer->moves_on_way--;
    peer->blocks_storing -= move->peer_held;
    move->peer_held = 0;
}

void dyno_peer_left(const struct dyno_tiers *tiers, struct dyno_move *move, dyno_ns now)
{
    const struct dyno_kv_cache *cache = dyno_move_cache(tiers, move, DYNO_FROM_GPU);
    bool held = move->peer_held > 0;
    uint32_t idle;

    dyno_local_sync_worker(move->local, move->peer, now);
    idle = cache->idle;
    dyno_peer_leave(tiers, move);
    if (held) {
        dyno_move_left(move->local, move->peer, now, cache->idle > idle);
    }
}
