/* A GPU and its links as numbers, each with its source.  Plain data: a copy is complete. */
#ifndef DYNO_CORE_MODEL_GPU_H
#define DYNO_CORE_MODEL_GPU_H

#include <stdint.h>

#include "core/model/model.h"

struct dyno_gpu {
    char name[64];             /* what users type: "h100" */
    char title[96];            /* "NVIDIA H100 SXM5 80GB" */
    char source[320];          /* of every figure */
    double flops[DYNO_DTYPES]; /* dense peak of the matrix units, operations/s, by the type the
                                  multiplication runs in (int4 weights multiply in bf16) */
    uint64_t memory_bytes;     /* as the driver reports it */
    double memory_bytes_per_s;
    double link_bytes_per_s;    /* one direction, one GPU to its peers: NVLink, xGMI, or PCIe */
    char link[32];              /* "nvlink4", "pcie4", ... */
    double pcie_bytes_per_s;    /* one direction, to the host */
    double network_bytes_per_s; /* one direction, the NIC usually paired with one GPU */
    double watts_max;
    uint32_t multiprocessors;
};

extern const struct dyno_gpu dyno_gpu_table[];          /* empty-name-terminated */
const struct dyno_gpu *dyno_gpu_find(const char *name); /* case does not matter; NULL: none */

#endif
