/* Masks by what they depend on.
 *
 * A key says: the readings, and so many frames around each.  How many are needed is known only
 * after a walk, so each shorter key has an entry that says "look deeper". */
#include "backends/grammar/masks.h"

#include <stdlib.h>
#include <string.h>

#include "backends/grammar/parts.h"
#include "backends/grammar/walk.h"
#include "core/base/array.h"
#include "core/base/map.h"

enum {
    KEPT_MIN = 4,
    ENTRIES_PER_MASK = 4,
    KEY_BYTES_PER_MASK = 512,
    FRAME_KEY = 12,
    READING_KEY = 20,
    HEAD_KEY = 4,
    KEY_MAX = HEAD_KEY +
              DYNO_GRAMMAR_READINGS_MAX * (READING_KEY + (DYNO_GRAMMAR_DEPTH_MAX + 1) * FRAME_KEY),
};

#define DEEPER UINT32_MAX

struct entry {
    uint32_t key_begin, key_size;
    uint32_t mask; /* its index, or DEEPER */
};

struct key {
    uint8_t bytes[KEY_MAX];
    uint32_t size;
};

struct dyno_grammar_masks {
    struct dyno_walk walk;
    uint32_t *ends;
    uint32_t end_count, words;
    uint64_t *masks;  /* [mask_max][words] */
    uint32_t *counts; /* [mask_max]: tokens that a mask allows */
    uint32_t mask_count, mask_max;
    struct entry *entries;
    uint8_t *keys; /* of the entries */
    uint32_t entry_count, entry_capacity, key_size, key_capacity;
    struct dyno_map entry_of; /* hash of a key -> its entry */
    uint64_t found, made;
};

void dyno_grammar_masks_close(struct dyno_grammar_masks *masks)
{
    if (masks) {
        dyno_walk_release(&masks->walk);
        dyno_map_release(&masks->entry_of);
        free(masks->ends);
        free(masks->masks);
        free(masks->counts);
        free(masks->entries);
        free(masks->keys);
        free(masks);
    }
}

static bool reserve(struct dyno_grammar_masks *masks,
                    const struct dyno_grammar_masks_options *options)
{
    size_t kept;

    masks->words = options->vocab / 64 + (options->vocab % 64 != 0);
    kept = options->bytes_max / (masks->words * sizeof(uint64_t) + 1);
    kept = kept < KEPT_MIN ? KEPT_MIN : kept < UINT16_MAX ? kept : UINT16_MAX;
    masks->mask_max = (uint32_t)kept;
    masks->masks = calloc(kept * masks->words + 1, sizeof *masks->masks);
    masks->counts = calloc(kept, sizeof *masks->counts);
    masks->ends = calloc(options->end_count + 1U, sizeof *masks->ends);
    masks->end_count = options->end_count;
    if (masks->ends && options->end_count > 0) {
        memcpy(masks->ends, options->ends, options->end_count * sizeof *masks->ends);
    }
    return masks->masks && masks->counts && masks->ends;
}

dyno_status dyno_grammar_masks_open(struct dyno_grammar_masks **out,
                                    const struct dyno_grammar *grammar,
                                    const struct dyno_token_trie *trie,
                                    const struct dyno_grammar_masks_options *options,
                                    struct dyno_error *error)
{
    struct dyno_grammar_masks *masks = calloc(1, sizeof *masks);

    if (!masks || !dyno_walk_init(&masks->walk, grammar, trie, options->vocab) ||
        !reserve(masks, options)) {
        dyno_grammar_masks_close(masks);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the masks of a grammar");
    }
    *out = masks;
    return DYNO_OK;
}

struct dyno_grammar_masks_counts dyno_grammar_masks_counts(const struct dyno_grammar_masks *masks)
{
    size_t depths = (size_t)masks->walk.trie->depth_max + 1;

    return (struct dyno_grammar_masks_counts){
        masks->found, masks->made,
        sizeof *masks + masks->mask_max * (masks->words * sizeof(uint64_t) + sizeof(uint32_t)) +
            masks->entry_capacity * sizeof *masks->entries + masks->key_capacity +
            (masks->entry_of.slots ? masks->entry_of.mask + 1 : 0) * sizeof(struct dyno_map_slot) +
            depths * (sizeof(struct dyno_readings) + sizeof(uint32_t)) +
            (DYNO_GRAMMAR_FRAMES_MAX + depths * DYNO_GRAMMAR_READINGS_MAX) *
                sizeof(struct dyno_grammar_frame)};
}

static void append(struct key *key, uint64_t value, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        key->bytes[key->size++] = (uint8_t)(value >> 8 * i);
    }
}

static uint32_t depth_of(const struct dyno_grammar_state *state, uint32_t frame)
{
    return frame == DYNO_GRAMMAR_NONE ? 0 : state->frames[frame].depth;
}

/* How deep the deepest reading is. */
static uint32_t depth_max(const struct dyno_grammar_state *state)
{
    uint32_t depth = 0;

    for (uint32_t i = 0; i < state->reading_count; i++) {
        uint32_t other = depth_of(state, state->readings[i].frame);

        depth = other > depth ? other : depth;
    }
    return depth;
}

/* The state's readings with `frames` frames around each. */
static void make_key(const struct dyno_grammar_masks *masks, const struct dyno_grammar_state *state,
                     uint32_t frames, struct key *key)
{
    const struct dyno_grammar *grammar = masks->walk.machine.grammar;
    uint32_t reach = masks->walk.trie->depth_max, depth = depth_max(state);
    uint32_t room = DYNO_GRAMMAR_DEPTH_MAX - depth;
    uint32_t far = masks->walk.trie->opens_max + grammar->height_max + 1;

    key->size = 0;
    append(key, frames, 1);
    append(key, room < far ? room : far, 2);
    append(key, state->reading_count, 1);
    for (uint32_t i = 0; i < state->reading_count; i++) {
        const struct dyno_grammar_reading *reading = &state->readings[i];
        uint32_t at = reading->frame;

        append(key, reading->node, 4);
        append(key, reading->local, 4);
        append(key, dyno_machine_count(grammar, reading->node, reading->data, reach), 8);
        append(key, depth - depth_of(state, at), 4);
        for (uint32_t j = 0; j < frames && at != DYNO_GRAMMAR_NONE; j++) {
            const struct dyno_grammar_frame *frame = &state->frames[at];

            append(key, frame->node, 4);
            append(key, dyno_machine_count(grammar, frame->node, frame->data, reach), 8);
            at = frame->below;
        }
    }
}

static uint64_t hash_of(const struct key *key)
{
    uint64_t hash = dyno_chain(key->size, 0);

    for (uint32_t i = 0; i < key->size; i += 8) {
        uint64_t word = 0;

        memcpy(&word, key->bytes + i, key->size - i < 8 ? key->size - i : 8);
        hash = dyno_chain(hash, word);
    }
    return hash;
}

/* Of a key; NULL: there is none, or of two keys with one hash the other one's. */
static const struct entry *find(const struct dyno_grammar_masks *masks, const struct key *key)
{
    const uint32_t *place = dyno_map_find(&masks->entry_of, hash_of(key));
    const struct entry *entry = place ? &masks->entries[*place] : NULL;

    return entry && entry->key_size == key->size &&
                   memcmp(masks->keys + entry->key_begin, key->bytes, key->size) == 0
               ? entry
               : NULL;
}

static void forget(struct dyno_grammar_masks *masks)
{
    dyno_map_clear(&masks->entry_of);
    masks->mask_count = masks->entry_count = masks->key_size = 0;
}

/* Where there is no memory for it the mask is not kept, and made again the next time. */
static void keep(struct dyno_grammar_masks *masks, const struct key *key, uint32_t mask)
{
    uint32_t *place;
    int is_new = 0;

    if (!dyno_array_reserve(&masks->entries, &masks->entry_capacity, masks->entry_count + 1U,
                            sizeof *masks->entries) ||
        !dyno_array_reserve(&masks->keys, &masks->key_capacity, (size_t)masks->key_size + key->size,
                            1)) {
        return;
    }
    place = dyno_map_put(&masks->entry_of, hash_of(key), masks->entry_count, &is_new);
    if (!place || !is_new) {
        return;
    }
    memcpy(masks->keys + masks->key_size, key->bytes, key->size);
    masks->entries[masks->entry_count++] = (struct entry){masks->key_size, key->size, mask};
    masks->key_size += key->size;
}

/* A mask of the state, kept under its key and all shorter ones. */
static uint32_t make(struct dyno_grammar_masks *masks, const struct dyno_grammar_state *state,
                     struct key *key)
{
    uint32_t depth = depth_max(state), frames, mask;
    uint64_t *allowed;

    if (masks->mask_count == masks->mask_max ||
        masks->entry_count > masks->mask_max * ENTRIES_PER_MASK ||
        masks->key_size > masks->mask_max * KEY_BYTES_PER_MASK) {
        forget(masks);
    }
    mask = masks->mask_count++;
    allowed = masks->masks + (size_t)mask * masks->words;
    memset(allowed, 0, masks->words * sizeof *allowed);
    dyno_walk_run(&masks->walk, state, allowed);
    masks->counts[mask] = 0;
    for (uint32_t i = 0; i < masks->words; i++) {
        masks->counts[mask] += (uint32_t)__builtin_popcountll(allowed[i]);
    }
    frames = masks->walk.machine.lowest > depth ? 0 : depth - masks->walk.machine.lowest + 1;
    for (uint32_t i = 0; i <= frames; i++) {
        make_key(masks, state, i, key);
        keep(masks, key, i < frames ? DEEPER : mask);
    }
    masks->made++;
    return mask;
}

static uint32_t mask_of(struct dyno_grammar_masks *masks, const struct dyno_grammar_state *state)
{
    const struct entry *entry;
    struct key key;
    uint32_t frames = 0;

    do {
        make_key(masks, state, frames++, &key);
        entry = find(masks, &key);
    } while (entry && entry->mask == DEEPER);
    if (!entry) {
        return make(masks, state, &key);
    }
    masks->found++;
    return entry->mask;
}

uint32_t dyno_grammar_mask(struct dyno_grammar_masks *masks, const struct dyno_grammar_state *state,
                           uint64_t *allowed)
{
    uint32_t mask = mask_of(masks, state), count = masks->counts[mask];

    memcpy(allowed, masks->masks + (size_t)mask * masks->words, masks->words * sizeof *allowed);
    if (!dyno_grammar_may_end(masks->walk.machine.grammar, state)) {
        return count;
    }
    for (uint32_t i = 0; i < masks->end_count; i++) {
        uint32_t end = masks->ends[i];

        if (end < masks->walk.vocab && !(allowed[end / 64] >> (end % 64) & 1)) {
            allowed[end / 64] |= 1ULL << (end % 64);
            count++;
        }
    }
    return count;
}
