#include "backends/engine/transcript.h"

#include <stdlib.h>

#include "core/base/map.h"

struct item {
    struct dyno_transcript *transcript; /* NULL: unused */
};

/* Transcripts are found by number through a map of indices into an array of pointers. */
struct dyno_transcripts {
    struct dyno_map index_of;
    struct item *items; /* [capacity] */
    uint32_t *unused;   /* [unused_count] indices */
    uint32_t capacity, unused_count;
};

static dyno_status grow(struct dyno_transcripts *transcripts)
{
    uint32_t capacity = transcripts->capacity ? 2 * transcripts->capacity : 64;
    struct item *items = realloc(transcripts->items, capacity * sizeof *items);
    uint32_t *unused;

    if (!items) {
        return DYNO_NO_MEMORY;
    }
    transcripts->items = items;
    unused = realloc(transcripts->unused, capacity * sizeof *unused);
    if (!unused) {
        return DYNO_NO_MEMORY;
    }
    transcripts->unused = unused;
    for (uint32_t i = capacity; i-- > transcripts->capacity;) {
        items[i].transcript = NULL;
        unused[transcripts->unused_count++] = i;
    }
    transcripts->capacity = capacity;
    return DYNO_OK;
}

static struct dyno_transcript *make(uint32_t prompt_tokens, uint32_t tokens_max)
{
    struct dyno_transcript *made = calloc(1, sizeof *made);

    if (!made) {
        return NULL;
    }
    *made = (struct dyno_transcript){.prompt_tokens = prompt_tokens,
                                     .count = prompt_tokens,
                                     .capacity = prompt_tokens + tokens_max};
    made->tokens = malloc(((size_t)prompt_tokens + tokens_max) * sizeof *made->tokens);
    if (!made->tokens) {
        free(made);
        return NULL;
    }
    return made;
}

static void drop(struct dyno_transcript *transcript)
{
    if (transcript) {
        free(transcript->tokens);
        free(transcript);
    }
}

dyno_status dyno_transcripts_add(struct dyno_transcripts *transcripts, uint64_t id,
                                 uint32_t prompt_tokens, uint32_t tokens_max,
                                 struct dyno_transcript **out)
{
    struct dyno_transcript *made;
    uint32_t index;

    if (transcripts->unused_count == 0) {
        DYNO_TRY(grow(transcripts));
    }
    made = make(prompt_tokens, tokens_max);
    if (!made) {
        return DYNO_NO_MEMORY;
    }
    index = transcripts->unused[transcripts->unused_count - 1];
    if (!dyno_map_put(&transcripts->index_of, id, index, NULL)) {
        drop(made);
        return DYNO_NO_MEMORY;
    }
    transcripts->unused_count--;
    transcripts->items[index].transcript = made;
    *out = made;
    return DYNO_OK;
}

struct dyno_transcript *dyno_transcripts_find(const struct dyno_transcripts *transcripts,
                                              uint64_t id)
{
    const uint32_t *index = dyno_map_find(&transcripts->index_of, id);

    return index ? transcripts->items[*index].transcript : NULL;
}

void dyno_transcripts_forget(struct dyno_transcripts *transcripts, uint64_t id)
{
    const uint32_t *found = dyno_map_find(&transcripts->index_of, id);
    uint32_t index;

    if (!found) {
        return;
    }
    index = *found;
    dyno_map_remove(&transcripts->index_of, id);
    drop(transcripts->items[index].transcript);
    transcripts->items[index].transcript = NULL;
    transcripts->unused[transcripts->unused_count++] = index;
}

dyno_status dyno_transcripts_open(struct dyno_transcripts **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? DYNO_OK : DYNO_NO_MEMORY;
}

void dyno_transcripts_close(struct dyno_transcripts *transcripts)
{
    if (!transcripts) {
        return;
    }
    for (uint32_t i = 0; i < transcripts->capacity; i++) {
        drop(transcripts->items[i].transcript);
    }
    dyno_map_release(&transcripts->index_of);
    free(transcripts->items);
    free(transcripts->unused);
    free(transcripts);
}
