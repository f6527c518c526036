#include "core/kv/evict.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static uint32_t by_uses(uint32_t uses, uint32_t cost)
{
    (void)cost;
    return uses;
}

static uint32_t by_cost(uint32_t uses, uint32_t cost)
{
    return uses * cost;
}

const struct dyno_kv_evict dyno_kv_evict_table[] = {
    {"lru", "the least recently used first", NULL, false},
    {"lfu", "the least often used first, with aging", by_uses, false},
    {"cost", "what is used least often and computed again most cheaply first, with aging", by_cost,
     true},
    {NULL, NULL, NULL, false},
};

const struct dyno_kv_evict *dyno_kv_evict_find(const char *name)
{
    for (const struct dyno_kv_evict *row = dyno_kv_evict_table; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

/* ---- ranks ----------------------------------------------------------------------------------- */

enum { CLOCK_BITS = 36 }; /* of a key: when it became idle; above that its rank */

#define RANK_MAX ((1u << (64 - CLOCK_BITS)) - 1)

dyno_status dyno_kv_ranking_reserve(struct dyno_kv_ranking *ranking, uint32_t count)
{
    struct dyno_kv_rank *ranks = realloc(ranking->ranks, count * sizeof *ranks);

    if (!ranks) {
        return DYNO_NO_MEMORY;
    }
    ranking->ranks = ranks;
    return dyno_heap_reserve(&ranking->idle, count);
}

void dyno_kv_ranking_release(struct dyno_kv_ranking *ranking)
{
    free(ranking->ranks);
    dyno_heap_release(&ranking->idle);
}

void dyno_kv_ranking_raise(struct dyno_kv_ranking *ranking, uint32_t run)
{
    struct dyno_kv_rank *own = &ranking->ranks[run];
    uint64_t rank = (uint64_t)ranking->level + ranking->policy->worth(own->uses, ranking->cost);

    rank = rank < RANK_MAX ? rank : RANK_MAX;
    own->rank = own->rank > rank ? own->rank : (uint32_t)rank;
}

void dyno_kv_ranking_idle(struct dyno_kv_ranking *ranking, uint32_t run, uint32_t after)
{
    dyno_heap_set(&ranking->idle, run,
                  (uint64_t)ranking->ranks[run].rank << CLOCK_BITS | (ranking->clock - after));
}

void dyno_kv_ranking_split(struct dyno_kv_ranking *ranking, uint32_t run, uint32_t tail)
{
    ranking->ranks[tail] = ranking->ranks[run];
    if (dyno_heap_has(&ranking->idle, run)) { /* which is about to be held */
        dyno_heap_set(&ranking->idle, tail, dyno_heap_key_of(&ranking->idle, run));
    }
}

uint32_t dyno_kv_ranking_next(struct dyno_kv_ranking *ranking)
{
    uint32_t run = dyno_heap_top(&ranking->idle).id;

    ranking->level = ranking->ranks[run].rank;
    return run;
}
