#include "reports/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/words.h"

static dyno_status refused(struct dyno_error *error, const char *path, const char *what)
{
    const char *cause = strerror(errno);
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_IO, "cannot write %s: %s: %s", dyno_quote(quoted, path), what,
                     cause);
}

/* Write all of `text` and a line end, and close; false with errno set otherwise. */
static bool write_all(FILE *file, const char *text)
{
    bool written = fputs(text, file) >= 0 && fputc('\n', file) != EOF && fflush(file) == 0;
    int cause = errno;

    if (fclose(file) != 0 && written) {
        return false;
    }
    errno = cause;
    return written;
}

static dyno_status write_in_place(const char *path, const char *text, struct dyno_error *error)
{
    FILE *file = fopen(path, "w");

    if (!file) {
        return refused(error, path, "it cannot be opened");
    }
    return write_all(file, text) ? DYNO_OK : refused(error, path, "writing failed");
}

static dyno_status write_beside(const char *path, const char *beside, const char *text,
                                struct dyno_error *error)
{
    int descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const char *failed = NULL;
    dyno_status status = DYNO_OK;
    FILE *file;

    if (descriptor < 0) {
        return refused(error, path, "no file can be made beside it");
    }
    file = fdopen(descriptor, "w");
    if (!file) {
        close(descriptor);
        failed = "there is no stream for it";
    } else if (!write_all(file, text)) {
        failed = "writing failed";
    } else if (rename(beside, path) != 0) {
        failed = "it cannot be replaced";
    }
    if (failed) {
        status = refused(error, path, failed);
        unlink(beside);
    }
    return status;
}

static dyno_status write_and_rename(const char *path, const char *text, struct dyno_error *error)
{
    char *beside;
    dyno_status status;

    if (asprintf(&beside, "%s.%ld.tmp", path, (long)getpid()) < 0) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to write a file");
    }
    status = write_beside(path, beside, text, error);
    free(beside);
    return status;
}

dyno_status dyno_text_write(const char *path, const char *text, struct dyno_error *error)
{
    struct stat there;

    if (strcmp(path, "-") == 0) {
        if (fputs(text, stdout) < 0 || fputc('\n', stdout) == EOF || fflush(stdout) != 0) {
            return refused(error, path, "standard output is closed or full");
        }
        return DYNO_OK;
    }
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        return write_in_place(path, text, error);
    }
    return write_and_rename(path, text, error);
}
