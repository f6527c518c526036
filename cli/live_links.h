/* Links of an assembly whose workers compute on this machine's CPU, or are simulated as it was
 * measured: between their memories. */
#ifndef DYNO_CLI_LIVE_LINKS_H
#define DYNO_CLI_LIVE_LINKS_H

#include "cli/assembly.h"

/* Whether the scenario's workers are such ones. */
bool dyno_live_links_are(const struct dyno_assembly *assembly);

/* Bytes of one block of KV as it lies there. */
uint64_t dyno_live_links_block_bytes(const struct dyno_assembly *assembly);

/* Between workers as a hand-off numbers them; devices, clock and machine are open.  On success *out
 * is closed through its ops, before the devices.  Errors: as dyno_cpu_links_open;
 * DYNO_BAD_INPUT (a measured machine whose copies were not measured). */
dyno_status dyno_live_links_open(struct dyno_links **out, const struct dyno_assembly *assembly,
                                 struct dyno_error *error);

#endif
