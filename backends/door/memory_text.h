/* A text that grows in memory as a FILE is written: opened, printed into, and taken. */
#ifndef DYNO_BACKENDS_DOOR_MEMORY_TEXT_H
#define DYNO_BACKENDS_DOOR_MEMORY_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "core/base/status.h"

struct dyno_memory_text {
    FILE *file;
    char *text; /* the file's until it is taken */
    size_t size;
};

/* DYNO_NO_MEMORY on failure; else it is ended with dyno_memory_text_take. */
dyno_status dyno_memory_text_open(struct dyno_memory_text *memory);
/* On success *text is the caller's to free, ends with a NUL and has *size bytes before it.  Else
 * DYNO_NO_MEMORY: a write had none, and what was written is gone. */
dyno_status dyno_memory_text_take(struct dyno_memory_text *memory, char **text, size_t *size);

#endif
