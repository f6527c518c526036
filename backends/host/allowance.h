/* What of this machine this process may use: its own part where a container, a service manager or
 * `taskset` gives it less than there is. */
#ifndef DYNO_BACKENDS_HOST_ALLOWANCE_H
#define DYNO_BACKENDS_HOST_ALLOWANCE_H

#include <stdint.h>

struct dyno_allowance {
    uint64_t memory_bytes; /* UINT64_MAX: no limit */
    uint32_t cores;        /* UINT32_MAX: no limit */
};

/* The smallest limits that control groups set for this process: those of its own and of all above
 * it, of version 1 and 2 (the kernel's admin-guide/cgroup-v2.rst, memory.max, memory.high and
 * cpu.max; cgroup-v1/memory.rst, memory.limit_in_bytes; scheduler/sched-bwc.rst, cpu.cfs_quota_us).
 * Of a quota the whole cores count, and at least one: threads that wait for each other at every
 * step would all wait for the one that is stopped until the next period.  What cannot be read sets
 * no limit.  `root` ends where /proc and the groups' folders begin: "" is this machine. */
void dyno_allowance_of_groups(struct dyno_allowance *out, const char *root);

/* The smallest of those and what the machine has; UINT64_MAX where nobody says. */
uint64_t dyno_allowed_memory_bytes(void);

/* The smallest of those and the processors on which this thread may run; at least one. */
uint32_t dyno_allowed_cores(void);

/* The same, at most DYNO_TEAM_MAX: of a team (kernels/team.h) for which nobody gave a number. */
uint32_t dyno_allowed_team(void);

#endif
