/* `dyno doctor`: what this machine has, and what is missing.  The lines are gathered first, then
 * written as a table or as JSON. */
#ifndef DYNO_CLI_DOCTOR_DOCTOR_H
#define DYNO_CLI_DOCTOR_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { DYNO_DOCTOR_LINES_MAX = 128, DYNO_DOCTOR_TEXT_MAX = 256 };

#define DYNO_DOCTOR_GIB 1073741824.0

struct dyno_doctor_line {
    const char *name;
    bool is_there;
    char text[DYNO_DOCTOR_TEXT_MAX]; /* of what is missing: what that costs, and what to do */
};

struct dyno_doctor {
    struct dyno_doctor_line lines[DYNO_DOCTOR_LINES_MAX];
    uint32_t count;
    json_t *gpus; /* array: the figures of each GPU */
};

/* One line more; those that would be too many are not said. */
void dyno_doctor_say(struct dyno_doctor *doctor, const char *name, bool is_there,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Libraries that dyno is linked with, programs and libraries that it uses where they are. */
void dyno_doctor_check_software(struct dyno_doctor *doctor);
/* The driver, the GPUs, what lies between them, and whether --device cuda would work. */
void dyno_doctor_check_gpus(struct dyno_doctor *doctor);
/* The GPUs as NVIDIA's management library shows them; false where there is none. */
bool dyno_doctor_list_gpus(struct dyno_doctor *doctor);

#endif
