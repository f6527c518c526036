/* From the options of the section queue to thresholds and a lobby (docs/admission.md). */
#ifndef DYNO_CLI_ASSEMBLY_QUEUEING_H
#define DYNO_CLI_ASSEMBLY_QUEUEING_H

#include "cli/scenario/queueing.h"
#include "cli/scenario/scenario.h"
#include "core/run/dispatch.h"
#include "core/run/lobby.h"
#include "core/run/loop.h"

/* Both take options that were checked. */
struct dyno_dispatch_busy dyno_queueing_busy(const struct dyno_scenario *scenario,
                                             uint32_t worker_blocks);
struct dyno_lobby_config dyno_queueing_lobby(const struct dyno_scenario *scenario);

/* What a report says of those who waited in a run of `loop`, which serves so many models; peaks are
 * those of one model's queue. */
void dyno_queueing_report(const struct dyno_scenario *scenario, const struct dyno_loop *loop,
                          uint32_t models, struct dyno_queue_report *out);

#endif
