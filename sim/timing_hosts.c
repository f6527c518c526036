/* What engines cost on their hosts.
 *
 * host_us and host_us_per_sequence are what a pass takes longer than its kernels: scheduling and
 * preparing inputs where the engine does not overlap that with the GPU's work, else the gaps that
 * remain.  They depend on the engine and its version, hardly on the GPU.
 *
 * vllm: from the seconds in which a recorded vLLM 0.19 server on an RTX 4090 only decoded (1,150 us
 * at 33 sequences); the division between the two numbers by the mean time per token of a second
 * one, on an RTX PRO 6000 with up to 128.  The others: from the time per token that 90, 84 and 252
 * published benchmarks of a model on H100 and H200 took longer than their kernels (AIConfigurator
 * 095f58a51, Apache-2.0): two numbers an engine, from the means over all of them.  Ingest and
 * response: assumed, the order of magnitude of an HTTP front end. */
#include <string.h>

#include "sim/timing.h"

#define FRONT_END .ingest_us = 400, .ingest_us_per_token = 0.5, .response_us = 200

const struct dyno_engine_host dyno_engine_hosts[] = {
    {
        .name = "vllm",
        .help = "vLLM from 0.14: it schedules a pass while the one before it runs",
        .source = "a recorded vLLM 0.19 server, RTX 4090",
        .host_us = 900,
        .host_us_per_sequence = 8,
        FRONT_END,
    },
    {
        .name = "vllm-sync",
        .help = "vLLM to 0.13, or without asynchronous scheduling",
        .source = "90 benchmarks of vLLM 0.12, H100",
        .host_us = 1500,
        .host_us_per_sequence = 50,
        FRONT_END,
    },
    {
        .name = "sglang",
        .help = "SGLang with its overlapping scheduler",
        .source = "84 benchmarks of SGLang 0.5, H100",
        .host_us = 800,
        .host_us_per_sequence = 20,
        FRONT_END,
    },
    {
        .name = "trtllm",
        .help = "TensorRT-LLM with its overlapping scheduler",
        .source = "252 benchmarks of TensorRT-LLM 1.x, H100 and H200",
        .host_us = 200,
        .host_us_per_sequence = 5,
        FRONT_END,
    },
    {.name = NULL},
};

void dyno_timing_use_host(struct dyno_timing_parameters *parameters, const char *engine)
{
    const struct dyno_engine_host *host = dyno_engine_hosts;

    while (host->name && strcmp(host->name, engine) != 0) {
        host++;
    }
    host = host->name ? host : dyno_engine_hosts;
    parameters->host_us = host->host_us;
    parameters->host_us_per_sequence = host->host_us_per_sequence;
    parameters->ingest_us = host->ingest_us;
    parameters->ingest_us_per_token = host->ingest_us_per_token;
    parameters->response_us = host->response_us;
}
