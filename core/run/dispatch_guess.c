/* What workers may have cached, by what was routed to them: for routing without cache events.
 *
 * An entry is (span, worker) and lives for a fixed time from when a prompt with that span last went
 * to that worker.  As the time is the same for all, the order of last use is the order of expiry:
 * one list, no heap.  A prompt's deeper spans come before its first ones in that order, so that a
 * chain loses its end first.  When the entries hold more blocks than allowed, the oldest go until
 * four fifths of that are left.
 *
 * The entry of a pair is found by one hash of both; two pairs with equal hashes would share an
 * entry. That is as unlikely as two prompts with equal identities.
 */
#include <stdlib.h>
#include <string.h>

#include "core/run/dispatch_parts.h"

struct guess_entry {
    uint64_t span;
    dyno_ns expires;
    uint32_t worker;
    uint32_t blocks; /* 0: unused */
    uint32_t older;
    uint32_t newer;
};

static uint64_t key_of(uint64_t span, uint32_t worker)
{
    return dyno_chain(span, worker);
}

static struct guess_entry *entry_at(const struct dyno_guess *guess, uint32_t place)
{
    return dyno_pool_at(&guess->entries, place);
}

static void unlink_entry(struct dyno_guess *guess, uint32_t place)
{
    const struct guess_entry *entry = entry_at(guess, place);

    if (entry->older == DYNO_POOL_NONE) {
        guess->oldest = entry->newer;
    } else {
        entry_at(guess, entry->older)->newer = entry->newer;
    }
    if (entry->newer == DYNO_POOL_NONE) {
        guess->newest = entry->older;
    } else {
        entry_at(guess, entry->newer)->older = entry->older;
    }
}

static void link_newest(struct dyno_guess *guess, uint32_t place)
{
    struct guess_entry *entry = entry_at(guess, place);

    entry->older = guess->newest;
    entry->newer = DYNO_POOL_NONE;
    if (guess->newest == DYNO_POOL_NONE) {
        guess->oldest = place;
    } else {
        entry_at(guess, guess->newest)->newer = place;
    }
    guess->newest = place;
}

static void forget(struct dyno_guess *guess, uint32_t place)
{
    struct guess_entry *entry = entry_at(guess, place);

    dyno_map_remove(&guess->entry_of, key_of(entry->span, entry->worker));
    unlink_entry(guess, place);
    guess->blocks -= entry->blocks;
    entry->blocks = 0;
    dyno_pool_give(&guess->entries, place);
}

static dyno_status forget_oldest(struct dyno_guess *guess, struct dyno_kv_index *index)
{
    const struct guess_entry *entry = entry_at(guess, guess->oldest);

    DYNO_TRY(dyno_kv_index_set(index, entry->span, entry->worker, 0));
    forget(guess, guess->oldest);
    return DYNO_OK;
}

/* The pair's entry, made with no blocks if it has none; DYNO_POOL_NONE: memory is out. */
static uint32_t entry_for(struct dyno_guess *guess, uint64_t span, uint32_t worker)
{
    uint64_t key = key_of(span, worker);
    int is_new;
    uint32_t *place = dyno_map_put(&guess->entry_of, key, DYNO_POOL_NONE, &is_new);
    uint32_t taken;

    if (!place) {
        return DYNO_POOL_NONE;
    }
    if (!is_new) {
        unlink_entry(guess, *place);
        return *place;
    }
    taken = dyno_pool_take(&guess->entries);
    if (taken == DYNO_POOL_NONE) {
        dyno_map_remove(&guess->entry_of, key);
        return DYNO_POOL_NONE;
    }
    *place = taken;
    *entry_at(guess, taken) = (struct guess_entry){.span = span, .worker = worker};
    return taken;
}

static dyno_status note(struct dyno_guess *guess, struct dyno_kv_index *index, uint32_t worker,
                        const struct dyno_span *span, dyno_ns now)
{
    uint32_t place = entry_for(guess, span->id, worker);
    struct guess_entry *entry;

    if (place == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    link_newest(guess, place);
    entry = entry_at(guess, place);
    entry->expires = now > DYNO_NEVER - guess->ttl_ns ? DYNO_NEVER : now + guess->ttl_ns;
    if (entry->blocks >= span->blocks) {
        return DYNO_OK;
    }
    guess->blocks += span->blocks - entry->blocks;
    entry->blocks = span->blocks;
    return dyno_kv_index_set(index, span->id, worker, span->blocks);
}

void dyno_guess_init(struct dyno_guess *guess, dyno_ns ttl_ns, uint32_t blocks_max)
{
    *guess = (struct dyno_guess){.ttl_ns = ttl_ns,
                                 .blocks_max = blocks_max,
                                 .oldest = DYNO_POOL_NONE,
                                 .newest = DYNO_POOL_NONE};
    dyno_pool_init(&guess->entries, sizeof(struct guess_entry));
}

void dyno_guess_release(struct dyno_guess *guess)
{
    dyno_map_release(&guess->entry_of);
    dyno_pool_release(&guess->entries);
    memset(guess, 0, sizeof *guess);
}

dyno_status dyno_guess_expire(struct dyno_guess *guess, struct dyno_kv_index *index, dyno_ns now)
{
    while (guess->oldest != DYNO_POOL_NONE && entry_at(guess, guess->oldest)->expires <= now) {
        DYNO_TRY(forget_oldest(guess, index));
    }
    return DYNO_OK;
}

dyno_status dyno_guess_note(struct dyno_guess *guess, struct dyno_kv_index *index, uint32_t worker,
                            const struct dyno_span *spans, uint32_t span_count, dyno_ns now)
{
    for (uint32_t i = span_count; i-- > 0;) {
        DYNO_TRY(note(guess, index, worker, &spans[i], now));
    }
    if (guess->blocks > guess->blocks_max) {
        while (guess->blocks > guess->blocks_max * 4 / 5) {
            DYNO_TRY(forget_oldest(guess, index));
        }
    }
    return DYNO_OK;
}

void dyno_guess_drop_worker(struct dyno_guess *guess, uint32_t worker)
{
    for (uint32_t place = 0; place < guess->entries.used; place++) {
        if (entry_at(guess, place)->blocks && entry_at(guess, place)->worker == worker) {
            forget(guess, place);
        }
    }
}
