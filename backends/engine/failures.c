#include "backends/engine/failures.h"

#include <assert.h>
#include <stdlib.h>

struct failures {
    struct dyno_faults base;
    struct dyno_failing failing[DYNO_FAILING_MAX];
    struct dyno_faults *others; /* NULL: nothing else goes wrong */
};

/* The first worker that has failed. */
static bool find(const struct failures *failures, uint32_t *out)
{
    for (uint32_t i = 0; i < DYNO_FAILING_MAX; i++) {
        const struct dyno_device *device = failures->failing[i].device;
        uint32_t worker;

        if (device && device->ops->failed && device->ops->failed(device, &worker)) {
            *out = failures->failing[i].first + worker;
            return true;
        }
    }
    return false;
}

static dyno_ns failures_next(const struct dyno_faults *faults)
{
    const struct failures *failures = (const struct failures *)faults;
    uint32_t worker;

    if (find(failures, &worker)) {
        return 0;
    }
    return failures->others ? failures->others->ops->next(failures->others) : DYNO_NEVER;
}

static bool failures_take(struct dyno_faults *faults, dyno_ns now, struct dyno_fault_record *out)
{
    const struct failures *failures = (const struct failures *)faults;
    uint32_t worker;

    if (find(failures, &worker)) {
        *out = (struct dyno_fault_record){
            .kind = DYNO_FAULT_DEATH, .what = "worker", .target = worker, .at = now, .until = now};
        return true;
    }
    return failures->others && failures->others->ops->next(failures->others) <= now &&
           failures->others->ops->take(failures->others, now, out);
}

static void failures_close(struct dyno_faults *faults)
{
    struct failures *failures = (struct failures *)faults;

    if (failures->others) {
        failures->others->ops->close(failures->others);
    }
    free(failures);
}

static const struct dyno_faults_ops failures_ops = {
    .name = "failures", .next = failures_next, .take = failures_take, .close = failures_close};

dyno_status dyno_failures_open(struct dyno_faults **out, const struct dyno_failing *failing,
                               uint32_t count, struct dyno_faults *others)
{
    struct failures *failures = calloc(1, sizeof *failures);

    assert(count <= DYNO_FAILING_MAX);
    if (!failures) {
        return DYNO_NO_MEMORY;
    }
    failures->base.ops = &failures_ops;
    for (uint32_t i = 0; i < count; i++) {
        failures->failing[i] = failing[i];
    }
    failures->others = others;
    *out = &failures->base;
    return DYNO_OK;
}
