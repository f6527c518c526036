#include "cli/descriptors.h"

#include <sys/resource.h>

uint32_t dyno_descriptors_raise(uint32_t wanted)
{
    struct rlimit limit, raised;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted; /* nobody knows of a limit */
    }
    if (limit.rlim_cur < wanted) { /* "unlimited" is the largest number there is */
        raised = limit;
        raised.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        limit = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised : limit;
    }
    return limit.rlim_cur < UINT32_MAX ? (uint32_t)limit.rlim_cur : UINT32_MAX;
}
