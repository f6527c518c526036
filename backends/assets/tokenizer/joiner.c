#include "backends/assets/tokenizer/joiner.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"

enum { FEW = 32 };
#define NONE UINT32_MAX

void dyno_joiner_release(struct dyno_joiner *joiner)
{
    free(joiner->symbols);
    free(joiner->previous);
    free(joiner->next);
    free(joiner->join);
    dyno_heap_release(&joiner->heap);
    memset(joiner, 0, sizeof *joiner);
}

static dyno_status widen(uint32_t **array, size_t capacity)
{
    uint32_t *wide = realloc(*array, capacity * sizeof *wide);

    if (!wide) {
        return DYNO_NO_MEMORY;
    }
    *array = wide;
    return DYNO_OK;
}

static dyno_status reserve(struct dyno_joiner *joiner, size_t count)
{
    size_t capacity = joiner->capacity ? joiner->capacity : 256;

    if (count <= joiner->capacity) {
        return DYNO_OK;
    }
    while (capacity < count) {
        capacity *= 2;
    }
    DYNO_TRY(widen(&joiner->symbols, capacity));
    joiner->capacity = capacity;
    return DYNO_OK;
}

static dyno_status reserve_chain(struct dyno_joiner *joiner, size_t count)
{
    size_t capacity = joiner->capacity;

    if (count <= joiner->chain_capacity) {
        return DYNO_OK;
    }
    DYNO_TRY(widen(&joiner->previous, capacity));
    DYNO_TRY(widen(&joiner->next, capacity));
    DYNO_TRY(widen(&joiner->join, capacity));
    DYNO_TRY(dyno_heap_reserve(&joiner->heap, (uint32_t)capacity));
    joiner->chain_capacity = capacity;
    return DYNO_OK;
}

/* The join of two neighbours, or NONE. */
static uint32_t find_join(const struct dyno_tokenizer *tokenizer, uint32_t left, uint32_t right)
{
    return left == DYNO_TOKEN_NONE ? NONE : dyno_join_table_find(&tokenizer->joins, left, right);
}

/* Two neighbours: when and what they become; rank NONE: nothing. */
struct pair {
    uint32_t rank, result;
};

static struct pair judge_pair(const struct dyno_tokenizer *tokenizer, uint32_t left, uint32_t right)
{
    uint32_t join = find_join(tokenizer, left, right);

    return join == NONE ? (struct pair){NONE, NONE}
                        : (struct pair){tokenizer->joins.slots[join].rank,
                                        tokenizer->joins.slots[join].result};
}

static size_t join_few(const struct dyno_tokenizer *tokenizer, uint32_t *symbols, size_t count)
{
    struct pair pairs[FEW];

    for (size_t i = 0; i + 1 < count; i++) {
        pairs[i] = judge_pair(tokenizer, symbols[i], symbols[i + 1]);
    }
    while (count > 1) {
        size_t best = 0;

        for (size_t i = 1; i + 1 < count; i++) {
            best = pairs[i].rank < pairs[best].rank ? i : best;
        }
        if (pairs[best].rank == NONE) {
            break;
        }
        symbols[best] = pairs[best].result;
        count--;
        memmove(symbols + best + 1, symbols + best + 2, (count - best - 1) * sizeof *symbols);
        if (best + 1 < count) {
            memmove(pairs + best, pairs + best + 1, (count - best - 1) * sizeof *pairs);
            pairs[best] = judge_pair(tokenizer, symbols[best], symbols[best + 1]);
        }
        if (best > 0) {
            pairs[best - 1] = judge_pair(tokenizer, symbols[best - 1], symbols[best]);
        }
    }
    return count;
}

/* Look again at the pair that begins with symbol `at`. */
static void judge(struct dyno_joiner *joiner, const struct dyno_tokenizer *tokenizer, uint32_t at)
{
    uint32_t next = joiner->next[at];
    uint32_t join =
        next == NONE ? NONE : find_join(tokenizer, joiner->symbols[at], joiner->symbols[next]);

    joiner->join[at] = join;
    if (join == NONE) {
        dyno_heap_remove(&joiner->heap, at);
    } else {
        dyno_heap_set(&joiner->heap, at, tokenizer->joins.slots[join].rank);
    }
}

static void join_at(struct dyno_joiner *joiner, const struct dyno_tokenizer *tokenizer, uint32_t at)
{
    uint32_t gone = joiner->next[at], after = joiner->next[gone];

    dyno_heap_remove(&joiner->heap, gone);
    joiner->symbols[at] = tokenizer->joins.slots[joiner->join[at]].result;
    joiner->next[at] = after;
    if (after != NONE) {
        joiner->previous[after] = at;
    }
    judge(joiner, tokenizer, at);
    if (joiner->previous[at] != NONE) {
        judge(joiner, tokenizer, joiner->previous[at]);
    }
}

static size_t join_many(struct dyno_joiner *joiner, const struct dyno_tokenizer *tokenizer,
                        uint32_t count)
{
    size_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        joiner->previous[i] = i == 0 ? NONE : i - 1;
        joiner->next[i] = i + 1 == count ? NONE : i + 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        judge(joiner, tokenizer, i);
    }
    while (joiner->heap.count > 0) {
        join_at(joiner, tokenizer, dyno_heap_top(&joiner->heap).id);
    }
    for (uint32_t i = 0; i != NONE; i = joiner->next[i]) {
        joiner->symbols[kept++] = joiner->symbols[i];
    }
    return kept;
}

/* The symbols of a piece before any join: bytes, or SentencePiece's characters. */
static size_t first_symbols(const struct dyno_tokenizer *tokenizer, const char *piece, size_t size,
                            uint32_t *symbols)
{
    size_t count = 0, length;

    if (tokenizer->vocabulary.kind == DYNO_TOKENIZER_BYTE_LEVEL) {
        for (size_t i = 0; i < size; i++) {
            symbols[i] = tokenizer->byte_token[(unsigned char)piece[i]];
        }
        return size;
    }
    for (size_t at = 0; at < size; at += length) {
        unsigned char first = (unsigned char)piece[at];

        if (first < DYNO_LETTERS) {
            symbols[count++] = tokenizer->letter[first];
            length = 1;
            continue;
        }
        (void)dyno_utf8_point(piece + at, &length);
        symbols[count++] =
            dyno_piece_table_find(&tokenizer->by_bytes, tokenizer->tokens, piece + at, length);
    }
    return count;
}

dyno_status dyno_joiner_run(struct dyno_joiner *joiner, const struct dyno_tokenizer *tokenizer,
                            const char *piece, size_t size, size_t *count)
{
    DYNO_TRY(reserve(joiner, size));
    *count = first_symbols(tokenizer, piece, size, joiner->symbols);
    if (*count <= FEW) {
        *count = join_few(tokenizer, joiner->symbols, *count);
        return DYNO_OK;
    }
    DYNO_TRY(reserve_chain(joiner, *count));
    *count = join_many(joiner, tokenizer, (uint32_t)*count);
    return DYNO_OK;
}
