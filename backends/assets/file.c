/* Only regular files of a sane size are read: a pipe could block for ever, a device has no end. */
#include "backends/assets/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/words.h"

static dyno_status refuse_errno(const char *path, struct dyno_error *error)
{
    dyno_status status = errno == ENOENT || errno == ENOTDIR ? DYNO_NOT_FOUND : DYNO_IO;
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, status, "cannot read %s: %s", dyno_quote(quoted, path),
                     strerror(errno));
}

static dyno_status check_file(int descriptor, const char *path, int64_t bytes_max,
                              struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    struct stat status;

    if (fstat(descriptor, &status) != 0) {
        return refuse_errno(path, error);
    }
    if (!S_ISREG(status.st_mode)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is not a regular file",
                         dyno_quote(quoted, path));
    }
    if (status.st_size > bytes_max) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is larger than %d MiB, too large to be %s",
                         dyno_quote(quoted, path), (int)(bytes_max >> 20),
                         bytes_max == DYNO_ASSET_BYTES_MAX ? "a description of a model or a GPU"
                                                           : "read");
    }
    return DYNO_OK;
}

static dyno_status open_file(FILE **out, const char *path, int64_t bytes_max,
                             struct dyno_error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    dyno_status status;

    if (descriptor < 0) {
        return refuse_errno(path, error);
    }
    status = check_file(descriptor, path, bytes_max, error);
    if (status == DYNO_OK) {
        *out = fdopen(descriptor, "r");
        if (*out) {
            return DYNO_OK;
        }
        status = refuse_errno(path, error);
    }
    (void)close(descriptor);
    return status;
}

dyno_status dyno_asset_open_within(FILE **out, const char *path, const char *inside,
                                   int64_t bytes_max, struct dyno_error *error)
{
    struct stat about;
    dyno_status status;
    char *whole;

    if (!inside || stat(path, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return open_file(out, path, bytes_max, error);
    }
    if (asprintf(&whole, "%s/%s", path, inside) < 0) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file name");
    }
    status = open_file(out, whole, bytes_max, error);
    free(whole);
    return status;
}

dyno_status dyno_asset_open(FILE **out, const char *path, const char *inside,
                            struct dyno_error *error)
{
    return dyno_asset_open_within(out, path, inside, DYNO_ASSET_BYTES_MAX, error);
}
