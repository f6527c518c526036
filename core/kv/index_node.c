/* One span's holders.
 *
 * Lists double and halve, and whether another number of blocks has become the common one is only
 * asked when a list is full or the set is empty, so that the cost of a change is O(log holders)
 * plus moving the list's tail, however holders come and go.
 */
#include "core/kv/index_node.h"

#include <string.h>

static void *take_bytes(struct dyno_index_fleet *fleet, size_t bytes)
{
    void *piece = dyno_slab_take(fleet->slab, bytes);

    fleet->slab_bytes += piece ? bytes : 0;
    return piece;
}

static void give_bytes(struct dyno_index_fleet *fleet, void *piece, size_t bytes)
{
    dyno_slab_give(fleet->slab, piece, bytes);
    fleet->slab_bytes -= bytes;
}

static struct dyno_index_holder *list_of(struct dyno_index_node *node)
{
    return node->others_capacity == DYNO_INDEX_FEW ? node->others.few : node->others.many;
}

static uint64_t *set_of(struct dyno_index_node *node, const struct dyno_index_fleet *fleet)
{
    return fleet->set_words == 1 ? &node->set.word : node->set.words;
}

static void insert(struct dyno_index_node *node, uint32_t worker, uint32_t blocks)
{
    struct dyno_index_holder *list = list_of(node);
    uint32_t place = dyno_index_node_seek(node, worker);

    memmove(list + place + 1, list + place, (node->others_count - place) * sizeof *list);
    list[place] = (struct dyno_index_holder){.worker = worker, .blocks = blocks};
    node->others_count++;
}

static void give_list(struct dyno_index_node *node, struct dyno_index_fleet *fleet)
{
    if (node->others_capacity != DYNO_INDEX_FEW) {
        give_bytes(fleet, node->others.many, node->others_capacity * sizeof *node->others.many);
        node->others_capacity = DYNO_INDEX_FEW;
    }
}

/* Move the list to one of `capacity` >= others_count places. */
static dyno_status resize(struct dyno_index_node *node, struct dyno_index_fleet *fleet,
                          uint32_t capacity)
{
    struct dyno_index_holder few[DYNO_INDEX_FEW];
    struct dyno_index_holder *many = few;
    bool in_node = capacity == DYNO_INDEX_FEW;

    if (!in_node) {
        many = take_bytes(fleet, capacity * sizeof *many);
        if (!many) {
            return DYNO_NO_MEMORY;
        }
    }
    memcpy(many, list_of(node), node->others_count * sizeof *many);
    give_list(node, fleet);
    if (in_node) {
        memcpy(node->others.few, few, node->others_count * sizeof *few);
    } else {
        node->others.many = many;
    }
    node->others_capacity = capacity;
    return DYNO_OK;
}

/* The largest number of blocks in the list, and how many hold it. */
static uint32_t largest(struct dyno_index_node *node, uint32_t *count)
{
    const struct dyno_index_holder *list = list_of(node);
    uint32_t blocks = 0;

    *count = 0;
    for (uint32_t i = 0; i < node->others_count; i++) {
        if (list[i].blocks > blocks) {
            blocks = list[i].blocks;
            *count = 0;
        }
        *count += list[i].blocks == blocks;
    }
    return blocks;
}

/* Move those with `blocks` from the list to the scratch set. */
static void lift(struct dyno_index_node *node, struct dyno_index_fleet *fleet, uint32_t blocks)
{
    struct dyno_index_holder *list = list_of(node);
    uint32_t kept = 0;

    for (uint32_t i = 0; i < node->others_count; i++) {
        if (list[i].blocks == blocks) {
            fleet->scratch[list[i].worker / 64] |= (uint64_t)1 << (list[i].worker % 64);
        } else {
            list[kept++] = list[i];
        }
    }
    node->others_count = kept;
}

/* Empty the set into the list, which must have room. */
static void lower(struct dyno_index_node *node, struct dyno_index_fleet *fleet)
{
    uint64_t *set = set_of(node, fleet);

    for (uint32_t i = 0; i < fleet->set_words; i++) {
        for (uint64_t word = set[i]; word; word &= word - 1) {
            insert(node, i * 64 + (uint32_t)__builtin_ctzll(word), node->common);
        }
        set[i] = 0;
    }
    node->common_count = 0;
}

/* Let the set be of the largest number of blocks in the list, if more hold that than are in the
 * set. More leave the list than enter it, so that it has room. */
static void choose_common(struct dyno_index_node *node, struct dyno_index_fleet *fleet)
{
    uint64_t *set = set_of(node, fleet);
    uint32_t count, blocks;

    if (!set) {
        return;
    }
    blocks = largest(node, &count);
    if (count <= node->common_count) {
        return;
    }
    lift(node, fleet, blocks);
    lower(node, fleet);
    memcpy(set, fleet->scratch, fleet->set_words * sizeof *set);
    memset(fleet->scratch, 0, fleet->set_words * sizeof *fleet->scratch);
    node->common = blocks;
    node->common_count = count;
}

static dyno_status take_set(struct dyno_index_node *node, struct dyno_index_fleet *fleet)
{
    size_t bytes = fleet->set_words * sizeof *node->set.words;
    uint64_t *words = take_bytes(fleet, bytes);

    if (!words) {
        return DYNO_NO_MEMORY;
    }
    memset(words, 0, bytes);
    node->set.words = words;
    return DYNO_OK;
}

static void give_set(struct dyno_index_node *node, struct dyno_index_fleet *fleet)
{
    if (fleet->set_words > 1 && node->set.words) {
        give_bytes(fleet, node->set.words, fleet->set_words * sizeof *node->set.words);
        node->set.words = NULL;
    }
}

/* The list is full: take a set, find a better common number, or take a longer list. */
static dyno_status make_room(struct dyno_index_node *node, struct dyno_index_fleet *fleet)
{
    if (!set_of(node, fleet) && node->others_count > DYNO_INDEX_FEW &&
        node->others_count >= fleet->set_words) {
        DYNO_TRY(take_set(node, fleet));
    }
    choose_common(node, fleet);
    if (node->others_count < node->others_capacity) {
        return DYNO_OK;
    }
    return resize(node, fleet, 2 * node->others_capacity);
}

/* Give back memory that few holders no longer need.  A list halves at a quarter, so that one holder
 * coming and going moves nothing. */
static void shrink(struct dyno_index_node *node, struct dyno_index_fleet *fleet)
{
    if (node->others_capacity > DYNO_INDEX_FEW && node->others_count <= node->others_capacity / 4) {
        (void)resize(node, fleet, node->others_capacity / 2); /* failing, it stays as it is */
    }
    if (fleet->set_words > 1 && node->set.words &&
        node->common_count + node->others_count <= DYNO_INDEX_FEW) {
        lower(node, fleet);
        give_set(node, fleet);
    }
}

void dyno_index_node_init(struct dyno_index_node *node, uint64_t span)
{
    memset(node, 0, sizeof *node);
    node->span = span;
    node->others_capacity = DYNO_INDEX_FEW;
}

void dyno_index_node_release(struct dyno_index_node *node, struct dyno_index_fleet *fleet)
{
    give_list(node, fleet);
    give_set(node, fleet);
}

uint32_t dyno_index_node_seek(const struct dyno_index_node *node, uint32_t worker)
{
    const struct dyno_index_holder *list = dyno_index_node_others(node);
    uint32_t low = 0, high = node->others_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (list[middle].worker < worker) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

dyno_status dyno_index_node_add(struct dyno_index_node *node, struct dyno_index_fleet *fleet,
                                uint32_t worker, uint32_t blocks)
{
    uint64_t *set;
    uint64_t bit = (uint64_t)1 << (worker % 64);

    dyno_index_node_remove(node, fleet, worker);
    set = set_of(node, fleet);
    if (set && (node->common_count == 0 || blocks == node->common)) {
        node->common = blocks;
        node->common_count++;
        set[worker / 64] |= bit;
        return DYNO_OK;
    }
    if (node->others_count == node->others_capacity) {
        DYNO_TRY(make_room(node, fleet));
        set = set_of(node, fleet);
        if (set && blocks == node->common) {
            node->common_count++;
            set[worker / 64] |= bit;
            return DYNO_OK;
        }
    }
    insert(node, worker, blocks);
    return DYNO_OK;
}

void dyno_index_node_remove(struct dyno_index_node *node, struct dyno_index_fleet *fleet,
                            uint32_t worker)
{
    struct dyno_index_holder *list = list_of(node);
    uint64_t *set = set_of(node, fleet);
    uint64_t bit = (uint64_t)1 << (worker % 64);
    uint32_t place;

    if (set && (set[worker / 64] & bit)) {
        set[worker / 64] &= ~bit;
        if (--node->common_count == 0 && node->others_count) {
            choose_common(node, fleet);
        }
    } else {
        place = dyno_index_node_seek(node, worker);
        if (place == node->others_count || list[place].worker != worker) {
            return;
        }
        node->others_count--;
        memmove(list + place, list + place + 1, (node->others_count - place) * sizeof *list);
    }
    shrink(node, fleet);
}
