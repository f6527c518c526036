/* Times the choice of tokens.  It is queued as a graph, as a step of decoding is, for of few rows
 * the four launches would be all that is timed.  Logits of few rows are in the second-level cache,
 * as they are behind the product that made them. */
#include "tests/gpu/bench.cuh"

#include <cstdio>

#include "kernels/cuda/sample.h"

using namespace bench;

struct choice {
    const char *name;
    double temperature, top_p;
    unsigned top_k;
};

static dyno_cuda_sample_job job_of(unsigned rows, unsigned vocab, const choice &choice)
{
    std::vector<dyno_cuda_sample_row> row(rows);
    dyno_cuda_sample_job job = {};

    for (unsigned i = 0; i < rows; i++) {
        row[i] = {};
        row[i].sampling.seed = row[i].position = i;
        row[i].sampling.temperature = choice.temperature;
        row[i].sampling.top_p = choice.top_p;
        row[i].sampling.top_k = choice.top_k;
    }
    job.rows = rows;
    job.vocab = vocab;
    job.row = take_copy(row);
    job.logits = random_logits(size_t{rows} * vocab);
    job.stride = vocab;
    job.scratch = take_bytes(dyno_cuda_sample_scratch(&job));
    job.token = take<unsigned>(rows);
    return job;
}

static cudaGraphExec_t graph_of(const dyno_cuda_sample_job &job)
{
    cudaGraphExec_t graph;
    cudaGraph_t recorded;
    cudaStream_t stream;

    CHECK(cudaStreamCreate(&stream));
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    CHECK(dyno_cuda_sample(&job, stream));
    CHECK(cudaStreamEndCapture(stream, &recorded));
    CHECK(cudaGraphInstantiate(&graph, recorded, 0));
    CHECK(cudaGraphDestroy(recorded));
    CHECK(cudaStreamDestroy(stream));
    return graph;
}

static void bench_choice(unsigned rows, const choice &choice)
{
    constexpr unsigned vocab = 128256;
    char shape[64];
    cudaGraphExec_t graph = graph_of(job_of(rows, vocab, choice));

    (void)snprintf(shape, sizeof shape, "%u x %u, %s", rows, vocab, choice.name);
    CHECK(cudaDeviceSynchronize()); /* the logits are there */
    tell({"sample", shape, 4.0 * rows * vocab, 0.0},
         [=]() { CHECK(cudaGraphLaunch(graph, nullptr)); });
    CHECK(cudaGraphExecDestroy(graph));
}

void bench_sample()
{
    const choice choices[] = {{"greedy", 0.0, 0.0, 0},
                              {"temperature", 0.8, 0.0, 0},
                              {"top_p 0.9", 0.8, 0.9, 0},
                              {"top_k 50", 0.8, 0.0, 50}};

    for (unsigned rows : {1U, 8U, 64U, 256U}) {
        for (const choice &choice : choices) {
            bench_choice(rows, choice);
        }
    }
}
