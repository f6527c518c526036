/* What a pass is told: its rows, slices and block tables, side by side in one piece of memory.
 *
 * Sizes are rounded up to some that come again, for which graphs and algorithms are ready: of a
 * pass that decodes only the batch and the context, of others the rows and how many of them yield.
 * The rows that are too many have no token (their embedding is zeros) and no slot (nothing is
 * stored); those of decoding a table of blocks that do not exist (they see nothing), others none
 * (they are what was there before).  What they become is not looked at. */
#include <assert.h>
#include <string.h>

#include "backends/cuda/forward_parts.h"
#include "kernels/cuda/rope.h"

enum {
    BATCH_EXACT = 8, /* batches up to it are rounded up to a power of two, ... */
    BATCH_STEP = 8,  /* ... up to BATCH_MIDDLE to a multiple of this, ... */
    BATCH_MIDDLE = 64,
    BATCH_WIDE_STEP = 32, /* ... and beyond of this */
    ROWS_STEP = 8,        /* rows of other passes to a multiple of this, ... */
    ROWS_FEW = 64,
    ROWS_MIDDLE_STEP = 64, /* ... beyond ROWS_FEW of this, ... */
    ROWS_MIDDLE = 1024,
    ROWS_MANY_STEP = 128, /* ... and beyond ROWS_MIDDLE of this */
    TABLE_WIDTH_MIN = 16,
};

static uint32_t blocks_of(const struct dyno_cuda_forward *forward, uint32_t tokens)
{
    return (tokens + forward->config.block_tokens - 1) / forward->config.block_tokens;
}

static uint32_t power_of_two(uint32_t value)
{
    uint32_t power = 1;

    while (power < value) {
        power *= 2;
    }
    return power;
}

static uint32_t round_up(uint32_t value, uint32_t step)
{
    return (value + step - 1) / step * step;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t batch_of(const struct dyno_cuda_forward *forward, uint32_t sequences)
{
    uint32_t most = smaller(forward->config.sequences_max, forward->config.rows_max);
    uint32_t batch = sequences <= BATCH_EXACT    ? power_of_two(sequences)
                     : sequences <= BATCH_MIDDLE ? round_up(sequences, BATCH_STEP)
                                                 : round_up(sequences, BATCH_WIDE_STEP);

    return smaller(batch, most);
}

uint32_t dyno_cuda_rows_of(const struct dyno_cuda_forward *forward, uint32_t rows)
{
    uint32_t step = rows <= ROWS_FEW      ? ROWS_STEP
                    : rows <= ROWS_MIDDLE ? ROWS_MIDDLE_STEP
                                          : ROWS_MANY_STEP;

    return smaller(round_up(rows, step), forward->config.rows_max);
}

struct dyno_cuda_shape dyno_cuda_shape_max(const struct dyno_cuda_forward *forward)
{
    uint32_t sequences = forward->config.sequences_max, positions = forward->model->positions;

    return (struct dyno_cuda_shape){
        .rows = forward->config.rows_max,
        .prefills = sequences,
        .decodes = sequences,
        .yields = sequences,
        .table_width = blocks_of(forward, positions),
        .prefill_max = forward->config.rows_max,
        .context_max = positions,
        .decode_context_max = positions,
        .gathers = 1,
    };
}

struct dyno_cuda_shape dyno_cuda_decode_shape(const struct dyno_cuda_forward *forward,
                                              uint32_t sequences, uint32_t blocks)
{
    uint32_t most = dyno_cuda_shape_max(forward).table_width, width = power_of_two(blocks);
    struct dyno_cuda_shape shape = {0};

    shape.rows = shape.decodes = shape.yields = batch_of(forward, sequences);
    shape.table_width = smaller(width > TABLE_WIDTH_MIN ? width : TABLE_WIDTH_MIN, most);
    shape.context_max = shape.decode_context_max =
        smaller(shape.table_width * forward->config.block_tokens, forward->model->positions);
    return shape;
}

struct dyno_cuda_shape dyno_cuda_shape_of(const struct dyno_cuda_forward *forward,
                                          const struct dyno_cuda_slice *slices,
                                          uint32_t slice_count, uint32_t further)
{
    struct dyno_cuda_shape shape = {0};

    for (uint32_t i = 0; i < slice_count; i++) {
        uint32_t end = slices[i].first + slices[i].count;

        shape.rows += slices[i].count;
        shape.yields += slices[i].want != DYNO_CUDA_WANT_NOTHING;
        shape.scores |= dyno_cuda_scored_rows(&slices[i]) > 0;
        shape.context_max = end > shape.context_max ? end : shape.context_max;
        if (slices[i].count == 1) {
            shape.decodes++;
            shape.decode_context_max =
                end > shape.decode_context_max ? end : shape.decode_context_max;
        } else {
            shape.prefills++;
            shape.prefill_max =
                slices[i].count > shape.prefill_max ? slices[i].count : shape.prefill_max;
        }
    }
    shape.table_width = blocks_of(forward, shape.context_max);
    shape.gathers = shape.yields < shape.rows;
    if (shape.prefills == 0 && !shape.gathers) {
        return dyno_cuda_decode_shape(forward, shape.decodes,
                                      blocks_of(forward, shape.context_max + further));
    }
    shape.rows = dyno_cuda_rows_of(forward, shape.rows);
    shape.yields = shape.yields > 0 ? batch_of(forward, shape.yields) : 0;
    shape.gathers = 1;
    return shape;
}

/* Even what has no elements has a place. */
static void *take_some(struct dyno_cuda_arena *arena, uint64_t count, size_t size)
{
    uint64_t bytes = (count > 0 ? count : 1) * size;

    assert(bytes > 0); /* which clang-tidy cannot see */
    return dyno_cuda_take(arena, bytes);
}

struct dyno_cuda_arrays dyno_cuda_arrays_take(struct dyno_cuda_arena *arena,
                                              const struct dyno_cuda_shape *shape)
{
    struct dyno_cuda_arrays arrays;
    uint64_t sequences = (uint64_t)shape->prefills + shape->decodes;

    arrays.token = take_some(arena, shape->rows, sizeof *arrays.token);
    arrays.position = take_some(arena, shape->rows, sizeof *arrays.position);
    arrays.slot = take_some(arena, shape->rows, sizeof *arrays.slot);
    arrays.prefill = take_some(arena, shape->prefills, sizeof *arrays.prefill);
    arrays.decode = take_some(arena, shape->decodes, sizeof *arrays.decode);
    arrays.yield = take_some(arena, shape->yields, sizeof *arrays.yield);
    arrays.yield_row = take_some(arena, shape->yields, sizeof *arrays.yield_row);
    arrays.sample = take_some(arena, shape->yields, sizeof *arrays.sample);
    arrays.table = take_some(arena, sequences * shape->table_width, sizeof *arrays.table);
    return arrays;
}

static char *told_of(const struct dyno_cuda_forward *forward)
{
    assert(forward->told);
    return forward->told;
}

/* Where the next row, slice, ... of a pass goes. */
struct place {
    uint32_t row, sequence, prefill, decode, yield;
};

static void tell_rows(const struct dyno_cuda_forward *forward,
                      const struct dyno_cuda_arrays *arrays, const struct dyno_cuda_slice *slice,
                      uint32_t row)
{
    uint32_t block_tokens = forward->config.block_tokens;

    for (uint32_t i = 0; i < slice->count; i++) {
        uint32_t position = slice->first + i, block = slice->table[position / block_tokens];

        assert(slice->tokens[i] < forward->shape->vocab && block < forward->config.blocks);
        arrays->token[row + i] = slice->tokens[i];
        arrays->position[row + i] = position;
        arrays->slot[row + i] =
            i < slice->cached ? DYNO_CUDA_NO_SLOT : block * block_tokens + position % block_tokens;
    }
}

static void tell_yield(const struct dyno_cuda_arrays *arrays, const struct dyno_cuda_slice *slice,
                       const struct place *at)
{
    uint32_t position = slice->first + slice->count - 1;
    struct dyno_cuda_sample_row *sample = &arrays->sample[at->yield];

    assert(!slice->sampling.bias && !slice->sampling.allowed);
    arrays->yield[at->yield] = (struct dyno_cuda_attention_slice){
        .sequence = at->sequence, .first = position, .count = 1, .row = at->yield};
    arrays->yield_row[at->yield] = at->row + slice->count - 1;
    memset(sample, 0, sizeof *sample);
    sample->sampling = slice->sampling;
    sample->position = (uint64_t)position + 1;
}

static void tell_slice(const struct dyno_cuda_forward *forward, const struct dyno_cuda_shape *shape,
                       const struct dyno_cuda_arrays *arrays, const struct dyno_cuda_slice *slice,
                       uint32_t further, struct place *at)
{
    uint32_t *table = arrays->table + (size_t)at->sequence * shape->table_width;
    uint32_t blocks = blocks_of(forward, slice->first + slice->count + further);
    struct dyno_cuda_attention_slice attention = {
        .sequence = at->sequence, .first = slice->first, .count = slice->count, .row = at->row};

    tell_rows(forward, arrays, slice, at->row);
    memcpy(table, slice->table, blocks * sizeof *table);
    memset(table + blocks, 0xff, (shape->table_width - blocks) * sizeof *table);
    if (slice->count == 1) {
        arrays->decode[at->decode++] = attention;
    } else {
        arrays->prefill[at->prefill++] = attention;
    }
    if (slice->want != DYNO_CUDA_WANT_NOTHING) {
        tell_yield(arrays, slice, at);
        at->yield++;
    }
    at->row += slice->count;
    at->sequence++;
}

/* A row without a token that is neither stored nor sees anything. */
static void tell_nobody(const struct dyno_cuda_arrays *arrays, uint32_t row)
{
    arrays->token[row] = UINT32_MAX;
    arrays->position[row] = 0;
    arrays->slot[row] = DYNO_CUDA_NO_SLOT;
}

static void tell_nobody_yields(const struct dyno_cuda_shape *shape,
                               const struct dyno_cuda_arrays *arrays, uint32_t yield, uint32_t row)
{
    arrays->yield[yield] =
        (struct dyno_cuda_attention_slice){.sequence = yield, .count = 1, .row = yield};
    arrays->yield_row[yield] = row;
    memset(&arrays->sample[yield], 0, sizeof arrays->sample[yield]);
    memset(arrays->table + (size_t)yield * shape->table_width, 0xff,
           shape->table_width * sizeof(uint32_t));
}

/* The rows that are too many, and the yields: in a pass that gathers those are row 0 again. */
static void tell_padding(const struct dyno_cuda_shape *shape, const struct dyno_cuda_arrays *arrays,
                         struct place at)
{
    for (uint32_t i = at.row; i < shape->rows; i++) {
        tell_nobody(arrays, i);
        if (!shape->gathers) {
            arrays->decode[i] =
                (struct dyno_cuda_attention_slice){.sequence = i, .count = 1, .row = i};
            tell_nobody_yields(shape, arrays, i, i);
        }
    }
    for (uint32_t i = at.yield; shape->gathers && i < shape->yields; i++) {
        arrays->yield[i] = (struct dyno_cuda_attention_slice){.count = 1, .row = i};
        arrays->yield_row[i] = 0;
        memset(&arrays->sample[i], 0, sizeof arrays->sample[i]);
    }
}

void dyno_cuda_tell_nothing(const struct dyno_cuda_forward *forward,
                            const struct dyno_cuda_shape *shape)
{
    struct dyno_cuda_arena arena = {.base = told_of(forward)};
    struct dyno_cuda_arrays arrays = dyno_cuda_arrays_take(&arena, shape);

    assert(shape->rows <= forward->config.rows_max && arena.used <= forward->told_bytes);
    if (shape->prefills == 0) {
        tell_padding(shape, &arrays, (struct place){0});
        return;
    }
    tell_padding(shape, &arrays, (struct place){.yield = 1});
    arrays.prefill[0] = (struct dyno_cuda_attention_slice){.count = shape->rows};
    tell_nobody_yields(shape, &arrays, 0, shape->rows - 1);
}

void dyno_cuda_tell(const struct dyno_cuda_forward *forward, const struct dyno_cuda_shape *shape,
                    const struct dyno_cuda_slice *slices, uint32_t slice_count, uint32_t further)
{
    struct dyno_cuda_arena arena = {.base = told_of(forward)};
    struct dyno_cuda_arrays arrays = dyno_cuda_arrays_take(&arena, shape);
    struct place at = {0};

    assert(slice_count >= 1 && slice_count <= forward->config.sequences_max);
    assert(shape->rows <= forward->config.rows_max && arena.used <= forward->told_bytes);
    for (uint32_t i = 0; i < slice_count; i++) {
        assert(slices[i].count >= 1 && slices[i].first < forward->model->positions &&
               slices[i].count <= forward->model->positions - slices[i].first);
        tell_slice(forward, shape, &arrays, &slices[i], further, &at);
    }
    tell_padding(shape, &arrays, at);
}
