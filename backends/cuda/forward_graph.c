/* Passes of decoding alone as graphs: one launch in place of some hundred.
 *
 * A shape is launched kernel by kernel the first time, so that what is made lazily is made and one
 * that never comes again costs nothing; the second time it is captured.  The oldest graph goes when
 * there are too many. */
#include <string.h>

#include "backends/cuda/forward_parts.h"

enum { WARM_LAYERS = 2 }; /* of a pass before the first: one as the others, and the last */

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

/* A place for the shape's graph, which is not made yet. */
static struct dyno_cuda_graph *make_room(struct dyno_cuda_forward *forward,
                                         const struct dyno_cuda_shape *shape)
{
    struct dyno_cuda_graph *graph = &forward->graphs[forward->graph_count++ % DYNO_CUDA_GRAPHS_MAX];

    forget(graph);
    graph->shape = *shape;
    return graph;
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
        (void)make_room(forward, shape);
        return dyno_cuda_queue_pass(forward, shape, error);
    }
    if (!graph->exec) {
        DYNO_TRY(instantiate(forward, graph, error));
    }
    DYNO_CUDA_TRY(cudaGraphLaunch(graph->exec, forward->stream), error);
    return DYNO_OK;
}

/* ---- before the first pass ------------------------------------------------------------------- */

static dyno_status run_nothing(struct dyno_cuda_forward *forward,
                               const struct dyno_cuda_shape *shape, struct dyno_error *error)
{
    uint32_t layers = forward->shape->layers;

    dyno_cuda_tell_nothing(forward, shape);
    forward->running = true;
    DYNO_TRY(dyno_cuda_queue_told(forward, shape, error));
    DYNO_TRY(
        dyno_cuda_queue_layers(forward, shape, layers < WARM_LAYERS ? layers : WARM_LAYERS, error));
    if (shape->prefills == 0 && !forward->config.shard) {
        DYNO_TRY(dyno_cuda_queue_advance(forward, shape, error));
    }
    DYNO_CUDA_TRY(cudaStreamSynchronize(forward->stream), error);
    forward->running = false;
    return DYNO_OK;
}

/* One prompt of every number of rows that there is: how they are multiplied depends on it. */
static dyno_status warm_prompts(struct dyno_cuda_forward *forward, struct dyno_error *error)
{
    uint32_t most = forward->config.rows_max < forward->model->positions
                        ? forward->config.rows_max
                        : forward->model->positions;

    for (uint32_t rows = dyno_cuda_rows_of(forward, 1); rows > 1 && rows <= most;) {
        struct dyno_cuda_shape shape = dyno_cuda_decode_shape(forward, 1, 1);
        uint32_t next = dyno_cuda_rows_of(forward, rows + 1);

        shape.decodes = shape.decode_context_max = 0;
        shape.prefills = shape.gathers = 1;
        shape.rows = shape.prefill_max = shape.context_max = rows;
        DYNO_TRY(run_nothing(forward, &shape, error));
        rows = next > rows ? next : most + 1;
    }
    return DYNO_OK;
}

/* All contexts of a batch: the kernels are the same, so that one run loads them. */
static dyno_status warm_batch(struct dyno_cuda_forward *forward, uint32_t sequences,
                              struct dyno_error *error)
{
    uint32_t widest = dyno_cuda_shape_max(forward).table_width;
    struct dyno_cuda_shape shape = dyno_cuda_decode_shape(forward, sequences, widest);

    DYNO_TRY(run_nothing(forward, &shape, error));
    shape.table_width = 0;
    while (!forward->config.no_graphs && shape.table_width < widest &&
           forward->graph_count < DYNO_CUDA_GRAPHS_MAX) {
        shape = dyno_cuda_decode_shape(forward, sequences, shape.table_width + 1);
        if (!find(forward, &shape)) {
            DYNO_TRY(instantiate(forward, make_room(forward, &shape), error));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_forward_warm(struct dyno_cuda_forward *forward, struct dyno_error *error)
{
    uint32_t most = forward->config.sequences_max < forward->config.rows_max
                        ? forward->config.sequences_max
                        : forward->config.rows_max;
    uint32_t batch = 0;

    DYNO_TRY(warm_prompts(forward, error));
    while (batch < most) {
        batch = dyno_cuda_decode_shape(forward, batch + 1, 1).rows;
        DYNO_TRY(warm_batch(forward, batch, error));
    }
    return DYNO_OK;
}

void dyno_cuda_graphs_close(struct dyno_cuda_forward *forward)
{
    for (uint32_t i = 0; i < DYNO_CUDA_GRAPHS_MAX; i++) {
        forget(&forward->graphs[i]);
    }
}
