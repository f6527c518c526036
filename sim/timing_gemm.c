/* A GEMM is a launch, and the longer of its operations and its bytes; where both are about as long,
 * a little more.
 *
 * Operations: the result is computed in tiles, a tile on a multiprocessor, in waves of as many
 * tiles as there are multiprocessors.  A small result has fewer tiles than that, and each is a loop
 * over the whole depth that cannot be hurried: this, not bandwidth, is what small GEMMs take.  The
 * library then divides the depth of every tile over several multiprocessors, if what it saves is
 * more than adding up the parts costs. */
#include "sim/timing_gemm.h"

enum { ACTIVATION_BYTES = 2 }; /* bf16 */

static double whole(double value)
{
    double floor = (double)(uint64_t)value;

    return floor < value ? floor + 1 : floor;
}

/* Of a number from 1 to 2, by Newton's steps from the chord; to 1e-9. */
static double cube_root(double value)
{
    enum { STEPS = 3 };
    double root = 1 + (value - 1) * 0.26;

    for (int i = 0; i < STEPS; i++) {
        root = (2 * root + value / (root * root)) / 3;
    }
    return root;
}

double dyno_overlapped(double a, double b)
{
    double longer = a > b ? a : b;
    double ratio = (a < b ? a : b) / longer;

    return longer * cube_root(1 + ratio * ratio * ratio);
}

/* fp8 weights multiply in fp8 where the GPU has units for it. */
static bool multiplies_fp8(const struct dyno_gpu *gpu, enum dyno_dtype dtype)
{
    return dtype == DYNO_FP8 && gpu->flops[DYNO_FP8] > gpu->flops[DYNO_BF16];
}

/* How a result is cut. */
struct tiles {
    double count;
    double tile_us;  /* one on one multiprocessor */
    double slowness; /* of all of them, as a factor */
    double wave_tail;
};

/* cuBLAS has tiles of many shapes and takes small ones where they fill the GPU better. */
static struct tiles cut(const struct dyno_timing_config *config, const struct dyno_gemm *gemm,
                        double flops_per_us)
{
    const struct dyno_timing_parameters *parameters = &config->parameters;
    double rows = parameters->gemm_tile_rows, columns = parameters->gemm_tile_columns;

    return (struct tiles){
        .count = whole(gemm->tokens / rows) * whole(gemm->out / columns),
        .tile_us = 2 * rows * columns * gemm->in / flops_per_us,
        .slowness = 1,
        .wave_tail = parameters->gemm_wave_tail,
    };
}

/* CUTLASS's fp8 kernels have a shape by the number of rows (vLLM chooses so: up to 64, up to 128,
 * more), multiprocessors work on tiles in pairs along the rows, and rows that a full grid of tiles
 * has but the matrix has not are slower than those it has. */
static struct tiles cut_fp8(const struct dyno_timing_config *config, const struct dyno_gemm *gemm,
                            double flops_per_us)
{
    const struct dyno_timing_parameters *parameters = &config->parameters;
    double side = parameters->gemm_tile_rows;
    double rows = gemm->tokens <= 2 * side ? side : 2 * side;
    double columns = gemm->tokens <= side ? side : 2 * side;
    double pair = gemm->tokens <= side ? rows : 2 * rows;
    double padded = whole(gemm->tokens / pair) * pair;
    struct tiles tiles = {
        .count = padded / rows * whole(gemm->out / columns),
        .tile_us = 2 * rows * columns * gemm->in / flops_per_us,
        .slowness = 1,
        .wave_tail = parameters->gemm_fp8_wave_tail,
    };

    if (gemm->tokens > 2 * side && tiles.count > config->gpu.multiprocessors) {
        tiles.slowness +=
            (parameters->gemm_fp8_ragged_factor - 1) * (padded - gemm->tokens) / padded;
    }
    return tiles;
}

/* All tiles, each divided over `parts` multiprocessors. */
static double waves_us(const struct dyno_timing_config *config, const struct tiles *tiles,
                       double parts)
{
    double used = tiles->count * parts / config->gpu.multiprocessors;
    double waves = (1 - tiles->wave_tail) * (used > 1 ? used : 1) + tiles->wave_tail * whole(used);

    return waves * (config->parameters.gemm_tile_us + tiles->tile_us * tiles->slowness / parts);
}

/* The way of dividing the depth that is done first; no more than two parts for a multiprocessor. */
static double divided_us(const struct dyno_timing_config *config, const struct tiles *tiles,
                         double memory_us)
{
    enum { PARTS_MAX = 32 };
    double best = dyno_overlapped(waves_us(config, tiles, 1), memory_us);

    for (uint32_t parts = 2;
         parts <= PARTS_MAX && tiles->count * parts <= 2.0 * config->gpu.multiprocessors;
         parts *= 2) {
        double us = config->parameters.gemm_split_us +
                    dyno_overlapped(waves_us(config, tiles, parts), memory_us);

        best = us < best ? us : best;
    }
    return best;
}

/* A block of threads takes a row, 2,048 columns at a time. */
static double quantize_us(const struct dyno_timing_config *config, const struct dyno_gemm *gemm)
{
    enum { STEP = 2048 };
    const struct dyno_timing_parameters *parameters = &config->parameters;
    double columns = (whole(gemm->in / STEP) - 1) * STEP;
    double bytes_per_us =
        config->gpu.memory_bytes_per_s * 1e-6 * parameters->quantize_memory_efficiency;

    return parameters->quantize_us +
           gemm->inputs * (parameters->quantize_row_us / config->gpu.multiprocessors +
                           columns * (ACTIVATION_BYTES + 1) / bytes_per_us);
}

/* With one scale for a matrix, known beforehand, the input is scaled by the kernel that makes it,
 * and cuBLAS multiplies. */
double dyno_gemm_us(const struct dyno_timing_config *config, const struct dyno_gemm *gemm)
{
    const struct dyno_timing_parameters *parameters = &config->parameters;
    bool fp8 = multiplies_fp8(&config->gpu, gemm->dtype);
    bool quantizes = fp8 && !config->static_scales;
    double factor = quantizes ? parameters->gemm_fp8_efficiency : 1;
    double flops_per_us = config->gpu.flops[gemm->dtype] * 1e-6 * factor * gemm->efficiency *
                          parameters->gemm_flops_efficiency;
    double bytes = gemm->weights * dyno_dtype_bytes(gemm->dtype) +
                   gemm->tokens * gemm->in * (fp8 ? 1 : ACTIVATION_BYTES) +
                   gemm->tokens * gemm->out * ACTIVATION_BYTES;
    double memory_us = bytes / (config->gpu.memory_bytes_per_s * 1e-6 * factor *
                                gemm->memory_efficiency * parameters->gemm_memory_efficiency);
    double multiprocessor_flops_per_us = flops_per_us / config->gpu.multiprocessors;
    struct tiles tiles;
    double us;

    if (gemm->grouped) {
        us = dyno_overlapped(gemm->flops / flops_per_us, memory_us);
    } else if (quantizes) {
        tiles = cut_fp8(config, gemm, multiprocessor_flops_per_us);
        us = dyno_overlapped(waves_us(config, &tiles, 1), memory_us);
    } else {
        tiles = cut(config, gemm, multiprocessor_flops_per_us);
        us = divided_us(config, &tiles, memory_us);
    }
    return parameters->gemm_launch_us + us + (quantizes ? quantize_us(config, gemm) : 0);
}
