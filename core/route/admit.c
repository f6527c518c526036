#include "core/route/admit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/heap.h"
#include "core/base/map.h"
#include "core/base/pool.h"

enum { NOBODY = UINT32_MAX };

/* One who waits, by place. */
struct entry {
    uint32_t cost;
    uint32_t flow;       /* its place in flows */
    uint32_t prev, next; /* in its flow, in order of coming */
};

/* Those who wait of one class or tenant.  It is there while somebody waits. */
struct flow {
    uint32_t key; /* the class or tenant; the pool links unused places here */
    uint32_t weight;
    uint32_t first, last; /* entries */
    uint32_t prev, next;  /* flows, around the ring */
    bool visited;         /* it is its turn: it was given its quantum */
    int64_t deficit;      /* tokens that it may still let in; negative: it owes some */
};

struct dyno_admit {
    struct dyno_admit_config config;
    uint64_t entered;      /* so far */
    struct dyno_heap keys; /* of a policy that orders requests */
    struct entry *entries; /* [capacity]; of one that orders flows, and so on */
    uint32_t capacity;
    struct dyno_map flow_of; /* key -> its place in flows */
    struct dyno_pool flows;
    uint32_t turn; /* the flow whose turn it is; NOBODY: nobody waits */
    uint32_t flow_count;
};

/* ---- the policies ---------------------------------------------------------------------------- */

static uint64_t first_come(const struct dyno_admit *admit, const struct dyno_admit_request *request)
{
    (void)request;
    return admit->entered;
}

static uint64_t last_come(const struct dyno_admit *admit, const struct dyno_admit_request *request)
{
    (void)request;
    return UINT64_MAX - admit->entered;
}

static uint32_t weight_of_class(const struct dyno_admit *admit, uint32_t index)
{
    return admit->config.classes.count > 0 ? admit->config.classes.of[index].weight : 1;
}

/* Smith's rule: ascending by time over weight.  In sixteenths of a token, and ties by who came
 * first, as long as fewer than 2^32 come while one waits. */
static uint64_t shortest(const struct dyno_admit *admit, const struct dyno_admit_request *request)
{
    uint32_t class_index = dyno_admit_class_of(&admit->config.classes, request->priority);
    uint64_t ratio = request->cost * 16ULL / weight_of_class(admit, class_index);

    return (ratio < UINT32_MAX ? ratio : UINT32_MAX) << 32 | (uint32_t)admit->entered;
}

static uint32_t by_class(const struct dyno_admit *admit, const struct dyno_admit_request *request,
                         uint32_t *weight)
{
    uint32_t index = dyno_admit_class_of(&admit->config.classes, request->priority);

    *weight = weight_of_class(admit, index);
    return index;
}

static uint32_t by_tenant(const struct dyno_admit *admit, const struct dyno_admit_request *request,
                          uint32_t *weight)
{
    (void)admit;
    *weight = 1;
    return request->tenant;
}

const struct dyno_admit_policy dyno_admit_table[] = {
    {.name = "fcfs", .help = "first come, first served", .key = first_come},
    {.name = "lcfs", .help = "last come, first served", .key = last_come},
    {.name = "wspt",
     .help = "shortest first: prompt tokens over the weight of its class",
     .key = shortest},
    {.name = "priority",
     .help = "classes of priority share by weight (deficit round robin)",
     .flow = by_class},
    {.name = "fair",
     .help = "tenants share alike, in prompt tokens (deficit round robin)",
     .flow = by_tenant},
    {.name = NULL},
};

const struct dyno_admit_policy *dyno_admit_find(const char *name)
{
    for (const struct dyno_admit_policy *row = dyno_admit_table; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

uint32_t dyno_admit_class_of(const struct dyno_admit_classes *classes, int32_t priority)
{
    uint32_t index = 0;

    while (index + 1 < classes->count && classes->of[index + 1].priority <= priority) {
        index++;
    }
    return index;
}

/* ---- flows ----------------------------------------------------------------------------------- */

static struct flow *flow_at(const struct dyno_admit *admit, uint32_t place)
{
    return dyno_pool_at(&admit->flows, place);
}

/* A new flow's turn comes last: just before the one whose turn it is. */
static void link_flow(struct dyno_admit *admit, uint32_t place)
{
    struct flow *flow = flow_at(admit, place), *turn;

    admit->flow_count++;
    if (admit->turn == NOBODY) {
        flow->prev = flow->next = admit->turn = place;
        return;
    }
    turn = flow_at(admit, admit->turn);
    flow->next = admit->turn;
    flow->prev = turn->prev;
    flow_at(admit, turn->prev)->next = place;
    turn->prev = place;
}

/* Nobody of it waits any more; what it did not use is lost. */
static void drop_flow(struct dyno_admit *admit, uint32_t place)
{
    struct flow *flow = flow_at(admit, place);

    admit->flow_count--;
    if (admit->turn == place) {
        admit->turn = flow->next == place ? NOBODY : flow->next;
    }
    flow_at(admit, flow->prev)->next = flow->next;
    flow_at(admit, flow->next)->prev = flow->prev;
    dyno_map_remove(&admit->flow_of, flow->key);
    dyno_pool_give(&admit->flows, place);
}

/* DYNO_POOL_NONE: memory is out. */
static uint32_t flow_for(struct dyno_admit *admit, uint32_t key, uint32_t weight)
{
    int is_new;
    uint32_t *found = dyno_map_put(&admit->flow_of, key, DYNO_POOL_NONE, &is_new);
    uint32_t place;

    if (!found) {
        return DYNO_POOL_NONE;
    }
    if (!is_new) {
        return *found;
    }
    place = dyno_pool_take(&admit->flows);
    if (place == DYNO_POOL_NONE) {
        dyno_map_remove(&admit->flow_of, key);
        return DYNO_POOL_NONE;
    }
    *found = place;
    *flow_at(admit, place) =
        (struct flow){.key = key, .weight = weight, .first = NOBODY, .last = NOBODY};
    link_flow(admit, place);
    return place;
}

static void append(struct dyno_admit *admit, struct flow *flow, uint32_t place)
{
    struct entry *entry = &admit->entries[place];

    entry->prev = flow->last;
    entry->next = NOBODY;
    if (flow->last == NOBODY) {
        flow->first = place;
    } else {
        admit->entries[flow->last].next = place;
    }
    flow->last = place;
}

static void unlink_entry(struct dyno_admit *admit, uint32_t place)
{
    const struct entry *entry = &admit->entries[place];
    struct flow *flow = flow_at(admit, entry->flow);

    if (entry->prev == NOBODY) {
        flow->first = entry->next;
    } else {
        admit->entries[entry->prev].next = entry->next;
    }
    if (entry->next == NOBODY) {
        flow->last = entry->prev;
    } else {
        admit->entries[entry->next].prev = entry->prev;
    }
    if (flow->first == NOBODY) {
        drop_flow(admit, entry->flow);
    }
}

static int64_t quantum_of(const struct dyno_admit *admit, const struct flow *flow)
{
    return (int64_t)admit->config.quantum * flow->weight;
}

/* Nobody's first could go in a whole round: the rounds until somebody's can, but for the last, at
 * once. */
static void skip_rounds(struct dyno_admit *admit)
{
    int64_t rounds = INT64_MAX;
    uint32_t place = admit->turn;

    for (uint32_t i = 0; i < admit->flow_count; i++) {
        const struct flow *flow = flow_at(admit, place);
        int64_t missing = admit->entries[flow->first].cost - flow->deficit;
        int64_t needs = (missing + quantum_of(admit, flow) - 1) / quantum_of(admit, flow);

        rounds = needs < rounds ? needs : rounds;
        place = flow->next;
    }
    for (uint32_t i = 0; i < admit->flow_count; i++) {
        struct flow *flow = flow_at(admit, place);

        flow->deficit += (rounds - 1) * quantum_of(admit, flow);
        place = flow->next;
    }
}

static uint32_t take_by_turns(struct dyno_admit *admit)
{
    uint32_t passed = 0;

    for (;;) {
        struct flow *flow = flow_at(admit, admit->turn);
        uint32_t first = flow->first;

        if (!flow->visited) {
            flow->visited = true;
            flow->deficit += quantum_of(admit, flow);
        }
        if (admit->entries[first].cost <= flow->deficit) {
            flow->deficit -= admit->entries[first].cost;
            unlink_entry(admit, first);
            return first;
        }
        flow->visited = false;
        admit->turn = flow->next;
        if (++passed == admit->flow_count) {
            skip_rounds(admit);
            passed = 0;
        }
    }
}

/* ---- coming and going ------------------------------------------------------------------------ */

static dyno_status reserve(struct dyno_admit *admit, uint32_t place)
{
    uint32_t capacity = place < 32 ? 64 : 2 * (place + 1);
    struct entry *entries;

    if (place < admit->capacity) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_heap_reserve(&admit->keys, capacity));
    entries = realloc(admit->entries, capacity * sizeof *entries);
    if (!entries) {
        return DYNO_NO_MEMORY;
    }
    admit->entries = entries;
    admit->capacity = capacity;
    return DYNO_OK;
}

dyno_status dyno_admit_enter(struct dyno_admit *admit, uint32_t place,
                             const struct dyno_admit_request *request)
{
    const struct dyno_admit_policy *policy = admit->config.policy;
    uint32_t weight, key, flow;

    assert(request->cost >= 1);
    DYNO_TRY(reserve(admit, place));
    if (policy->key) {
        dyno_heap_set(&admit->keys, place, policy->key(admit, request));
        admit->entered++;
        return DYNO_OK;
    }
    key = policy->flow(admit, request, &weight);
    flow = flow_for(admit, key, weight);
    if (flow == DYNO_POOL_NONE) {
        return DYNO_NO_MEMORY;
    }
    admit->entries[place] = (struct entry){.cost = request->cost, .flow = flow};
    append(admit, flow_at(admit, flow), place);
    return DYNO_OK;
}

void dyno_admit_leave(struct dyno_admit *admit, uint32_t place)
{
    if (admit->config.policy->key) {
        dyno_heap_remove(&admit->keys, place);
    } else {
        unlink_entry(admit, place);
    }
}

void dyno_admit_charge(struct dyno_admit *admit, const struct dyno_admit_request *request,
                       uint32_t tokens)
{
    const struct dyno_admit_policy *policy = admit->config.policy;
    const uint32_t *found;
    uint32_t weight;

    if (policy->key) {
        return;
    }
    found = dyno_map_find(&admit->flow_of, policy->flow(admit, request, &weight));
    if (found) {
        flow_at(admit, *found)->deficit -= tokens;
    }
}

uint32_t dyno_admit_take(struct dyno_admit *admit)
{
    uint32_t place;

    if (!admit->config.policy->key) {
        return take_by_turns(admit);
    }
    place = dyno_heap_top(&admit->keys).id;
    dyno_heap_remove(&admit->keys, place);
    return place;
}

dyno_status dyno_admit_open(struct dyno_admit **out, const struct dyno_admit_config *config)
{
    struct dyno_admit *admit = calloc(1, sizeof *admit);

    if (!admit) {
        return DYNO_NO_MEMORY;
    }
    admit->config = *config;
    if (!config->policy) {
        admit->config.policy = dyno_admit_table;
    }
    if (config->quantum == 0) {
        admit->config.quantum = 1;
    }
    admit->turn = NOBODY;
    dyno_pool_init(&admit->flows, sizeof(struct flow));
    *out = admit;
    return DYNO_OK;
}

void dyno_admit_close(struct dyno_admit *admit)
{
    if (admit) {
        dyno_heap_release(&admit->keys);
        dyno_map_release(&admit->flow_of);
        dyno_pool_release(&admit->flows);
        free(admit->entries);
        free(admit);
    }
}
