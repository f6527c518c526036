/* Passes of decoding alone as graphs: one launch in place of some hundred.
 *
 * A shape is launched kernel by kernel the first time, so that what is made lazily is made and one
 * that never comes again costs nothing; the second time it is captured.  The oldest graph goes when
 * there are too many. */
#include <string.h>

#include "backends/cuda/forward_parts.h"

static struct dyno_cuda_graph *find(struct dyno_cuda_forward *forward,
                                    const struct dyno_cuda_shape *shape)
{
    uint32_t count =
        forward->graph_count < DYNO_CUDA_GRAPHS_MAX ? forward->graph_count : DYNO_CUDA_GRAPHS_MAX;

    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(&forward->graphs[i].shape, shape, sizeof *shape) == 0) {
            return &forward->graphs[i];
        }
    }
    return NULL;
}

static void forget(struct dyno_cuda_graph *graph)
{
    if (graph->exec) {
        (void)cudaGraphExecDestroy(graph->exec);
    }
    memset(graph, 0, sizeof *graph);
}

static dyno_status instantiate(struct dyno_cuda_forward *forward, struct dyno_cuda_graph *graph,
                               struct dyno_error *error)
{
    cudaGraph_t captured = NULL;
    dyno_status status;
    cudaError_t code;

    DYNO_CUDA_TRY(cudaStreamBeginCapture(forward->stream, cudaStreamCaptureModeThreadLocal), error);
    status = dyno_cuda_queue_pass(forward, &graph->shape, error);
    code = cudaStreamEndCapture(forward->stream, &captured); /* also after a failure */
    if (status == DYNO_OK && code != cudaSuccess) {
        status = dyno_cuda_fail(error, code, "cudaStreamEndCapture");
    }
    if (status == DYNO_OK) {
        code = cudaGraphInstantiate(&graph->exec, captured, 0);
        if (code != cudaSuccess) {
            graph->exec = NULL;
            status = dyno_cuda_fail(error, code, "cudaGraphInstantiate");
        }
    }
    if (captured) {
        (void)cudaGraphDestroy(captured);
    }
    return status;
}

dyno_status dyno_cuda_queue_graph(struct dyno_cuda_forward *forward,
                                  const struct dyno_cuda_shape *shape, struct dyno_error *error)
{
    struct dyno_cuda_graph *graph;

    if (forward->config.no_graphs || shape->prefills > 0 || shape->gathers) {
        return dyno_cuda_queue_pass(forward, shape, error);
    }
    graph = find(forward, shape);
    if (!graph) {
        graph = &forward->graphs[forward->graph_count++ % DYNO_CUDA_GRAPHS_MAX];
        forget(graph);
        graph->shape = *shape;
        return dyno_cuda_queue_pass(forward, shape, error);
    }
    if (!graph->exec) {
        DYNO_TRY(instantiate(forward, graph, error));
    }
    DYNO_CUDA_TRY(cudaGraphLaunch(graph->exec, forward->stream), error);
    return DYNO_OK;
}

void dyno_cuda_graphs_close(struct dyno_cuda_forward *forward)
{
    for (uint32_t i = 0; i < DYNO_CUDA_GRAPHS_MAX; i++) {
        forget(&forward->graphs[i]);
    }
}
