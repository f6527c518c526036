/* The routers of an assembly. */
#ifndef DYNO_CLI_ASSEMBLY_ROUTING_H
#define DYNO_CLI_ASSEMBLY_ROUTING_H

#include "cli/assembly/assembly.h"

/* Who gets a request.  Where requests are served in halves that is one router for prompts, and
 * another for the rest, by whose counts requests are let in.  Errors: DYNO_BAD_INPUT (a plug-in, in
 * words), DYNO_NO_MEMORY. */
dyno_status dyno_assembly_open_routing(struct dyno_assembly *assembly, struct dyno_error *error);

#endif
