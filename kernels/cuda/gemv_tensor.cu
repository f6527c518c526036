/* A matrix and few activations on tensor cores: weights are the rows of A, activations the columns
 * of B, so one pass over the matrix serves 8 or 16 activations in the time of one.
 *
 * A product does not care which column is called k, as long as A and B agree.  So the four lanes of
 * a row (t = 0..3) read `columns` neighbouring weights each, and take them for k = 2t, 2t + 1,
 * 2t + 8, 2t + 9 of one mma after another; activations are read in the same way.  Nothing passes
 * through shared memory, and every load is of 16 bytes, or 4.
 *
 * The warps of a block share the columns of their rows out among `split` of them, and the sums meet
 * in shared memory in the order of warps.  The order of summation depends on the matrix alone.
 *
 * Quantised weights become exact elements of 16 bits; groups are scaled in fp32, after their sum.
 */
#include "kernels/cuda/gemv_parts.cuh"
#include "kernels/cuda/mma.cuh"

namespace
{

using namespace dyno;

constexpr unsigned warps = 8, tile_rows = 16, tile_n = 8, lanes_of_row = 4, octet = 8;

/* How a lane reads its weights of a row: `columns` of them, which lie in one vector; octet j of
 * them becomes four pairs.  has_rows: a group may be a whole row.  paired_far: a pair is (i, i +
 * 4), not (2i, 2i + 1). */
template <class T> struct sixteen_bits {
    using vector = uint4;
    using scale = T;
    static constexpr unsigned columns = 8;
    static constexpr bool is_scaled = false, has_rows = false, paired_far = false;

    static __device__ __forceinline__ void unpack(const uint4 &from, unsigned, uint32_t (&to)[4])
    {
        to[0] = from.x;
        to[1] = from.y;
        to[2] = from.z;
        to[3] = from.w;
    }
};

__device__ __forceinline__ unsigned word_of(const uint4 &from, unsigned i)
{
    return i == 0 ? from.x : i == 1 ? from.y : i == 2 ? from.z : from.w;
}
__device__ __forceinline__ unsigned word_of(const uint2 &from, unsigned i)
{
    return i == 0 ? from.x : from.y;
}
__device__ __forceinline__ unsigned word_of(unsigned from, unsigned)
{
    return from;
}

/* A small number n in the lower bits of an element whose unit is 1 is base + n. */
template <class T> struct biased;
template <> struct biased<bf16> {
    static constexpr unsigned base_bits = 0x43004300; /* 128, twice */
    static constexpr float base = 128.0F;
};
template <> struct biased<f16> {
    static constexpr unsigned base_bits = 0x64006400; /* 1024, twice */
    static constexpr float base = 1024.0F;
};

/* Halves of bytes, 8 of a word. */
template <class T, class V> struct four_bits {
    using vector = V;
    using scale = T;
    static constexpr unsigned columns = sizeof(V) * 2;
    static constexpr bool is_scaled = true, has_rows = false, paired_far = true;

    static __device__ __forceinline__ void unpack(const V &from, unsigned j, uint32_t (&to)[4])
    {
        constexpr unsigned halves = 0x000f000f;
        const uint32_t zero = pack_pair<T>(biased<T>::base + 8.0F, biased<T>::base + 8.0F);
        unsigned word = word_of(from, j);

#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            to[i] =
                subtract_pairs(T{}, masked_over(word >> 4 * i, halves, biased<T>::base_bits), zero);
        }
    }
};

/* A pair of bytes plus 128, exactly. */
__device__ __forceinline__ uint32_t pair_of_bytes(f16, unsigned word, unsigned i)
{
    constexpr unsigned high = 0x64646464;
    const uint32_t zero = pack_pair<f16>(1152.0F, 1152.0F);

    return subtract_pairs(f16{}, __byte_perm(word, high, i == 0 ? 0x5140 : 0x5342), zero);
}

/* bf16 has no room for the base, so by way of fp32: 2^23 + n, whose unit is 1. */
__device__ __forceinline__ uint32_t pair_of_bytes(bf16, unsigned word, unsigned i)
{
    constexpr unsigned high = 0x4b000000;
    constexpr float zero = 8388736.0F; /* 2^23 + 128 */
    float low_value = __uint_as_float(__byte_perm(word, high, i == 0 ? 0x7540 : 0x7542)) - zero;
    float high_value = __uint_as_float(__byte_perm(word, high, i == 0 ? 0x7541 : 0x7543)) - zero;

    return __byte_perm(__float_as_uint(low_value), __float_as_uint(high_value), 0x7632);
}

template <class T, class V> struct eight_bits {
    using vector = V;
    using scale = T;
    static constexpr unsigned columns = sizeof(V);
    static constexpr bool is_scaled = true, has_rows = false, paired_far = false;

    static __device__ __forceinline__ void unpack(const V &from, unsigned j, uint32_t (&to)[4])
    {
        constexpr unsigned signs = 0x80808080;

#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            to[i] = pair_of_bytes(T{}, word_of(from, 2 * j + i / 2) ^ signs, i % 2);
        }
    }
};

__device__ __forceinline__ void pairs_of_floats(f16, unsigned word, uint32_t (&to)[2])
{
    f16_of_e4m3(word, to);
}
__device__ __forceinline__ void pairs_of_floats(bf16, unsigned word, uint32_t (&to)[2])
{
    bf16_of_e4m3(word, to);
}

template <class T, class V> struct eight_bits_float {
    using vector = V;
    using scale = float;
    static constexpr unsigned columns = sizeof(V);
    static constexpr bool is_scaled = true, has_rows = true, paired_far = false;

    static __device__ __forceinline__ void unpack(const V &from, unsigned j, uint32_t (&to)[4])
    {
#pragma unroll
        for (unsigned i = 0; i < 2; i++) {
            uint32_t pairs[2];

            pairs_of_floats(T{}, word_of(from, 2 * j + i), pairs);
            to[2 * i] = pairs[0];
            to[2 * i + 1] = pairs[1];
        }
    }
};

/* What a lane holds of `steps` chunks of lanes_of_row x W::columns columns, for rows g and g + 8 of
 * each tile of rows. */
template <class W, unsigned row_tiles, unsigned steps> struct held {
    typename W::vector weights[steps][row_tiles][2];
    float scale[W::is_scaled ? steps : 1][row_tiles][2];
};

/* Where a lane reads: its rows' vectors and its activations, from its first column on. */
template <class T, class W, unsigned row_tiles, unsigned n_tiles> struct reader {
    const typename W::vector *row[row_tiles][2];
    const typename W::scale *scales[row_tiles][2];
    const T *x[n_tiles];
    bool has_x[n_tiles];
    unsigned group_shift; /* a group is a power of two, or a whole row */

    __device__ __forceinline__ reader(const dyno_cuda_gemv_job &job, unsigned first_row)
    {
        unsigned lane = lane_index() % lanes_of_row;

        constexpr unsigned whole = 31; /* no row has so many columns */
        unsigned groups;

        group_shift =
            W::is_scaled ? static_cast<unsigned>(__ffs(static_cast<int>(job.group))) - 1 : 0;
        if (W::has_rows && job.group == job.columns) {
            group_shift = whole;
        }
        groups = (job.columns >> group_shift) + (W::has_rows && group_shift == whole);
        for (unsigned i = 0; i < 2 * row_tiles; i++) {
            unsigned at = first_row + i * 8 + lane_index() / lanes_of_row;
            size_t index = at < job.rows ? at : job.rows - 1; /* read, and not written */

            row[i / 2][i % 2] = static_cast<const typename W::vector *>(job.weights) +
                                index * (job.columns / W::columns) + lane;
            scales[i / 2][i % 2] =
                W::is_scaled ? static_cast<const typename W::scale *>(job.scales) + index * groups
                             : nullptr;
        }
        for (unsigned i = 0; i < n_tiles; i++) {
            unsigned at = i * tile_n + lane_index() / lanes_of_row;

            has_x[i] = at < job.n;
            x[i] = static_cast<const T *>(job.x) + (has_x[i] ? at : 0) * job.x_stride +
                   lane * W::columns;
        }
    }

    /* Weights past the last column are zeros. */
    template <unsigned steps>
    __device__ __forceinline__ void read(unsigned first_chunk, unsigned vectors,
                                         held<W, row_tiles, steps> *out) const
    {
        unsigned first = first_chunk * lanes_of_row, lane = lane_index() % lanes_of_row;

#pragma unroll
        for (unsigned i = 0; i < 2 * row_tiles; i++) {
            const typename W::vector *from = row[i / 2][i % 2] + first;

#pragma unroll
            for (unsigned step = 0; step < steps; step++) {
                bool inside = first + step * lanes_of_row + lane < vectors;

                out->weights[step][i / 2][i % 2] = {};
                if (inside) {
                    out->weights[step][i / 2][i % 2] = load_once(from + step * lanes_of_row);
                }
                if (W::is_scaled) { /* of all lanes' columns, if this lane has none, too */
                    unsigned vector = first + step * lanes_of_row;
                    unsigned group = vector * W::columns >> group_shift;

                    out->scale[step][i / 2][i % 2] = (W::has_rows ? vector < vectors : inside)
                                                         ? to_float(scales[i / 2][i % 2][group])
                                                         : 0.0F;
                }
            }
        }
    }

    /* Begins to bring what read would: only a hint. */
    template <unsigned steps>
    __device__ __forceinline__ void prefetch(unsigned first_chunk, unsigned vectors) const
    {
        constexpr unsigned line = 128 / sizeof(typename W::vector); /* vectors */
        unsigned first = first_chunk * lanes_of_row + lane_index() % lanes_of_row * line;

        if (lane_index() % lanes_of_row * line >= steps * lanes_of_row || first >= vectors) {
            return;
        }
#pragma unroll
        for (unsigned i = 0; i < 2 * row_tiles; i++) {
            prefetch_line(row[i / 2][i % 2] - lane_index() % lanes_of_row + first);
        }
    }

    /* Octet j of a chunk of an activation, in pairs as W has them; zeros if not `inside`. */
    __device__ __forceinline__ void read_octet(unsigned tile, unsigned chunk, unsigned j,
                                               bool inside, uint32_t (&to)[4]) const
    {
        uint4 words = {};

        if (has_x[tile] && inside) {
            words = *reinterpret_cast<const uint4 *>(x[tile] + chunk * lanes_of_row * W::columns +
                                                     j * octet);
        }
        if (W::paired_far) {
            to[0] = __byte_perm(words.x, words.z, 0x5410);
            to[1] = __byte_perm(words.x, words.z, 0x7632);
            to[2] = __byte_perm(words.y, words.w, 0x5410);
            to[3] = __byte_perm(words.y, words.w, 0x7632);
        } else {
            to[0] = words.x;
            to[1] = words.y;
            to[2] = words.z;
            to[3] = words.w;
        }
    }
};

template <unsigned row_tiles, unsigned n_tiles> struct sums {
    float at[row_tiles][n_tiles][4];
};

/* One chunk, its scales left out. */
template <class T, class W, unsigned row_tiles, unsigned n_tiles>
__device__ __forceinline__ void
multiply_chunk(const reader<T, W, row_tiles, n_tiles> &from, unsigned chunk, unsigned vectors,
               const typename W::vector (&weights)[row_tiles][2], sums<row_tiles, n_tiles> *sum)
{
    bool inside = chunk * lanes_of_row + lane_index() % lanes_of_row < vectors;

#pragma unroll
    for (unsigned j = 0; j < W::columns / octet; j++) {
        uint32_t x[n_tiles][4];

#pragma unroll
        for (unsigned i = 0; i < n_tiles; i++) {
            from.read_octet(i, chunk, j, inside, x[i]);
        }
#pragma unroll
        for (unsigned tile = 0; tile < row_tiles; tile++) {
            uint32_t upper[4], lower[4];

            W::unpack(weights[tile][0], j, upper);
            W::unpack(weights[tile][1], j, lower);
#pragma unroll
            for (unsigned i = 0; i < n_tiles; i++) {
                multiply_add(T{}, sum->at[tile][i], {upper[0], lower[0], upper[1], lower[1]},
                             x[i][0], x[i][1]);
                multiply_add(T{}, sum->at[tile][i], {upper[2], lower[2], upper[3], lower[3]},
                             x[i][2], x[i][3]);
            }
        }
    }
}

template <class T, class W, unsigned row_tiles, unsigned n_tiles, unsigned steps>
__device__ __forceinline__ void
multiply(const reader<T, W, row_tiles, n_tiles> &from, unsigned first_chunk, unsigned vectors,
         const held<W, row_tiles, steps> &in, sums<row_tiles, n_tiles> *sum)
{
#pragma unroll
    for (unsigned step = 0; step < steps; step++) {
        sums<row_tiles, n_tiles> part = {};

        if (!W::is_scaled) {
            multiply_chunk(from, first_chunk + step, vectors, in.weights[step], sum);
            continue;
        }
        multiply_chunk(from, first_chunk + step, vectors, in.weights[step], &part);
#pragma unroll
        for (unsigned i = 0; i < row_tiles * n_tiles * 4; i++) {
            unsigned tile = i / 4 / n_tiles, c = i % 4;

            sum->at[tile][i / 4 % n_tiles][c] +=
                in.scale[step][tile][c / 2] * part.at[tile][i / 4 % n_tiles][c];
        }
    }
}

/* [warp][activation][row]: what a warp has of its rows. */
template <unsigned row_tiles, unsigned n_tiles>
using shared_sums = float[warps][n_tiles * tile_n][row_tiles * tile_rows];

template <unsigned row_tiles, unsigned n_tiles>
__device__ __forceinline__ void share(const sums<row_tiles, n_tiles> &sum,
                                      float (*to)[row_tiles * tile_rows])
{
    unsigned g = lane_index() / 4, t = lane_index() % 4;

#pragma unroll
    for (unsigned i = 0; i < row_tiles * n_tiles * 4; i++) {
        unsigned tile = i / 4 / n_tiles, n_tile = i / 4 % n_tiles, c = i % 4;

        to[n_tile * tile_n + 2 * t + c % 2][tile * tile_rows + g + c / 2 * 8] =
            sum.at[tile][n_tile][c];
    }
}

/* The `split` warps of each group of rows, one after another. */
template <class T, unsigned row_tiles, unsigned n_tiles>
__device__ __forceinline__ void join(const dyno_cuda_gemv_job &job, unsigned split,
                                     const shared_sums<row_tiles, n_tiles> &part)
{
    constexpr unsigned rows = row_tiles * tile_rows;
    unsigned block_rows = warps / split * rows;

    for (unsigned index = threadIdx.x; index < block_rows * job.n; index += warps * warp_lanes) {
        unsigned i = index / block_rows, at = index % block_rows;
        unsigned row = blockIdx.x * block_rows + at;
        float sum = 0.0F;

        if (row >= job.rows) {
            continue;
        }
        for (unsigned warp = 0; warp < split; warp++) {
            sum += part[at / rows * split + warp][i][at % rows];
        }
        gemv_finish<T>(job, sum, row, i * job.y_stride + row);
    }
}

/* Where ptxas would rather spill than run fewer blocks; 0: it may choose. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 900
constexpr unsigned scaled_blocks = 2;
#else
constexpr unsigned scaled_blocks = 0;
#endif

/* `split`: a power of two, up to `warps`. */
template <class T, class W, unsigned row_tiles, unsigned n_tiles, unsigned steps>
__global__ void __launch_bounds__(warps *warp_lanes,
                                  W::has_rows || (W::is_scaled && n_tiles > 1) ? scaled_blocks : 0)
    gemv_tensor(dyno_cuda_gemv_job job, unsigned split)
{
    __shared__ shared_sums<row_tiles, n_tiles> part;
    unsigned group = blockIdx.x * (warps / split) + warp_index() / split;
    unsigned vectors = job.columns / W::columns, chunks = divide_up(vectors, lanes_of_row);
    unsigned chunk = warp_index() % split * steps, stride = split * steps;
    reader<T, W, row_tiles, n_tiles> from(job, group * row_tiles * tile_rows);
    held<W, row_tiles, steps> now, next;
    sums<row_tiles, n_tiles> sum = {};

    let_launch_after_start();
    from.template prefetch<steps>(chunk, vectors); /* weights, which the launch before let be */
    from.template prefetch<steps>(chunk + stride, vectors);
    wait_for_launch_before();
    from.read(chunk, vectors, &now);
    for (; chunk < chunks; chunk += stride) {
        from.read(chunk + stride, vectors, &next);
        multiply<T, W>(from, chunk, vectors, now, &sum);
        now = next;
    }
    share(sum, part[warp_index()]);
    __syncthreads();
    join<T, row_tiles, n_tiles>(job, split, part);
}

/* More warps to a group of rows where groups are few, so that there is work for every
 * multiprocessor (as measured on an H200). */
unsigned split_of(unsigned groups)
{
    constexpr unsigned few = 1024;

    return groups < few ? warps : warps / 2;
}

template <class T, class W, unsigned row_tiles, unsigned n_tiles, unsigned steps>
void launch(const dyno_cuda_gemv_job &job, cudaStream_t stream)
{
    unsigned groups = divide_up(job.rows, row_tiles * tile_rows), split = split_of(groups);

    DYNO_LAUNCH_AFTER((gemv_tensor<T, W, row_tiles, n_tiles, steps>),
                      divide_up(groups * split, warps), warps * warp_lanes, 0, stream, job, split);
}

template <class T, class W, unsigned steps>
void launch_n(const dyno_cuda_gemv_job &job, cudaStream_t stream)
{
    if (job.n <= tile_n) {
        launch<T, W, 1, 1, steps>(job, stream);
    } else {
        launch<T, W, 1, 2, steps>(job, stream);
    }
}

/* Whether all of `columns` that are read together have one scale. */
bool has_groups(const dyno_cuda_gemv_job &job, unsigned columns)
{
    bool whole = job.group == job.columns;

    return whole || (job.group % columns == 0 && (job.group & (job.group - 1)) == 0);
}

/* False: rows are too short, or groups too narrow, or not a power of two. */
template <class T> bool launch_floats(const dyno_cuda_gemv_job &job, cudaStream_t stream)
{
    constexpr unsigned narrow = lanes_of_row * octet, vector = sizeof(uint4);

    if (job.columns % vector == 0 && has_groups(job, 2 * narrow)) {
        launch_n<T, eight_bits_float<T, uint4>, 2>(job, stream);
    } else if (has_groups(job, narrow)) {
        launch_n<T, eight_bits_float<T, uint2>, 2>(job, stream);
    } else {
        return false;
    }
    return true;
}

/* False: the groups are too narrow, or not a power of two. */
template <class T> bool launch_kind(const dyno_cuda_gemv_job &job, cudaStream_t stream)
{
    constexpr unsigned narrow = lanes_of_row * octet, wide = 8192;

    if (job.kind == DYNO_CUDA_WEIGHTS_E4M3) {
        return launch_floats<T>(job, stream);
    }
    if (job.kind == DYNO_CUDA_WEIGHTS_16 && job.columns >= wide) {
        launch_n<T, sixteen_bits<T>, 8>(job, stream);
    } else if (job.kind == DYNO_CUDA_WEIGHTS_16) {
        launch_n<T, sixteen_bits<T>, 4>(job, stream);
    } else if (job.group % narrow != 0 || (job.group & (job.group - 1)) != 0) {
        return false;
    } else if (job.kind == DYNO_CUDA_WEIGHTS_INT8) {
        if (job.group % (lanes_of_row * 16) == 0) {
            launch_n<T, eight_bits<T, uint4>, 2>(job, stream);
        } else {
            launch_n<T, eight_bits<T, uint2>, 2>(job, stream);
        }
    } else if (job.group % (lanes_of_row * 32) == 0) {
        launch_n<T, four_bits<T, uint4>, 2>(job, stream);
    } else {
        launch_n<T, four_bits<T, unsigned>, 4>(job, stream);
    }
    return true;
}

} /* namespace */

int dyno_cuda_gemv(const struct dyno_cuda_gemv_job *job, dyno_cuda_stream stream)
{
    if (!gemv_is_supported(job)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->n == 0 || job->rows == 0) {
        return 0;
    }
    if (!(job->element == DYNO_ELEMENT_F16 ? launch_kind<f16>(*job, stream)
                                           : launch_kind<bf16>(*job, stream))) {
        return dyno_cuda_gemv_plain(job, stream);
    }
    return DYNO_CUDA_CHECK(cudaGetLastError());
}
