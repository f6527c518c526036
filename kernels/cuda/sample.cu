/* Choosing tokens in four steps, the first and the third a block a chunk of a row, the others a
 * block a row:
 *
 *   survey  reads the logits, finds each chunk's largest, and counts its tokens by logit;
 *   settle  finds the row's largest, and from the counts which tokens top-k and top-p cut for
 *           certain; the others are candidates;
 *   weigh   reads the logits again, adds up exact weights, and lists the candidates;
 *   draw    cuts the list, and draws (sample_draw.cuh).
 *
 * Weights are whole numbers, and may be added up in any order; so neither the chunks nor the list's
 * order show.
 */
#include "kernels/cuda/sample_draw.cuh"
#include "kernels/cuda/sample_settle.cuh"
#include "kernels/cuda/sample_survey.cuh"
#include "kernels/cuda/sample_weigh.cuh"

namespace
{

using namespace dyno;

/* Many rows fill the device with large chunks, few with small ones. */
constexpr unsigned rows_many = 24, many_logits = 32, few_logits = 16; /* of a thread */

sample_plan plan_of(const dyno_cuda_sample_job *job)
{
    sample_plan plan = {};
    size_t parts;

    plan.job = *job;
    plan.chunk = sample_threads * (job->rows >= rows_many ? many_logits : few_logits);
    plan.chunks = divide_up(job->vocab, plan.chunk);
    parts = static_cast<size_t>(job->rows) * plan.chunks;
    plan.key = static_cast<word *>(job->scratch);
    plan.sum = plan.key + static_cast<size_t>(job->rows) * job->vocab;
    plan.above = plan.sum + parts;
    plan.gap = plan.above + parts;
    plan.largest = reinterpret_cast<double *>(plan.gap + parts);
    plan.row_largest = plan.largest + parts;
    plan.row_steps = plan.row_largest + job->rows;
    plan.best = reinterpret_cast<unsigned *>(plan.row_steps + job->rows);
    plan.key_begin = plan.best + parts;
    plan.key_count = plan.key_begin + parts;
    plan.bars = reinterpret_cast<listed *>(plan.key_count + job->rows);
    plan.count = reinterpret_cast<uint16_t *>(plan.bars + job->rows);
    return plan;
}

int allow_shared(void (*kernel)(sample_plan), unsigned bytes)
{
    return DYNO_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                static_cast<int>(bytes)));
}

int launch(const sample_plan &plan, cudaStream_t stream)
{
    constexpr unsigned mark_bytes = sizeof(unsigned), token_bytes = sizeof(uint16_t);
    const unsigned parts = plan.job.rows * plan.chunks, marks = plan.chunk * mark_bytes;
    const unsigned lists = marks + plan.chunk * token_bytes;

    if (allow_shared(sample_weigh, lists) || allow_shared(sample_draw, marks)) {
        return DYNO_CUDA_FAILED;
    }
    if (plan.job.rows >= rows_many) {
        DYNO_LAUNCH_AFTER(sample_survey<many_logits>, parts, sample_threads, marks, stream, plan);
    } else {
        DYNO_LAUNCH_AFTER(sample_survey<few_logits>, parts, sample_threads, marks, stream, plan);
    }
    DYNO_LAUNCH_AFTER(sample_settle, plan.job.rows, sample_threads, 0, stream, plan);
    DYNO_LAUNCH_AFTER(sample_weigh, parts, sample_threads, lists, stream, plan);
    DYNO_LAUNCH_AFTER(sample_draw, plan.job.rows, draw_threads, marks, stream, plan);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

} /* namespace */

size_t dyno_cuda_sample_scratch(const struct dyno_cuda_sample_job *job)
{
    sample_plan plan = plan_of(job);
    const size_t rows = job->rows, parts = rows * plan.chunks;

    return rows * (job->vocab * sizeof(word) + 2 * sizeof(double) + sizeof(unsigned) +
                   sizeof(listed)) +
           parts * (3 * sizeof(word) + sizeof(double) + 2 * sizeof(unsigned) +
                    buckets * sizeof(uint16_t));
}

int dyno_cuda_sample(const struct dyno_cuda_sample_job *job, dyno_cuda_stream stream)
{
    constexpr unsigned rows_max = 1U << 20; /* so that the chunks can be numbered */
    int device, processors;
    sample_plan plan;

    if (!sample_is_whole(job) || job->rows > rows_max) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->rows == 0) {
        return 0;
    }
    if (DYNO_CUDA_CHECK(cudaGetDevice(&device)) ||
        DYNO_CUDA_CHECK(
            cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device))) {
        return DYNO_CUDA_FAILED;
    }
    plan = plan_of(job);
    plan.blocks = static_cast<unsigned>(processors) * blocks_at_once;
    return launch(plan, stream);
}
