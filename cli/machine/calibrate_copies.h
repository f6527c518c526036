/* Measuring what moving blocks of KV from one worker's memory to another's takes. */
#ifndef DYNO_CLI_MACHINE_CALIBRATE_COPIES_H
#define DYNO_CLI_MACHINE_CALIBRATE_COPIES_H

#include "core/model/model.h"
#include "core/run/clock.h"
#include "core/worker/link.h"
#include "sim/machine.h"

enum { DYNO_COPIES_BLOCKS = 128, DYNO_COPIES_BLOCK_TOKENS = 16 }; /* of each memory */

struct dyno_copies_pace {
    struct dyno_clock *clock; /* a wall clock, not owned */
    dyno_ns pause_ns;         /* before each transfer */
};

/* What a byte and a transfer take over `links`, from endpoint `from` of two to the other one, which
 * have DYNO_COPIES_BLOCKS blocks each; nobody else uses them, and what a file is to give was
 * written to it so before. */
dyno_status dyno_copies_time(struct dyno_links *links, const struct dyno_copies_pace *pace,
                             uint32_t from, uint64_t block_bytes, double *byte_ns,
                             double *transfer_ns);

/* Fills copy_byte_ns and copy_ns.  Errors: DYNO_NO_MEMORY, DYNO_IO (as
 * dyno_cpu_links_open). */
dyno_status dyno_copies_measure(struct dyno_machine *out, const struct dyno_model *model,
                                const struct dyno_copies_pace *pace, struct dyno_error *error);

/* Fills disk_write_byte_ns, disk_write_ns, disk_read_byte_ns and disk_read_ns, with a file of KV at
 * `path`, which is removed if it was not there; NULL: one without a name in $TMPDIR.  Errors:
 * likewise, and those of dyno_kv_file_open. */
dyno_status dyno_disk_measure(struct dyno_machine *out, const struct dyno_model *model,
                              const char *path, const struct dyno_copies_pace *pace,
                              struct dyno_error *error);

#endif
