/* Numbers for blocks: see the header for where a block can be.
 *
 * A span's resident blocks are always its first ones, so a span is a plain list of numbers that
 * grows and shrinks at its end.  Idle blocks that nobody will ask for are evicted in the order in
 * which they were retired, each sequence's deepest first: a queue.
 */
#include "core/kv/places.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MIN = 8 };

struct numbers {  /* a list of block numbers */
    uint32_t *at; /* [count] */
    uint32_t count, capacity;
    uint32_t next; /* of spans and tables: the next unused one */
};

struct queue {    /* a ring of block numbers: first in, first out */
    uint32_t *at; /* [size] */
    uint32_t size, head, count;
};

struct dyno_kv_places {
    uint32_t capacity, slots;
    struct queue free, idle; /* idle: contents that nobody will ask for */
    struct numbers *tables;  /* [tables_capacity], of slots and beyond; unused ones are linked */
    uint32_t tables_capacity, tables_unused;
    const uint32_t **table_of; /* [slots]: tables[].at */
    struct dyno_map span_of;   /* span -> index in spans */
    struct numbers *spans;     /* [spans_capacity] */
    uint32_t spans_capacity, spans_unused;
    /* What was lent since lend_start, and where the next one comes from. */
    struct numbers lent;
    uint32_t lend_free, lend_idle; /* of either queue, so many lie behind */
    uint32_t lend_run, lend_used;  /* the idle run that is next, and so many of its blocks */
};

/* ---- lists and queues ------------------------------------------------------------------------ */

static dyno_status push(struct numbers *numbers, uint32_t number)
{
    if (numbers->count == numbers->capacity) {
        uint32_t capacity = numbers->capacity ? 2 * numbers->capacity : NUMBERS_MIN;
        uint32_t *at = realloc(numbers->at, capacity * sizeof *at);

        if (!at) {
            return DYNO_NO_MEMORY;
        }
        numbers->at = at;
        numbers->capacity = capacity;
    }
    numbers->at[numbers->count++] = number;
    return DYNO_OK;
}

static uint32_t queue_look(const struct queue *queue, uint32_t index)
{
    assert(index < queue->count);
    return queue->at[(queue->head + (uint64_t)index) % queue->size];
}

static void enqueue(struct queue *queue, uint32_t number)
{
    assert(queue->count < queue->size);
    queue->at[(queue->head + (uint64_t)queue->count) % queue->size] = number;
    queue->count++;
}

static uint32_t dequeue(struct queue *queue)
{
    uint32_t number = queue_look(queue, 0);

    queue->head = (queue->head + 1) % queue->size;
    queue->count--;
    return number;
}

/* ---- spans ----------------------------------------------------------------------------------- */

static struct numbers *find_span(const struct dyno_kv_places *places, uint64_t span)
{
    const uint32_t *index = dyno_map_find(&places->span_of, span);

    return index ? &places->spans[*index] : NULL;
}

static dyno_status grow_spans(struct dyno_kv_places *places)
{
    uint32_t capacity = places->spans_capacity ? 2 * places->spans_capacity : NUMBERS_MIN;
    struct numbers *spans = realloc(places->spans, capacity * sizeof *spans);

    if (!spans) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = places->spans_capacity; i < capacity; i++) {
        spans[i] = (struct numbers){.next = i + 1 < capacity ? i + 1 : UINT32_MAX};
    }
    places->spans = spans;
    places->spans_unused = places->spans_capacity;
    places->spans_capacity = capacity;
    return DYNO_OK;
}

static dyno_status find_or_make_span(struct dyno_kv_places *places, uint64_t span,
                                     struct numbers **out)
{
    int is_new;
    uint32_t *index;

    if (places->spans_unused == UINT32_MAX) {
        DYNO_TRY(grow_spans(places));
    }
    index = dyno_map_put(&places->span_of, span, places->spans_unused, &is_new);
    if (!index) {
        return DYNO_NO_MEMORY;
    }
    if (is_new) {
        places->spans_unused = places->spans[*index].next;
    }
    *out = &places->spans[*index];
    return DYNO_OK;
}

static void forget_span(struct dyno_kv_places *places, uint64_t span)
{
    uint32_t index = *dyno_map_find(&places->span_of, span);

    places->spans[index].next = places->spans_unused; /* its memory is kept for the next span */
    places->spans_unused = index;
    dyno_map_remove(&places->span_of, span);
}

/* ---- what the cache does --------------------------------------------------------------------- */

/* A list may have moved: say where it is now. */
static dyno_status push_to_table(struct dyno_kv_places *places, uint32_t table, uint32_t number)
{
    DYNO_TRY(push(&places->tables[table], number));
    if (table < places->slots) {
        places->table_of[table] = places->tables[table].at;
    }
    return DYNO_OK;
}

dyno_status dyno_kv_places_hold(struct dyno_kv_places *places, uint32_t table,
                                const struct dyno_kv_link *links, uint32_t blocks)
{
    assert(places->tables[table].count == 0);
    for (uint32_t i = 0; blocks > 0; i++) {
        const struct numbers *span = find_span(places, links[i].span);
        uint32_t here = links[i].blocks < blocks ? links[i].blocks : blocks;

        assert(span && span->count >= here);
        for (uint32_t j = 0; j < here; j++) {
            DYNO_TRY(push_to_table(places, table, span->at[j]));
        }
        blocks -= here;
    }
    return DYNO_OK;
}

dyno_status dyno_kv_places_take(struct dyno_kv_places *places, uint32_t table, uint32_t blocks)
{
    for (uint32_t i = 0; i < blocks; i++) {
        DYNO_TRY(push_to_table(places, table, queue_look(&places->free, 0)));
        (void)dequeue(&places->free);
    }
    return DYNO_OK;
}

/* Table entry `*place` becomes block `index` of the span; a block that the span has already
 * replaces the copy. */
static dyno_status seal_block(struct dyno_kv_places *places, struct numbers *span, uint32_t index,
                              uint32_t *place)
{
    if (index < span->count) {
        enqueue(&places->free, *place);
        *place = span->at[index];
        return DYNO_OK;
    }
    assert(index == span->count);
    return push(span, *place);
}

dyno_status dyno_kv_places_seal(struct dyno_kv_places *places, uint32_t table,
                                const struct dyno_kv_link *links, uint32_t link_count,
                                uint32_t from, uint32_t to)
{
    uint32_t start = 0; /* index in the chain of the link's first block */

    for (uint32_t i = 0; i < link_count && start < to; i++) {
        uint32_t end = start + links[i].blocks;
        uint32_t first = from > start ? from : start, last = to < end ? to : end;
        struct numbers *span;

        if (first < last) {
            DYNO_TRY(find_or_make_span(places, links[i].span, &span));
            for (uint32_t j = first; j < last; j++) {
                DYNO_TRY(seal_block(places, span, j - start, &places->tables[table].at[j]));
            }
        }
        start = end;
    }
    return DYNO_OK;
}

uint32_t dyno_kv_places_resident(const struct dyno_kv_places *places,
                                 const struct dyno_kv_link *links, uint32_t link_count,
                                 uint32_t from, uint32_t to)
{
    uint32_t start = 0, count = 0;

    for (uint32_t i = 0; i < link_count && start < to; i++) {
        uint32_t end = start + links[i].blocks;
        uint32_t first = from > start ? from : start, last = to < end ? to : end;

        if (first < last) {
            const struct numbers *span = find_span(places, links[i].span);
            uint32_t there = start + (span ? span->count : 0);

            if (there < last) {
                return there > first ? count + there - first : count;
            }
            count += last - first;
        }
        start = end;
    }
    return count;
}

void dyno_kv_places_retire(struct dyno_kv_places *places, uint32_t table, uint32_t held)
{
    struct numbers *of = &places->tables[table];

    assert(of->count >= held);
    while (of->count > held) { /* deepest first, as they will be evicted */
        enqueue(&places->idle, of->at[--of->count]);
    }
    of->count = 0;
}

void dyno_kv_places_drop_after(struct dyno_kv_places *places, uint32_t table, uint32_t blocks)
{
    struct numbers *of = &places->tables[table];

    assert(of->count >= blocks);
    for (uint32_t i = blocks; i < of->count; i++) {
        enqueue(&places->free, of->at[i]);
    }
    of->count = blocks;
}

void dyno_kv_places_drop(struct dyno_kv_places *places, uint32_t table, uint32_t held)
{
    dyno_kv_places_drop_after(places, table, held);
    places->tables[table].count = 0;
}

void dyno_kv_places_evicted(struct dyno_kv_places *places, uint64_t span, uint32_t count)
{
    struct numbers *blocks = span != 0 ? find_span(places, span) : NULL;

    assert(span == 0 || (blocks && blocks->count >= count));
    for (uint32_t i = 0; i < count; i++) {
        enqueue(&places->free, blocks ? blocks->at[--blocks->count] : dequeue(&places->idle));
    }
    if (blocks && blocks->count == 0) {
        forget_span(places, span);
    }
}

/* ---- tables beyond the slots ----------------------------------------------------------------- */

static dyno_status grow_tables(struct dyno_kv_places *places)
{
    uint32_t from = places->tables_capacity, to = from > 0 ? 2 * from : NUMBERS_MIN;
    struct numbers *tables = realloc(places->tables, to * sizeof *tables);

    if (!tables) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = from; i < to; i++) {
        tables[i] = (struct numbers){.next = i + 1 < to ? i + 1 : UINT32_MAX};
    }
    places->tables = tables;
    places->tables_unused = from;
    places->tables_capacity = to;
    return DYNO_OK;
}

dyno_status dyno_kv_places_add(struct dyno_kv_places *places, uint32_t *table)
{
    if (places->tables_unused == UINT32_MAX) {
        DYNO_TRY(grow_tables(places));
    }
    *table = places->tables_unused;
    places->tables_unused = places->tables[*table].next;
    return DYNO_OK;
}

void dyno_kv_places_remove(struct dyno_kv_places *places, uint32_t table)
{
    assert(table >= places->slots && places->tables[table].count == 0);
    places->tables[table].next = places->tables_unused; /* its memory is kept for the next one */
    places->tables_unused = table;
}

dyno_status dyno_kv_places_park(struct dyno_kv_places *places, uint32_t slot, uint32_t *table)
{
    struct numbers was;

    assert(slot < places->slots);
    DYNO_TRY(dyno_kv_places_add(places, table));
    was = places->tables[*table];
    places->tables[*table] = places->tables[slot];
    places->tables[slot] = was;
    places->table_of[slot] = was.at;
    return DYNO_OK;
}

void dyno_kv_places_prefer(struct dyno_kv_places *places, const uint32_t *numbers, uint32_t count)
{
    uint8_t *is_named = calloc(places->capacity, 1);

    assert(places->free.count == places->capacity);
    if (!is_named) {
        return; /* they will not be found again, and nothing else is lost */
    }
    places->free.head = places->free.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert(numbers[i] < places->capacity && !is_named[numbers[i]]);
        is_named[numbers[i]] = 1;
        enqueue(&places->free, numbers[i]);
    }
    for (uint32_t i = 0; i < places->capacity; i++) {
        if (!is_named[i]) {
            enqueue(&places->free, i);
        }
    }
    free(is_named);
}

/* Lists from `first` on are unused, one linked to the next; returns the first of them. */
static uint32_t link_unused(struct numbers *lists, uint32_t first, uint32_t capacity)
{
    for (uint32_t i = first; i < capacity; i++) {
        lists[i].next = i + 1 < capacity ? i + 1 : UINT32_MAX;
    }
    return first < capacity ? first : UINT32_MAX;
}

void dyno_kv_places_forget(struct dyno_kv_places *places)
{
    places->free.head = places->free.count = 0;
    places->idle.head = places->idle.count = 0;
    for (uint32_t i = 0; i < places->capacity; i++) {
        enqueue(&places->free, i);
    }
    for (uint32_t i = 0; i < places->tables_capacity; i++) {
        places->tables[i].count = 0;
    }
    for (uint32_t i = 0; i < places->spans_capacity; i++) {
        places->spans[i].count = 0;
    }
    places->tables_unused = link_unused(places->tables, places->slots, places->tables_capacity);
    places->spans_unused = link_unused(places->spans, 0, places->spans_capacity);
    places->lent.count = 0;
    dyno_map_clear(&places->span_of);
}

/* ---- steps ahead ----------------------------------------------------------------------------- */

void dyno_kv_places_lend_start(struct dyno_kv_places *places, const struct dyno_kv_cache *cache)
{
    places->lent.count = 0;
    places->lend_free = places->lend_idle = places->lend_used = 0;
    places->lend_run = cache->idle_oldest;
}

/* The block that the cache will evict next, after those lent already. */
static uint32_t next_evicted(struct dyno_kv_places *places, const struct dyno_kv_cache *cache)
{
    const struct dyno_kv_run *run = &cache->runs[places->lend_run];
    const struct numbers *span;

    if (places->lend_used == run->count) {
        places->lend_run = run->newer;
        places->lend_used = 0;
        run = &cache->runs[places->lend_run];
    }
    assert(places->lend_run != DYNO_KV_NO_RUN);
    places->lend_used++;
    if (run->span == 0) {
        return queue_look(&places->idle, places->lend_idle++);
    }
    span = find_span(places, run->span);
    assert(span && span->count >= run->first + run->count);
    return span->at[run->first + run->count - places->lend_used];
}

dyno_status dyno_kv_places_lend(struct dyno_kv_places *places, const struct dyno_kv_cache *cache,
                                uint32_t slot)
{
    uint32_t number = places->lend_free < places->free.count
                          ? queue_look(&places->free, places->lend_free++)
                          : next_evicted(places, cache);

    DYNO_TRY(push(&places->lent, number));
    return push_to_table(places, slot, number);
}

void dyno_kv_places_lend_settle(struct dyno_kv_places *places, uint32_t count)
{
    assert(count <= places->lent.count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = dequeue(&places->free);

        assert(number == places->lent.at[i]);
        (void)number;
    }
    places->lent.count = 0;
}

void dyno_kv_places_trim(struct dyno_kv_places *places, uint32_t slot, uint32_t blocks)
{
    assert(places->tables[slot].count >= blocks);
    places->tables[slot].count = blocks;
}

static bool is_lent(const struct dyno_kv_places *places, uint32_t number)
{
    for (uint32_t i = 0; i < places->lent.count; i++) {
        if (places->lent.at[i] == number) {
            return true;
        }
    }
    return false;
}

bool dyno_kv_places_any_lent(const struct dyno_kv_places *places, const struct dyno_kv_link *links,
                             uint32_t blocks)
{
    for (uint32_t i = 0; blocks > 0; i++) {
        const struct numbers *span = find_span(places, links[i].span);
        uint32_t here = links[i].blocks < blocks ? links[i].blocks : blocks;

        assert(span && span->count >= here);
        for (uint32_t j = 0; j < here; j++) {
            if (is_lent(places, span->at[j])) {
                return true;
            }
        }
        blocks -= here;
    }
    return false;
}

/* ---- open, close, check ---------------------------------------------------------------------- */

const uint32_t *const *dyno_kv_places_tables(const struct dyno_kv_places *places)
{
    return places->table_of;
}

uint32_t dyno_kv_places_count(const struct dyno_kv_places *places, uint32_t table)
{
    return places->tables[table].count;
}

const uint32_t *dyno_kv_places_table(const struct dyno_kv_places *places, uint32_t table)
{
    return places->tables[table].at;
}

dyno_status dyno_kv_places_open(struct dyno_kv_places **out, uint32_t capacity, uint32_t slots)
{
    struct dyno_kv_places *places = calloc(1, sizeof *places);

    if (!places) {
        return DYNO_NO_MEMORY;
    }
    places->capacity = capacity;
    places->slots = slots;
    places->spans_unused = UINT32_MAX;
    places->free.size = places->idle.size = capacity;
    places->free.at = malloc(capacity * sizeof *places->free.at);
    places->idle.at = malloc(capacity * sizeof *places->idle.at);
    places->tables = calloc((size_t)slots + 1, sizeof *places->tables);
    places->tables_capacity = slots;
    places->tables_unused = UINT32_MAX;
    places->table_of = calloc((size_t)slots + 1, sizeof *places->table_of);
    if (!places->free.at || !places->idle.at || !places->tables || !places->table_of) {
        dyno_kv_places_close(places);
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        enqueue(&places->free, i);
    }
    *out = places;
    return DYNO_OK;
}

void dyno_kv_places_close(struct dyno_kv_places *places)
{
    if (!places) {
        return;
    }
    for (uint32_t i = 0; places->tables && i < places->tables_capacity; i++) {
        free(places->tables[i].at);
    }
    for (uint32_t i = 0; i < places->spans_capacity; i++) {
        free(places->spans[i].at);
    }
    free(places->lent.at);
    free(places->spans);
    dyno_map_release(&places->span_of);
    free(places->table_of);
    free(places->tables);
    free(places->free.at);
    free(places->idle.at);
    free(places);
}

/* Count every number of `count` at `at`. */
static void count_numbers(uint8_t *seen, const uint32_t *at, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        seen[at[i]]++;
    }
}

/* Own blocks are in one table only; what a table names beyond them, some span has as well. */
static void check_once(const uint8_t *placed, const uint8_t *named, uint32_t capacity)
{
    for (uint32_t i = 0; i < capacity; i++) {
        assert(placed[i] == 1 || (placed[i] == 0 && named[i] == 1));
    }
    (void)placed;
    (void)named;
    (void)capacity;
}

void dyno_kv_places_check(const struct dyno_kv_places *places, const struct dyno_kv_cache *cache)
{
    uint8_t *placed = calloc(places->capacity, 1), *named = calloc(places->capacity, 1);
    uint64_t in_spans = 0;

    assert(placed && named && places->capacity == cache->capacity);
    assert(places->free.count == cache->free);
    for (uint32_t i = 0; i < places->free.count; i++) {
        placed[queue_look(&places->free, i)]++;
    }
    for (uint32_t i = 0; i < places->idle.count; i++) {
        placed[queue_look(&places->idle, i)]++;
    }
    for (uint32_t i = 0; i < places->spans_capacity; i++) {
        count_numbers(placed, places->spans[i].at, places->spans[i].count);
        in_spans += places->spans[i].count;
    }
    for (uint32_t i = 0; i < places->tables_capacity; i++) {
        count_numbers(named, places->tables[i].at, places->tables[i].count);
    }
    assert(in_spans == (uint64_t)cache->shared + cache->idle_named);
    assert(places->idle.count == cache->idle - cache->idle_named);
    check_once(placed, named, places->capacity);
    (void)in_spans;
    free(placed);
    free(named);
}
