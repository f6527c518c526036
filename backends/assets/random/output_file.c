/* Written as "NAME.partial", then renamed. */
#include "backends/assets/random/output_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/words.h"

enum { BUFFER_BYTES = 1 << 20 };

static dyno_status refuse(const struct dyno_output_file *file)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(file->error, DYNO_IO, "cannot write %s: %s", dyno_quote(quoted, file->path),
                     strerror(errno));
}

static void release(struct dyno_output_file *file)
{
    free(file->path);
    free(file->partial);
    *file = (struct dyno_output_file){0};
}

dyno_status dyno_output_open(struct dyno_output_file *out, const char *path,
                             struct dyno_error *error)
{
    struct dyno_output_file file = {.path = strdup(path), .error = error};
    dyno_status status;

    if (!file.path || asprintf(&file.partial, "%s.partial", path) < 0) {
        free(file.path);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file name");
    }
    file.stream = fopen(file.partial, "wbe");
    if (!file.stream) {
        status = refuse(&file);
        release(&file);
        return status;
    }
    (void)setvbuf(file.stream, NULL, _IOFBF, BUFFER_BYTES);
    *out = file;
    return DYNO_OK;
}

dyno_status dyno_output_put(struct dyno_output_file *file, const void *data, size_t size)
{
    if (fwrite(data, 1, size, file->stream) != size) {
        return refuse(file);
    }
    file->bytes += size;
    return DYNO_OK;
}

dyno_status dyno_output_print(struct dyno_output_file *file, const char *format, ...)
{
    va_list arguments;
    int written;

    va_start(arguments, format);
    written = vfprintf(file->stream, format, arguments);
    va_end(arguments);
    if (written < 0) {
        return refuse(file);
    }
    file->bytes += (uint64_t)written;
    return DYNO_OK;
}

dyno_status dyno_output_align(struct dyno_output_file *file, uint32_t alignment)
{
    while (file->bytes % alignment != 0) {
        DYNO_TRY(dyno_output_put(file, "", 1));
    }
    return DYNO_OK;
}

dyno_status dyno_output_finish(struct dyno_output_file *file)
{
    dyno_status status = DYNO_OK;
    int failed = fclose(file->stream) != 0;

    if (failed || rename(file->partial, file->path) != 0) {
        status = refuse(file);
        (void)unlink(file->partial);
    }
    release(file);
    return status;
}

void dyno_output_abandon(struct dyno_output_file *file)
{
    (void)fclose(file->stream);
    (void)unlink(file->partial);
    release(file);
}
