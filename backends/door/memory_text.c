#include "backends/door/memory_text.h"

#include <stdlib.h>

dyno_status dyno_memory_text_open(struct dyno_memory_text *memory)
{
    memory->text = NULL;
    memory->size = 0;
    memory->file = open_memstream(&memory->text, &memory->size);
    return memory->file ? DYNO_OK : DYNO_NO_MEMORY;
}

dyno_status dyno_memory_text_take(struct dyno_memory_text *memory, char **text, size_t *size)
{
    int failed = ferror(memory->file);

    if (fclose(memory->file) != 0 || failed) {
        free(memory->text);
        return DYNO_NO_MEMORY;
    }
    *text = memory->text;
    *size = memory->size;
    return DYNO_OK;
}
