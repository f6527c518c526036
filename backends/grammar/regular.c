/* The table of deterministic states: drafts, from which what leads nowhere is left out, and the
 * intersection of two sets. */
#include "backends/grammar/regular.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/parts.h"
#include "core/base/array.h"
#include "core/base/map.h"

void dyno_regular_release(struct dyno_regular *table)
{
    free(table->states);
    free(table->edges);
    *table = (struct dyno_regular){0};
}

dyno_status dyno_draft_state(struct dyno_regular *draft, bool accepts)
{
    if (draft->state_count == DYNO_REGULAR_STATES_MAX) {
        return DYNO_FULL;
    }
    if (!dyno_array_reserve(&draft->states, &draft->state_capacity, draft->state_count + 1,
                            sizeof *draft->states)) {
        return DYNO_NO_MEMORY;
    }
    draft->states[draft->state_count++] = (struct dyno_regular_state){.accepts = accepts};
    return DYNO_OK;
}

dyno_status dyno_draft_edge(struct dyno_regular *draft, uint32_t state, uint8_t first, uint8_t last,
                            uint32_t next)
{
    struct dyno_regular_state *from = &draft->states[state];
    struct dyno_regular_edge *before;

    if (from->edge_count == 0) {
        from->edge_begin = draft->edge_count;
    }
    before = from->edge_count > 0 ? &draft->edges[draft->edge_count - 1] : NULL;
    if (before && before->last + 1 == first && before->next == next) {
        before->last = last;
        return DYNO_OK;
    }
    if (draft->edge_count == DYNO_REGULAR_TOTAL_MAX) {
        return DYNO_FULL;
    }
    if (!dyno_array_reserve(&draft->edges, &draft->edge_capacity, draft->edge_count + 1,
                            sizeof *draft->edges)) {
        return DYNO_NO_MEMORY;
    }
    draft->edges[draft->edge_count++] = (struct dyno_regular_edge){next, first, last};
    from->edge_count++;
    return DYNO_OK;
}

/* Edges by the state that they lead to. */
struct backward {
    uint32_t *begin; /* [state_count + 1] */
    uint32_t *from;  /* [edge_count] */
    uint32_t *queue; /* [state_count] */
    uint32_t *kept;  /* [state_count]: 1: leads to an end; then its new number */
};

static void backward_release(struct backward *backward)
{
    free(backward->begin);
    free(backward->from);
    free(backward->queue);
    free(backward->kept);
}

static bool backward_init(struct backward *backward, const struct dyno_regular *draft)
{
    *backward = (struct backward){
        .begin = calloc(draft->state_count + 2, sizeof(uint32_t)),
        .from = calloc(draft->edge_count + 1, sizeof(uint32_t)),
        .queue = calloc(draft->state_count + 1, sizeof(uint32_t)),
        .kept = calloc(draft->state_count + 1, sizeof(uint32_t)),
    };
    if (!backward->begin || !backward->from || !backward->queue || !backward->kept) {
        return false;
    }
    for (uint32_t i = 0; i < draft->edge_count; i++) {
        backward->begin[draft->edges[i].next + 2]++;
    }
    for (uint32_t i = 0; i < draft->state_count; i++) {
        backward->begin[i + 1] += backward->begin[i];
    }
    for (uint32_t i = 0; i < draft->state_count; i++) {
        const struct dyno_regular_state *state = &draft->states[i];

        for (uint32_t j = 0; j < state->edge_count; j++) {
            uint32_t next = draft->edges[state->edge_begin + j].next;

            backward->from[backward->begin[next + 1]++] = i;
        }
    }
    return true;
}

static void mark_kept(struct backward *backward, const struct dyno_regular *draft)
{
    uint32_t head = 0, tail = 0;

    for (uint32_t i = 0; i < draft->state_count; i++) {
        if (draft->states[i].accepts) {
            backward->kept[i] = 1;
            backward->queue[tail++] = i;
        }
    }
    while (head < tail) {
        uint32_t state = backward->queue[head++];

        for (uint32_t i = backward->begin[state]; i < backward->begin[state + 1]; i++) {
            uint32_t from = backward->from[i];

            if (!backward->kept[from]) {
                backward->kept[from] = 1;
                backward->queue[tail++] = from;
            }
        }
    }
}

/* There is room. */
static void copy_kept(struct dyno_regular *table, const struct dyno_regular *draft,
                      const uint32_t *number)
{
    for (uint32_t i = 0; i < draft->state_count; i++) {
        struct dyno_regular_state state = draft->states[i];

        if (number[i] == DYNO_REGULAR_EMPTY) {
            continue;
        }
        state.edge_begin = table->edge_count;
        state.edge_count = 0;
        for (uint32_t j = 0; j < draft->states[i].edge_count; j++) {
            struct dyno_regular_edge edge = draft->edges[draft->states[i].edge_begin + j];

            if (number[edge.next] != DYNO_REGULAR_EMPTY) {
                edge.next = number[edge.next];
                table->edges[table->edge_count++] = edge;
                state.edge_count++;
            }
        }
        table->states[table->state_count++] = state;
    }
}

dyno_status dyno_regular_append(struct dyno_regular *table, const struct dyno_regular *draft,
                                uint32_t *start)
{
    size_t states = (size_t)table->state_count + draft->state_count;
    size_t edges = (size_t)table->edge_count + draft->edge_count;
    uint32_t number = table->state_count;
    struct backward backward;
    dyno_status status = DYNO_OK;

    if (states > DYNO_REGULAR_TOTAL_MAX || edges > DYNO_REGULAR_TOTAL_MAX) {
        return DYNO_FULL;
    }
    if (!backward_init(&backward, draft) ||
        !dyno_array_reserve(&table->states, &table->state_capacity, states,
                            sizeof *table->states) ||
        !dyno_array_reserve(&table->edges, &table->edge_capacity, edges, sizeof *table->edges)) {
        status = DYNO_NO_MEMORY;
    } else {
        mark_kept(&backward, draft);
        for (uint32_t i = 0; i < draft->state_count; i++) {
            backward.kept[i] = backward.kept[i] ? number++ : DYNO_REGULAR_EMPTY;
        }
        copy_kept(table, draft, backward.kept);
        *start = backward.kept[0];
    }
    backward_release(&backward);
    return status;
}

/* Pairs of states that were met, as states of a draft. */
struct pairs {
    struct dyno_regular draft;
    struct dyno_map number_of;
    uint64_t *pair; /* [draft.state_count] */
    uint32_t pair_capacity;
};

static dyno_status number_of(struct pairs *pairs, const struct dyno_regular *table, uint32_t left,
                             uint32_t right, uint32_t *number)
{
    uint64_t pair = (uint64_t)left << 32 | right;
    int is_new = 0;
    uint32_t *place = dyno_map_put(&pairs->number_of, pair, pairs->draft.state_count, &is_new);

    if (!place) {
        return DYNO_NO_MEMORY;
    }
    *number = *place;
    if (!is_new) {
        return DYNO_OK;
    }
    if (!dyno_array_reserve(&pairs->pair, &pairs->pair_capacity, *number + 1U, sizeof pair)) {
        return DYNO_NO_MEMORY;
    }
    pairs->pair[*number] = pair;
    return dyno_draft_state(&pairs->draft,
                            table->states[left].accepts && table->states[right].accepts);
}

static dyno_status join_edges(struct pairs *pairs, const struct dyno_regular *table, uint32_t state)
{
    const struct dyno_regular_state *left = &table->states[pairs->pair[state] >> 32];
    const struct dyno_regular_state *right = &table->states[(uint32_t)pairs->pair[state]];
    uint32_t i = 0, j = 0;

    while (i < left->edge_count && j < right->edge_count) {
        const struct dyno_regular_edge *a = &table->edges[left->edge_begin + i];
        const struct dyno_regular_edge *b = &table->edges[right->edge_begin + j];
        uint8_t first = a->first > b->first ? a->first : b->first;
        uint8_t last = a->last < b->last ? a->last : b->last;
        uint32_t next = 0;

        if (first <= last) {
            DYNO_TRY(number_of(pairs, table, a->next, b->next, &next));
            DYNO_TRY(dyno_draft_edge(&pairs->draft, state, first, last, next));
        }
        if (a->last <= b->last) {
            i++;
        } else {
            j++;
        }
    }
    return DYNO_OK;
}

dyno_status dyno_regular_both(struct dyno_regular *table, uint32_t left, uint32_t right,
                              uint32_t *start)
{
    struct pairs pairs = {0};
    uint32_t first;
    dyno_status status;

    if (left == DYNO_REGULAR_EMPTY || right == DYNO_REGULAR_EMPTY) {
        *start = DYNO_REGULAR_EMPTY;
        return DYNO_OK;
    }
    status = number_of(&pairs, table, left, right, &first);
    for (uint32_t i = 0; status == DYNO_OK && i < pairs.draft.state_count; i++) {
        status = join_edges(&pairs, table, i);
    }
    if (status == DYNO_OK) {
        status = dyno_regular_append(table, &pairs.draft, start);
    }
    dyno_regular_release(&pairs.draft);
    dyno_map_release(&pairs.number_of);
    free(pairs.pair);
    return status;
}
