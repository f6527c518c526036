/* open, check, mmap, close: the mapping outlives the descriptor. */
#include "backends/assets/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/units.h"
#include "core/base/words.h"

static dyno_status refuse_errno(const char *path, struct dyno_error *error)
{
    dyno_status status = errno == ENOENT || errno == ENOTDIR ? DYNO_NOT_FOUND : DYNO_IO;
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, status, "cannot read %s: %s", dyno_quote(quoted, path),
                     strerror(errno));
}

static dyno_status check_kind(const struct stat *about, const char *path, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    if (!S_ISREG(about->st_mode)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is not a regular file",
                         dyno_quote(quoted, path));
    }
    if (about->st_size == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is empty", dyno_quote(quoted, path));
    }
    return DYNO_OK;
}

static dyno_status map(struct dyno_mapping *out, int descriptor, const char *path,
                       struct dyno_error *error)
{
    struct stat about;
    void *data;

    if (fstat(descriptor, &about) != 0) {
        return refuse_errno(path, error);
    }
    DYNO_TRY(check_kind(&about, path, error));
    data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED) {
        return refuse_errno(path, error);
    }
    out->data = data;
    out->size = (uint64_t)about.st_size;
    return DYNO_OK;
}

dyno_status dyno_mapping_open(struct dyno_mapping *out, const char *path, struct dyno_error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct dyno_mapping mapping = {0};
    dyno_status status;

    if (descriptor < 0) {
        return refuse_errno(path, error);
    }
    status = map(&mapping, descriptor, path, error);
    (void)close(descriptor);
    DYNO_TRY(status);
    mapping.path = strdup(path);
    if (!mapping.path) {
        dyno_mapping_close(&mapping);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file name");
    }
    *out = mapping;
    return DYNO_OK;
}

void dyno_mapping_close(struct dyno_mapping *mapping)
{
    if (mapping->data) {
        (void)munmap((void *)(uintptr_t)mapping->data, (size_t)mapping->size);
    }
    free(mapping->path);
    *mapping = (struct dyno_mapping){0};
}

dyno_status dyno_memory_check(const char *path, uint64_t bytes, uint64_t memory_bytes,
                              struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    if (bytes <= memory_bytes) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_NO_MEMORY,
                     "%s holds %.1f GB of weights where %.1f GB of memory may be used; use a "
                     "smaller model, a smaller type (Q8_0 takes half of BF16), or a larger machine "
                     "or limit",
                     dyno_quote(quoted, path), (double)bytes / 1e9, (double)memory_bytes / 1e9);
}
