#include "sim/vclock.h"

#include <stdio.h>
#include <stdlib.h>

static dyno_ns jump(struct dyno_clock *clock, dyno_ns deadline)
{
    (void)clock;
    if (deadline == DYNO_NEVER) {
        (void)fputs("dyno: a virtual clock was asked to wait for ever: a wakeup was lost\n",
                    stderr);
        abort();
    }
    return deadline;
}

static const struct dyno_clock_ops virtual_ops = {
    .name = "virtual",
    .help = "time jumps to the next event: a simulation",
    .wait_until = jump,
};

static struct dyno_clock virtual_clock = {.ops = &virtual_ops};

struct dyno_clock *dyno_virtual_clock(void)
{
    return &virtual_clock;
}
