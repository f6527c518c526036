/* The matrix product's inner loops (matmul.h), for one instruction set (lanes.h).
 *
 * Up to DIRECT_MAX activations: a tile of weight rows is converted in registers, each weight is
 * read once.  More: a panel of weight rows is converted and copied, in the order in which it is
 * then read, once; register tiles of TILE_ROWS rows by 4 activations go over it.  Both sum in the
 * order that matmul.h states, so which one ran cannot be told from the result.
 */
#ifndef DYNO_KERNELS_MATMUL_BODY_H
#define DYNO_KERNELS_MATMUL_BODY_H

#include "kernels/lanes.h"
#include "kernels/matmul.h"

enum {
    GROUP = DYNO_Q8_0_ELEMENTS, /* columns that are converted together */
    VECTORS = GROUP / LANES,
    DIRECT_MAX = 4,    /* activations */
    DIRECT_ROWS = 4,   /* at most, of weights */
    AHEAD_BYTES = 512, /* of a row: what is asked for while so much is summed */
    PANEL_ROWS = 48,   /* 192 KiB: half of a second-level cache */
    TILE_ACTIVATIONS = 4,
};

/* Vector `v` of the group of columns that begins at `group`; `scale` is Q8_0's. */
INLINE lanes load_weights(enum dyno_element element, const unsigned char *group, size_t v,
                          lanes scale)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        return lanes_load((const float *)(const void *)(group + 4 * v * LANES));
    case DYNO_ELEMENT_F16:
        return lanes_load_f16(group + 2 * v * LANES);
    case DYNO_ELEMENT_BF16:
        return lanes_load_bf16(group + 2 * v * LANES);
    default:
        return lanes_mul(scale, lanes_load_i8(group + 2 + v * LANES));
    }
}

INLINE lanes load_scale(enum dyno_element element, const unsigned char *group)
{
    uint16_t bits;

    if (element != DYNO_ELEMENT_Q8_0) {
        return lanes_set(0.0F);
    }
    memcpy(&bits, group, sizeof(bits));
    return lanes_set(lanes_float_of_f16(bits));
}

/* `count` <= LANES columns from `at` on, and zeros.  Q8_0 has whole groups only. */
INLINE lanes load_weights_part(enum dyno_element element, const unsigned char *at, uint32_t count)
{
    unsigned char bytes[LANES * sizeof(float)] = {0};
    size_t size = element == DYNO_ELEMENT_F32 ? 4 : 2;

    memcpy(bytes, at, size * count);
    return load_weights(element, bytes, 0, lanes_set(0.0F));
}

/* The last step of every element: `sum` is of its last chunk, `before` of those before. */
INLINE float finish(const struct dyno_matmul_job *job, uint32_t i, uint32_t row, float total)
{
    if (job->bias) {
        total += job->bias[row];
    }
    if (job->residual) {
        total += job->residual[i * job->y_stride + row];
    }
    return total;
}

/* The columns of the weights that are read. */
struct columns {
    const unsigned char *first; /* of row 0 */
    size_t bytes;               /* from one row to the next */
    uint32_t count;
};

INLINE struct columns columns_of(const struct dyno_matmul_job *job)
{
    const struct dyno_matrix *weights = job->weights;

    return (struct columns){.first = (const unsigned char *)weights->data +
                                     dyno_row_bytes(weights->element, job->first_column),
                            .bytes = dyno_row_bytes(weights->element, weights->columns),
                            .count = dyno_matmul_columns(job)};
}

/* Rows that are summed together: `row`, and others `apart` rows from each other. */
struct tile {
    uint32_t row, apart;
};

/* Ask for what a group's row will be followed by: the rows of a tile are streams (direct_rows).
 * What lies past the matrix is not there to be read, but may be asked for. */
INLINE void prefetch_group(enum dyno_element element, const unsigned char *group)
{
    __builtin_prefetch(group + AHEAD_BYTES);
    if (element == DYNO_ELEMENT_F32) { /* two lines */
        __builtin_prefetch(group + AHEAD_BYTES + 64);
    }
}

/* The columns of one group, `rows` by `n` sums. */
INLINE void direct_group(enum dyno_element element, uint32_t rows, uint32_t n,
                         const unsigned char *group, size_t apart, const float *x, size_t x_stride,
                         lanes *sum)
{
    lanes scale[DIRECT_ROWS];

    UNROLL
    for (uint32_t r = 0; r < rows; r++) {
        scale[r] = load_scale(element, group + r * apart);
        prefetch_group(element, group + r * apart);
    }
    UNROLL
    for (size_t v = 0; v < VECTORS; v++) {
        lanes a[DIRECT_MAX];

        UNROLL
        for (uint32_t i = 0; i < n; i++) {
            a[i] = lanes_load(x + i * x_stride + v * LANES);
        }
        UNROLL
        for (uint32_t r = 0; r < rows; r++) {
            lanes w = load_weights(element, group + r * apart, v, scale[r]);

            UNROLL
            for (uint32_t i = 0; i < n; i++) {
                sum[r * n + i] = lanes_fma(w, a[i], sum[r * n + i]);
            }
        }
    }
}

/* The columns that are left of a group, `count` <= LANES of them. */
INLINE void direct_part(enum dyno_element element, uint32_t rows, uint32_t n,
                        const unsigned char *at, size_t apart, const float *x, size_t x_stride,
                        uint32_t count, lanes *sum)
{
    UNROLL
    for (uint32_t r = 0; r < rows; r++) {
        lanes w = load_weights_part(element, at + r * apart, count);

        UNROLL
        for (uint32_t i = 0; i < n; i++) {
            sum[r * n + i] = lanes_fma(w, lanes_load_part(x + i * x_stride, count), sum[r * n + i]);
        }
    }
}

/* The sums of one chunk, columns [from, to), `rows` by `n` of them. */
INLINE void direct_chunk(enum dyno_element element, uint32_t rows, uint32_t n,
                         const struct dyno_matmul_job *job, struct columns columns,
                         struct tile tile, uint32_t from, uint32_t to, lanes *sum)
{
    size_t apart = tile.apart * columns.bytes, stride = job->x_stride;
    const unsigned char *group =
        columns.first + tile.row * columns.bytes + dyno_row_bytes(element, from);
    const float *x = job->x + from, *end = job->x + to;

    UNROLL
    for (uint32_t s = 0; s < rows * n; s++) {
        sum[s] = lanes_set(0.0F);
    }
    for (; end - x >= GROUP; x += GROUP, group += dyno_row_bytes(element, GROUP)) {
        direct_group(element, rows, n, group, apart, x, stride, sum);
    }
    for (; element != DYNO_ELEMENT_Q8_0 && x < end;
         x += LANES, group += dyno_row_bytes(element, LANES)) {
        direct_part(element, rows, n, group, apart, x, stride,
                    end - x < LANES ? (uint32_t)(end - x) : LANES, sum);
    }
}

/* `rows` outputs, all columns, n activations; both are constants after inlining. */
INLINE void direct_tile(enum dyno_element element, uint32_t rows, uint32_t n,
                        const struct dyno_matmul_job *job, struct columns columns, struct tile tile)
{
    uint32_t count = columns.count;
    float total[16] = {0};

    for (uint32_t from = 0; from < count; from += DYNO_MATMUL_CHUNK) {
        uint32_t to = count - from < DYNO_MATMUL_CHUNK ? count : from + DYNO_MATMUL_CHUNK;
        lanes sum[16];

        direct_chunk(element, rows, n, job, columns, tile, from, to, sum);
        UNROLL
        for (uint32_t s = 0; s < rows * n; s++) {
            float part = lanes_sum(sum[s]);

            total[s] = from == 0 ? part : total[s] + part;
        }
    }
    for (uint32_t r = 0; r < rows; r++) {
        uint32_t row = tile.row + r * tile.apart;

        for (uint32_t i = 0; i < n; i++) {
            job->y[i * job->y_stride + row] = finish(job, i, row, total[r * n + i]);
        }
    }
}

/* A tile's rows lie as far apart as they can, each one where the tile before has left off: so they
 * are `rows` long streams, which the CPU notices and reads ahead, several pages at once.  Rows that
 * lie side by side would end before it did. */
INLINE void direct_rows(enum dyno_element element, uint32_t rows, uint32_t n,
                        const struct dyno_matmul_job *job, uint32_t first, uint32_t last)
{
    struct columns columns = columns_of(job);
    uint32_t apart = (last - first) / rows;

    for (uint32_t i = 0; i < apart; i++) {
        direct_tile(element, rows, n, job, columns, (struct tile){first + i, apart});
    }
    for (first += rows * apart; first < last; first++) {
        direct_tile(element, 1, n, job, columns, (struct tile){first, 0});
    }
}

/* How many rows: enough sums to hide the latency of an addition, few enough to be registers beside
 * what else is one. */
INLINE void direct(enum dyno_element element, const struct dyno_matmul_job *job, uint32_t first,
                   uint32_t last)
{
    switch (job->n) {
    case 1:
        direct_rows(element, DIRECT_ROWS, 1, job, first, last);
        break;
    case 2:
        direct_rows(element, 4, 2, job, first, last);
        break;
    case 3:
        direct_rows(element, 3, 3, job, first, last);
        break;
    default:
        direct_rows(element, 2, 4, job, first, last);
    }
}

/* One row of a panel, `columns` of it from `group` on: vector v at out[v TILE_ROWS LANES]. */
INLINE void pack_row(enum dyno_element element, const unsigned char *group, uint32_t columns,
                     float *out)
{
    for (; columns >= GROUP; columns -= GROUP, group += dyno_row_bytes(element, GROUP)) {
        lanes scale = load_scale(element, group);

        UNROLL
        for (size_t v = 0; v < VECTORS; v++) {
            lanes_store(out + v * TILE_ROWS * LANES, load_weights(element, group, v, scale));
        }
        out += VECTORS * TILE_ROWS * LANES;
    }
    while (element != DYNO_ELEMENT_Q8_0 && columns > 0) {
        uint32_t count = columns < LANES ? columns : LANES;

        lanes_store(out, load_weights_part(element, group, count));
        out += TILE_ROWS * LANES;
        group += dyno_row_bytes(element, LANES);
        columns -= count;
    }
}

static void pack_rows(const struct dyno_matmul_job *job, const struct columns *columns,
                      uint32_t first, uint32_t last, uint32_t from, uint32_t to, float *panel)
{
    size_t strip = (size_t)((to - from + LANES - 1) / LANES) * LANES * TILE_ROWS;

    for (uint32_t row = first; row < last; row++) {
        uint32_t at = row - first;
        float *out = panel + at / TILE_ROWS * strip + (size_t)(at % TILE_ROWS) * LANES;
        const unsigned char *group =
            columns->first + row * columns->bytes + dyno_row_bytes(job->weights->element, from);

        switch (job->weights->element) {
        case DYNO_ELEMENT_F32:
            pack_row(DYNO_ELEMENT_F32, group, to - from, out);
            break;
        case DYNO_ELEMENT_F16:
            pack_row(DYNO_ELEMENT_F16, group, to - from, out);
            break;
        case DYNO_ELEMENT_BF16:
            pack_row(DYNO_ELEMENT_BF16, group, to - from, out);
            break;
        default:
            pack_row(DYNO_ELEMENT_Q8_0, group, to - from, out);
        }
    }
}

struct span {
    uint32_t from, to; /* columns */
    bool is_last;
};

/* TILE_ROWS rows (those from `last` on are not stored) by n activations, one chunk. */
INLINE void packed_tile(uint32_t n, const struct dyno_matmul_job *job, const float *strip,
                        struct span chunk, uint32_t i, uint32_t row, uint32_t last)
{
    const float *x = job->x + i * job->x_stride + chunk.from;
    uint32_t whole = (chunk.to - chunk.from) / LANES, rest = (chunk.to - chunk.from) % LANES;
    lanes sum[TILE_ROWS * TILE_ACTIVATIONS];

    UNROLL
    for (uint32_t s = 0; s < TILE_ROWS * n; s++) {
        sum[s] = lanes_set(0.0F);
    }
    for (uint32_t v = 0; v < whole; v++, strip += TILE_ROWS * LANES, x += LANES) {
        UNROLL
        for (uint32_t r = 0; r < TILE_ROWS; r++) {
            lanes w = lanes_load(strip + (size_t)r * LANES);

            UNROLL
            for (uint32_t a = 0; a < n; a++) {
                sum[r * n + a] = lanes_fma(w, lanes_load(x + a * job->x_stride), sum[r * n + a]);
            }
        }
    }
    if (rest) {
        for (uint32_t r = 0; r < TILE_ROWS; r++) {
            for (uint32_t a = 0; a < n; a++) {
                sum[r * n + a] =
                    lanes_fma(lanes_load(strip + (size_t)r * LANES),
                              lanes_load_part(x + a * job->x_stride, rest), sum[r * n + a]);
            }
        }
    }
    UNROLL
    for (uint32_t r = 0; r < TILE_ROWS; r++) {
        UNROLL
        for (uint32_t a = 0; a < n; a++) {
            float part = lanes_sum(sum[r * n + a]);
            float *y = job->y + (i + a) * job->y_stride + row + r;

            if (row + r < last) {
                part = chunk.from == 0 ? part : *y + part;
                *y = chunk.is_last ? finish(job, i + a, row + r, part) : part;
            }
        }
    }
}

static void packed_tiles(const struct dyno_matmul_job *job, const float *panel, struct span chunk,
                         uint32_t i, uint32_t n, uint32_t first, uint32_t last)
{
    size_t strip = (size_t)((chunk.to - chunk.from + LANES - 1) / LANES) * LANES * TILE_ROWS;

    for (uint32_t row = first; row < last; row += TILE_ROWS, panel += strip) {
        switch (n) {
        case 1:
            packed_tile(1, job, panel, chunk, i, row, last);
            break;
        case 2:
            packed_tile(2, job, panel, chunk, i, row, last);
            break;
        case 3:
            packed_tile(3, job, panel, chunk, i, row, last);
            break;
        default:
            packed_tile(4, job, panel, chunk, i, row, last);
        }
    }
}

/* Rows [first, last), at most PANEL_ROWS. */
static void packed_panel(const struct dyno_matmul_job *job, uint32_t first, uint32_t last)
{
    _Alignas(64) float panel[PANEL_ROWS * DYNO_MATMUL_CHUNK];
    struct columns columns = columns_of(job);
    uint32_t count = columns.count;

    for (uint32_t from = 0; from < count; from += DYNO_MATMUL_CHUNK) {
        bool is_last = count - from <= DYNO_MATMUL_CHUNK;
        struct span chunk = {from, is_last ? count : from + DYNO_MATMUL_CHUNK, is_last};

        pack_rows(job, &columns, first, last, chunk.from, chunk.to, panel);
        for (uint32_t i = 0; i < job->n; i += TILE_ACTIVATIONS) {
            uint32_t n = job->n - i < TILE_ACTIVATIONS ? job->n - i : TILE_ACTIVATIONS;

            packed_tiles(job, panel, chunk, i, n, first, last);
        }
    }
}

static void matmul(const struct dyno_matmul_job *job, uint32_t first, uint32_t last)
{
    if (job->n > DIRECT_MAX) {
        for (; first < last; first += PANEL_ROWS) {
            packed_panel(job, first, last - first < PANEL_ROWS ? last : first + PANEL_ROWS);
        }
        return;
    }
    switch (job->weights->element) {
    case DYNO_ELEMENT_F32:
        direct(DYNO_ELEMENT_F32, job, first, last);
        break;
    case DYNO_ELEMENT_F16:
        direct(DYNO_ELEMENT_F16, job, first, last);
        break;
    case DYNO_ELEMENT_BF16:
        direct(DYNO_ELEMENT_BF16, job, first, last);
        break;
    default:
        direct(DYNO_ELEMENT_Q8_0, job, first, last);
    }
}

#endif
