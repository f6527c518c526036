#include "backends/ucx/wire.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backends/ucx/transport.h"

/* ---- hello and welcome ----------------------------------------------------------------------- */

static dyno_status check_start(uint64_t magic, uint32_t version, const char *who,
                               struct dyno_error *error)
{
    if (magic != DYNO_UCX_MAGIC) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is not a dyno of this kind of machine (it began with %016" PRIx64 ")",
                         who, magic);
    }
    if (version != DYNO_UCX_VERSION) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s speaks version %u of the language between dynos, and this one version "
                         "%d: both must be of the same build",
                         who, version, DYNO_UCX_VERSION);
    }
    return DYNO_OK;
}

dyno_status dyno_ucx_hello_check(const struct dyno_ucx_hello *hello, struct dyno_error *error)
{
    DYNO_TRY(check_start(hello->magic, hello->version, "who asks", error));
    if (hello->transport != DYNO_UCX_SHARED_MEMORY && hello->transport != DYNO_UCX_TCP) {
        return dyno_fail(error, DYNO_BAD_INPUT, "there is no transport %u", hello->transport);
    }
    if (hello->workers == 0 || hello->workers > DYNO_UCX_WORKERS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%u workers: one process has 1 to %d",
                         hello->workers, DYNO_UCX_WORKERS_MAX);
    }
    if (hello->ranks == 0 || hello->blocks == 0 || hello->block_tokens == 0 ||
        hello->rows_max == 0 || hello->rows_max > DYNO_UCX_ROWS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%u ranks, %u blocks of %u tokens and %u rows a pass: each is at least 1, "
                         "and rows are at most %d",
                         hello->ranks, hello->blocks, hello->block_tokens, hello->rows_max,
                         DYNO_UCX_ROWS_MAX);
    }
    if (hello->beat_ms > 0 &&
        (hello->beat_ms < DYNO_UCX_BEAT_MS_MIN || hello->beat_ms > DYNO_UCX_BEAT_MS_MAX)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a sign of life every %u ms: 0 for none, or %d to %d", hello->beat_ms,
                         DYNO_UCX_BEAT_MS_MIN, DYNO_UCX_BEAT_MS_MAX);
    }
    if (hello->tells_layers > 1) {
        return dyno_fail(error, DYNO_BAD_INPUT, "layers are told of (1) or not (0), not %u",
                         hello->tells_layers);
    }
    return DYNO_OK;
}

dyno_status dyno_ucx_welcome_check(const struct dyno_ucx_welcome *welcome, struct dyno_error *error)
{
    DYNO_TRY(check_start(welcome->magic, welcome->version, "who answers", error));
    if (welcome->size > DYNO_UCX_WELCOME_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT, "its welcome has %u bytes, and at most %d are read",
                         welcome->size, DYNO_UCX_WELCOME_MAX);
    }
    return DYNO_OK;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

void dyno_ucx_put(struct dyno_ucx_bytes *bytes, const void *from, size_t size)
{
    if (bytes->failed || size == 0) {
        return;
    }
    if (bytes->size + size > bytes->capacity) {
        size_t capacity = 2 * (bytes->size + size);
        char *grown = realloc(bytes->at, capacity);

        if (!grown) {
            bytes->failed = true;
            return;
        }
        bytes->at = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->at + bytes->size, from, size);
    bytes->size += size;
}

void dyno_ucx_put_u32(struct dyno_ucx_bytes *bytes, uint32_t value)
{
    dyno_ucx_put(bytes, &value, sizeof value);
}

const void *dyno_ucx_take_bytes(struct dyno_ucx_reader *reader, size_t size)
{
    const char *at = reader->at;

    if (reader->failed || size > reader->left) {
        reader->failed = true;
        return NULL;
    }
    reader->at += size;
    reader->left -= size;
    return at;
}

void dyno_ucx_take(struct dyno_ucx_reader *reader, void *to, size_t size)
{
    const void *from = dyno_ucx_take_bytes(reader, size);

    if (from && size > 0) {
        memcpy(to, from, size);
    } else {
        memset(to, 0, size);
    }
}

uint32_t dyno_ucx_take_u32(struct dyno_ucx_reader *reader)
{
    uint32_t value;

    dyno_ucx_take(reader, &value, sizeof value);
    return value;
}

/* ---- a step ---------------------------------------------------------------------------------- */

static uint32_t table_size(uint32_t first, uint32_t count, uint32_t block_tokens)
{
    return (uint32_t)(((uint64_t)first + count + block_tokens - 1) / block_tokens);
}

enum dyno_ucx_wanted dyno_ucx_wanted(const struct dyno_engine_piece *piece)
{
    const struct dyno_generation *generation = piece->transcript->generation;

    if (!piece->yields) {
        return DYNO_UCX_NOTHING;
    }
    return !generation ? DYNO_UCX_TOKEN : generation->ops->embed ? DYNO_UCX_STATE : DYNO_UCX_LOGITS;
}

void dyno_ucx_put_step(struct dyno_ucx_bytes *question, const struct dyno_engine_piece *pieces,
                       uint32_t piece_count, uint32_t block_tokens)
{
    dyno_ucx_put_u32(question, piece_count);
    for (uint32_t i = 0; i < piece_count; i++) {
        const struct dyno_engine_piece *piece = &pieces[i];

        dyno_ucx_put_u32(question, piece->first);
        dyno_ucx_put_u32(question, piece->count);
        dyno_ucx_put_u32(question, piece->cached);
        dyno_ucx_put_u32(question, dyno_ucx_wanted(piece));
        dyno_ucx_put(question, piece->tokens + piece->first, piece->count * sizeof(uint32_t));
        dyno_ucx_put(question, piece->table,
                     table_size(piece->first, piece->count, block_tokens) * sizeof(uint32_t));
    }
}

static dyno_status check_below(const uint32_t *values, uint32_t count, uint32_t limit,
                               const char *what, struct dyno_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] >= limit) {
            return dyno_fail(error, DYNO_BAD_INPUT, "a step has %s %u, and there are %u", what,
                             values[i], limit);
        }
    }
    return DYNO_OK;
}

/* One piece, of at most `rows` rows. */
static dyno_status read_piece(struct dyno_ucx_piece *piece, struct dyno_ucx_reader *reader,
                              const struct dyno_ucx_limits *limits, uint32_t rows,
                              struct dyno_error *error)
{
    uint32_t wanted, blocks;

    piece->first = dyno_ucx_take_u32(reader);
    piece->count = dyno_ucx_take_u32(reader);
    piece->cached = dyno_ucx_take_u32(reader);
    wanted = dyno_ucx_take_u32(reader);
    if (piece->count == 0 || piece->count > rows || piece->first >= limits->positions ||
        piece->count > limits->positions - piece->first || piece->cached > piece->count ||
        wanted > DYNO_UCX_STATE) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a step has a piece of %u tokens, %u of them cached, from %u on (and asks "
                         "for %u); a worker computes %u rows a pass and %u positions",
                         piece->count, piece->cached, piece->first, wanted, limits->rows_max,
                         limits->positions);
    }
    piece->wanted = (enum dyno_ucx_wanted)wanted;
    blocks = table_size(piece->first, piece->count, limits->block_tokens);
    piece->tokens = dyno_ucx_take_bytes(reader, piece->count * sizeof(uint32_t));
    piece->table = dyno_ucx_take_bytes(reader, blocks * sizeof(uint32_t));
    if (reader->failed) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a step ends in the middle of a piece");
    }
    DYNO_TRY(check_below(piece->tokens, piece->count, limits->vocab, "token", error));
    return check_below(piece->table, blocks, limits->blocks, "block", error);
}

dyno_status dyno_ucx_read_step(struct dyno_ucx_piece *pieces, uint32_t *piece_count,
                               const void *question, size_t size,
                               const struct dyno_ucx_limits *limits, struct dyno_error *error)
{
    struct dyno_ucx_reader reader = {.at = question, .left = size};
    uint32_t count = dyno_ucx_take_u32(&reader), rows = 0;

    if (count == 0 || count > limits->rows_max) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a step has %u pieces; expected 1 to %u", count,
                         limits->rows_max);
    }
    for (uint32_t i = 0; i < count; i++) {
        DYNO_TRY(read_piece(&pieces[i], &reader, limits, limits->rows_max - rows, error));
        rows += pieces[i].count;
    }
    if (reader.left > 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a step has %zu bytes behind its last piece",
                         reader.left);
    }
    *piece_count = count;
    return DYNO_OK;
}

size_t dyno_ucx_step_max(const struct dyno_ucx_limits *limits)
{
    size_t table = table_size(limits->positions, 0, limits->block_tokens);

    return sizeof(uint32_t) * (1 + (size_t)limits->rows_max * (5 + table));
}
