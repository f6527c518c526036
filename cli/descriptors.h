/* How many files and connections the system lets this process have open (ulimit -n). */
#ifndef DYNO_CLI_DESCRIPTORS_H
#define DYNO_CLI_DESCRIPTORS_H

#include <stdint.h>

/* Raise the soft limit to `wanted` descriptors, or as near to it as the hard limit lets us; it is
 * never lowered.  Returns how many there may be now, at most UINT32_MAX. */
uint32_t dyno_descriptors_raise(uint32_t wanted);

#endif
