#include "cli/model/tokenizer_path.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/words.h"

dyno_status dyno_tokenizer_path(char *out, size_t size, const char *path, struct dyno_error *error)
{
    const char *slash = strrchr(path, '/');
    size_t length = strlen(path);
    bool is_bin = length > 4 && strcmp(path + length - 4, ".bin") == 0;
    int folder = slash ? (int)(slash + 1 - path) : 0;
    char quoted[DYNO_QUOTE_MAX];
    int written = is_bin ? snprintf(out, size, "%.*stokenizer.bin", folder, path)
                         : snprintf(out, size, "%s", path);

    if (written < 0 || (size_t)written >= size) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the path of the model is too long");
    }
    if (is_bin && access(out, R_OK) != 0) {
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "%s has no tokenizer.bin beside it; --tokenizer names one elsewhere",
                         dyno_quote(quoted, path));
    }
    return DYNO_OK;
}
