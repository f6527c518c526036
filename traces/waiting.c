/* Nodes in one array, waiters in another, both with free lists; see waiting.h for a node's life. */
#include "traces/waiting.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/array.h"

enum state { NODE_FREE, NODE_UNDEFINED, NODE_OPEN, NODE_ENDED };

struct dyno_node {
    enum state state;
    uint32_t waiter_first, waiter_last; /* edges */
    uint32_t before, after; /* in the list of ended or undefined ones; or of free ones */
    uint64_t session;       /* whose latest row it is; 0: of none */
    uint64_t name;          /* under which others may wait for it; 0: none */
    uint64_t group;         /* the session that its children inherit */
    dyno_ns ended_ns;
    uint64_t asked_row, asked_line; /* UNDEFINED: who asked for it first */
    uint32_t asked_column;
};

struct dyno_edge {
    uint32_t slot; /* who waits */
    uint32_t next;
};

void dyno_waiting_init(struct dyno_waiting *waiting)
{
    *waiting = (struct dyno_waiting){.node_free = DYNO_NODE_NONE,
                                     .edge_free = DYNO_NODE_NONE,
                                     .ended_first = DYNO_NODE_NONE,
                                     .ended_last = DYNO_NODE_NONE,
                                     .undefined_first = DYNO_NODE_NONE,
                                     .undefined_last = DYNO_NODE_NONE};
}

void dyno_waiting_release(struct dyno_waiting *waiting)
{
    free(waiting->nodes);
    free(waiting->edges);
    dyno_map_release(&waiting->sessions);
    dyno_map_release(&waiting->names);
    dyno_waiting_init(waiting);
}

static uint32_t new_node(struct dyno_waiting *waiting, enum state state)
{
    uint32_t node = waiting->node_free;

    if (node != DYNO_NODE_NONE) {
        waiting->node_free = waiting->nodes[node].after;
    } else {
        if (!dyno_array_reserve(&waiting->nodes, &waiting->node_capacity, waiting->node_used + 1U,
                                sizeof *waiting->nodes)) {
            return DYNO_NODE_NONE;
        }
        node = waiting->node_used++;
    }
    waiting->nodes[node] = (struct dyno_node){.state = state,
                                              .waiter_first = DYNO_NODE_NONE,
                                              .waiter_last = DYNO_NODE_NONE,
                                              .before = DYNO_NODE_NONE,
                                              .after = DYNO_NODE_NONE,
                                              .ended_ns = DYNO_NEVER};
    return node;
}

static void append(struct dyno_waiting *waiting, uint32_t *first, uint32_t *last, uint32_t node)
{
    waiting->nodes[node].before = *last;
    waiting->nodes[node].after = DYNO_NODE_NONE;
    if (*last != DYNO_NODE_NONE) {
        waiting->nodes[*last].after = node;
    } else {
        *first = node;
    }
    *last = node;
}

static void unlink_node(struct dyno_waiting *waiting, uint32_t *first, uint32_t *last,
                        uint32_t node)
{
    uint32_t before = waiting->nodes[node].before, after = waiting->nodes[node].after;

    *(before != DYNO_NODE_NONE ? &waiting->nodes[before].after : first) = after;
    *(after != DYNO_NODE_NONE ? &waiting->nodes[after].before : last) = before;
}

static void free_node(struct dyno_waiting *waiting, uint32_t node)
{
    struct dyno_node *gone = &waiting->nodes[node];

    assert(gone->waiter_first == DYNO_NODE_NONE);
    if (gone->name) {
        dyno_map_remove(&waiting->names, gone->name);
    }
    if (gone->session) {
        dyno_map_remove(&waiting->sessions, gone->session);
    }
    gone->state = NODE_FREE;
    gone->after = waiting->node_free;
    waiting->node_free = node;
}

/* An ended node that nothing leads to is of no use. */
static void drop_if_useless(struct dyno_waiting *waiting, uint32_t node)
{
    const struct dyno_node *about = &waiting->nodes[node];

    if (about->state == NODE_ENDED && about->name == 0 && about->session == 0) {
        unlink_node(waiting, &waiting->ended_first, &waiting->ended_last, node);
        waiting->ended_count--;
        free_node(waiting, node);
    }
}

/* Let `slot` wait for `node`, or take note of when it ended. */
static bool wait_for(struct dyno_waiting *waiting, uint32_t node, uint32_t slot,
                     struct dyno_admission *out)
{
    uint32_t edge = waiting->edge_free;
    struct dyno_node *awaited = &waiting->nodes[node];

    out->has_waited = true;
    if (awaited->state == NODE_ENDED) {
        out->ended_ns = out->ended_ns > awaited->ended_ns ? out->ended_ns : awaited->ended_ns;
        return true;
    }
    if (edge != DYNO_NODE_NONE) {
        waiting->edge_free = waiting->edges[edge].next;
    } else {
        if (!dyno_array_reserve(&waiting->edges, &waiting->edge_capacity, waiting->edge_used + 1U,
                                sizeof *waiting->edges)) {
            return false;
        }
        edge = waiting->edge_used++;
    }
    waiting->edges[edge] = (struct dyno_edge){.slot = slot, .next = DYNO_NODE_NONE};
    if (awaited->waiter_last != DYNO_NODE_NONE) {
        waiting->edges[awaited->waiter_last].next = edge;
    } else {
        awaited->waiter_first = edge;
    }
    awaited->waiter_last = edge;
    out->waits_left++;
    return true;
}

static dyno_status check_row(const struct dyno_waiting *waiting, const struct dyno_row *row,
                             const char *file, struct dyno_error *error)
{
    const uint32_t *node = row->name ? dyno_map_find(&waiting->names, row->name) : NULL;

    if (node && waiting->nodes[*node].state != NODE_UNDEFINED) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s:%" PRIu64
                         ":1: the request's id was given before; expected each id once",
                         file, row->line);
    }
    for (uint32_t i = 0; row->name && i < row->wait_count; i++) {
        if (row->waits[i] == row->name) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s:%" PRIu64 ":%" PRIu32
                             ": the request waits for itself; expected ids of others in wait_for",
                             file, row->line, row->waits_column);
        }
    }
    return DYNO_OK;
}

/* The row's own node, if others may wait for it. */
static bool define(struct dyno_waiting *waiting, const struct dyno_row *row, uint32_t *out)
{
    const uint32_t *known = row->name ? dyno_map_find(&waiting->names, row->name) : NULL;
    bool is_followed = row->session && row->is_ordered && !row->ends_session;
    uint32_t node = DYNO_NODE_NONE;

    if (known) {
        node = *known;
        unlink_node(waiting, &waiting->undefined_first, &waiting->undefined_last, node);
        waiting->nodes[node].state = NODE_OPEN;
    } else if (row->name || is_followed) {
        node = new_node(waiting, NODE_OPEN);
        if (node == DYNO_NODE_NONE ||
            (row->name && !dyno_map_put(&waiting->names, row->name, node, NULL))) {
            return false;
        }
    }
    if (node != DYNO_NODE_NONE) {
        waiting->nodes[node].name = row->name;
    }
    *out = node;
    return true;
}

/* Wait for the session's row before, and become its latest. */
static bool join_session(struct dyno_waiting *waiting, const struct dyno_row *row, uint32_t slot,
                         struct dyno_admission *out)
{
    uint32_t *latest = dyno_map_find(&waiting->sessions, row->session);
    uint32_t before = latest ? *latest : DYNO_NODE_NONE;

    out->begins_session = !latest;
    if (latest) {
        if (!wait_for(waiting, before, slot, out)) {
            return false;
        }
        waiting->nodes[before].session = 0;
        drop_if_useless(waiting, before);
    }
    if (row->ends_session) {
        dyno_map_remove(&waiting->sessions, row->session);
        return true;
    }
    latest = dyno_map_put(&waiting->sessions, row->session, out->node, NULL);
    if (!latest) {
        return false;
    }
    *latest = out->node;
    waiting->nodes[out->node].session = row->session;
    return true;
}

static bool wait_for_names(struct dyno_waiting *waiting, const struct dyno_row *row, uint32_t slot,
                           struct dyno_admission *out)
{
    for (uint32_t i = 0; i < row->wait_count; i++) {
        const uint32_t *known = dyno_map_find(&waiting->names, row->waits[i]);
        uint32_t node = known ? *known : new_node(waiting, NODE_UNDEFINED);

        if (!known) {
            if (node == DYNO_NODE_NONE ||
                !dyno_map_put(&waiting->names, row->waits[i], node, NULL)) {
                return false;
            }
            waiting->nodes[node].name = row->waits[i];
            waiting->nodes[node].asked_row = waiting->rows;
            waiting->nodes[node].asked_line = row->line;
            waiting->nodes[node].asked_column = row->waits_column;
            append(waiting, &waiting->undefined_first, &waiting->undefined_last, node);
        }
        if (!wait_for(waiting, node, slot, out)) {
            return false;
        }
    }
    return true;
}

/* A chat after its parent: in the parent's session; without a known parent it begins one. */
static bool follow_parent(struct dyno_waiting *waiting, struct dyno_row *row, uint32_t slot,
                          struct dyno_admission *out)
{
    const uint32_t *parent = row->parent ? dyno_map_find(&waiting->names, row->parent) : NULL;

    row->session = parent ? waiting->nodes[*parent].group : row->name;
    waiting->nodes[out->node].group = row->session;
    out->begins_session = !parent;
    return !parent || wait_for(waiting, *parent, slot, out);
}

dyno_status dyno_waiting_admit(struct dyno_waiting *waiting, uint32_t slot, struct dyno_row *row,
                               const char *file, struct dyno_admission *out,
                               struct dyno_error *error)
{
    bool has_room;

    *out = (struct dyno_admission){.node = DYNO_NODE_NONE};
    waiting->rows++;
    if (row->session == 0 && row->name == 0 && row->wait_count == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(check_row(waiting, row, file, error));
    has_room = define(waiting, row, &out->node);
    if (has_room && !row->is_ordered && row->name) {
        has_room = follow_parent(waiting, row, slot, out);
    } else if (has_room && row->session) {
        has_room = join_session(waiting, row, slot, out);
    }
    has_room = has_room && wait_for_names(waiting, row, slot, out);
    return has_room
               ? DYNO_OK
               : dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory for who waits for whom", file);
}

void dyno_waiting_end(struct dyno_waiting *waiting, uint32_t node, dyno_ns at,
                      void (*release)(void *context, uint32_t slot, dyno_ns at), void *context)
{
    struct dyno_node *ended = &waiting->nodes[node];

    assert(ended->state == NODE_OPEN);
    ended->state = NODE_ENDED;
    ended->ended_ns = at;
    while (ended->waiter_first != DYNO_NODE_NONE) {
        uint32_t edge = ended->waiter_first;

        ended->waiter_first = waiting->edges[edge].next;
        release(context, waiting->edges[edge].slot, at);
        waiting->edges[edge].next = waiting->edge_free;
        waiting->edge_free = edge;
    }
    ended->waiter_last = DYNO_NODE_NONE;
    append(waiting, &waiting->ended_first, &waiting->ended_last, node);
    waiting->ended_count++;
    drop_if_useless(waiting, node);
    if (waiting->ended_count > DYNO_WAITING_ENDED_MAX) {
        uint32_t oldest = waiting->ended_first;

        unlink_node(waiting, &waiting->ended_first, &waiting->ended_last, oldest);
        waiting->ended_count--;
        free_node(waiting, oldest);
    }
}

dyno_status dyno_waiting_check(const struct dyno_waiting *waiting, const char *file, bool is_end,
                               struct dyno_error *error)
{
    const struct dyno_node *asked;

    if (waiting->undefined_first == DYNO_NODE_NONE) {
        return DYNO_OK;
    }
    asked = &waiting->nodes[waiting->undefined_first];
    if (!is_end && waiting->rows - asked->asked_row <= DYNO_WAITING_AHEAD_MAX) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s:%" PRIu64 ":%" PRIu32 ": wait_for names an unknown request; expected the "
                     "request_id of one before it, or of one within %d rows after it",
                     file, asked->asked_line, asked->asked_column, DYNO_WAITING_AHEAD_MAX);
}
