/* Finding a GPU by name; the figures are in gpu_table.c. */
#include "core/model/gpu.h"

#include <stddef.h>
#include <strings.h>

const struct dyno_gpu *dyno_gpu_find(const char *name)
{
    for (const struct dyno_gpu *gpu = dyno_gpu_table; gpu->name[0]; gpu++) {
        if (strcasecmp(gpu->name, name) == 0) {
            return gpu;
        }
    }
    return NULL;
}
