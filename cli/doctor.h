/* `dyno doctor`: what this machine has, and what is missing. */
#ifndef DYNO_CLI_DOCTOR_H
#define DYNO_CLI_DOCTOR_H

#include <stdbool.h>

#define DYNO_DOCTOR_GIB 1073741824.0

/* One line: "NAME  ok|missing  words". */
void dyno_doctor_say(const char *name, bool is_there, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void dyno_doctor_check_software(void); /* libraries that dyno is linked with, gnuplot */
void dyno_doctor_check_gpus(void);     /* driver, GPUs, and what moves data between them */

#endif
