#include "reports/figure_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/words.h"

enum { PATH_MAX_BYTES = 4096 };

dyno_status dyno_figure_format_take(const char **at, char format[DYNO_FIGURE_FORMAT_MAX],
                                    struct dyno_error *error)
{
    size_t length = strcspn(*at, ",");
    char quoted[DYNO_QUOTE_MAX];

    (void)snprintf(format, DYNO_FIGURE_FORMAT_MAX, "%.*s", (int)(length < 7 ? length : 7), *at);
    if (strcmp(format, "svg") != 0 && strcmp(format, "png") != 0 && strcmp(format, "pdf") != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is no format of figures: any of svg, png, pdf, with commas between",
                         dyno_quote(quoted, format));
    }
    *at += length + ((*at)[length] == ',');
    return DYNO_OK;
}

dyno_status dyno_figure_folder_make(const char *folder, struct dyno_error *error)
{
    return mkdir(folder, 0777) == 0 || errno == EEXIST
               ? DYNO_OK
               : dyno_fail(error, DYNO_IO, "the folder %s cannot be made: %s", folder,
                           strerror(errno));
}

dyno_status dyno_figure_write(const char *folder, const struct dyno_exhibit *exhibit,
                              const struct dyno_exhibit_data *data, const char *format,
                              struct dyno_error *error)
{
    char path[PATH_MAX_BYTES];
    bool written;
    size_t size;
    char *bytes;
    FILE *file;

    if (snprintf(path, sizeof path, "%s/%s.%s", folder, exhibit->name, format) >=
        (int)sizeof path) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the name of the folder of figures is too long");
    }
    DYNO_TRY(dyno_exhibit_draw(exhibit, data, format, &bytes, &size, error));
    file = fopen(path, "w");
    written = file && fwrite(bytes, 1, size, file) == size;
    written = file && fclose(file) == 0 && written;
    free(bytes);
    return written ? DYNO_OK
                   : dyno_fail(error, DYNO_IO, "the figure %s cannot be written: %s", path,
                               strerror(errno));
}
