/* Starts of workers that compute: what the roster's starter does, in their devices' threads. */
#ifndef DYNO_CLI_ASSEMBLY_STARTING_H
#define DYNO_CLI_ASSEMBLY_STARTING_H

#include "core/run/roster.h"
#include "core/worker/device.h"

struct dyno_starting_of {
    struct dyno_device *devices[2]; /* of dyno_threaded_device_open; the second one may be NULL */
    uint32_t first_behind;          /* worker 0 of the second one, as the roster numbers it */
};

struct dyno_starting {
    struct dyno_starting_of all;    /* of a roster of both roles, or of the first device alone */
    struct dyno_starting_of behind; /* of the second device alone */
    struct dyno_starter starter, starter_behind;
    dyno_ns takes_ns; /* about: as a start took when the devices opened */
};

/* It stays where it is.  `behind` may be NULL; its worker 0 is then `first_behind`, as a roster of
 * both roles numbers it. */
void dyno_starting_init(struct dyno_starting *starting, struct dyno_device *device,
                        struct dyno_device *behind, uint32_t first_behind);

#endif
