/* The order of those who wait: longest prefix match first (SGLang's `lpm`).
 *
 * Sorted whenever somebody may be admitted, by how many leading tokens are cached; among equals
 * whoever stood first.  Of prompts with hardly anything cached that begin alike only the first
 * keeps its place: the others would compute what they could find in cache a pass later, and go
 * last.  A queue of more than 128 is left as it is, because SGLang finds sorting it too expensive.
 *
 * Source: SGLang 0.5, schedule_policy.py (SchedulePolicy).
 */
#include "core/worker/fleet.h"

enum { SORTED_MAX = 128, HARDLY_TOKENS = 32 };

struct place {
    uint32_t seq;
    uint32_t cached_tokens;
    bool goes_last;
};

/* Tokens at the head of the prompt that others in line will compute. */
static uint64_t tokens_asked(const struct dyno_local *local, const struct dyno_seq *seq)
{
    uint64_t blocks = 0;

    for (uint32_t i = 0; i < seq->link_count; i++) {
        const uint32_t *asked = dyno_map_find(&local->asked, seq->links[i].span);

        if (!asked || *asked < seq->links[i].blocks) {
            blocks += asked ? *asked : 0;
            break;
        }
        blocks += seq->links[i].blocks;
    }
    return blocks * local->config.worker.block_tokens;
}

static dyno_status ask(struct dyno_local *local, const struct dyno_seq *seq)
{
    for (uint32_t i = 0; i < seq->link_count; i++) {
        uint32_t *asked = dyno_map_put(&local->asked, seq->links[i].span, 0, NULL);

        if (!asked) {
            return DYNO_NO_MEMORY;
        }
        *asked = *asked > seq->links[i].blocks ? *asked : seq->links[i].blocks;
    }
    return DYNO_OK;
}

static dyno_status judge(struct dyno_local *local, const struct dyno_worker *worker,
                         struct place *place)
{
    struct dyno_seq *seq = &local->seqs[place->seq];
    uint32_t size = local->config.worker.block_tokens, idle;

    if (seq->link_count == 0) {
        return DYNO_OK;
    }
    place->cached_tokens = size * dyno_kv_find(&worker->cache, seq->links, seq->link_count,
                                               (seq->target - 1) / size, &idle);
    if (place->cached_tokens > HARDLY_TOKENS) {
        return DYNO_OK;
    }
    place->goes_last = tokens_asked(local, seq) >= HARDLY_TOKENS;
    return place->goes_last ? DYNO_OK : ask(local, seq);
}

static bool goes_before(const struct place *a, const struct place *b)
{
    return a->goes_last != b->goes_last ? b->goes_last
                                        : !a->goes_last && a->cached_tokens > b->cached_tokens;
}

static void sort(struct place *places, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct place place = places[i];
        uint32_t to = i;

        for (; to > 0 && goes_before(&place, &places[to - 1]); to--) {
            places[to] = places[to - 1];
        }
        places[to] = place;
    }
}

dyno_status dyno_queue_sort(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now)
{
    struct place places[SORTED_MAX];
    uint32_t count = 0;

    if (local->config.worker.queue_order != DYNO_QUEUE_LPM || !local->config.worker.prefix_cache) {
        return DYNO_OK;
    }
    for (uint32_t i = worker->waiting.first; i != DYNO_NO_SEQ; i = local->seqs[i].next) {
        if (!dyno_seq_is_seen(local, worker, &local->seqs[i], now)) {
            break; /* it comes behind all others, and is not there yet */
        }
        if (count == SORTED_MAX) {
            return DYNO_OK;
        }
        places[count++] = (struct place){.seq = i};
    }
    dyno_map_clear(&local->asked);
    for (uint32_t i = 0; i < count; i++) {
        DYNO_TRY(judge(local, worker, &places[i]));
    }
    sort(places, count);
    for (uint32_t i = count; i-- > 0;) {
        dyno_seq_unlink(local, &worker->waiting, places[i].seq);
        dyno_seq_prepend(local, &worker->waiting, places[i].seq);
    }
    return DYNO_OK;
}
