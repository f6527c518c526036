#include "core/base/status.h"

#include <stdio.h>

dyno_status dyno_fail(struct dyno_error *error, dyno_status status, const char *format, ...)
{
    if (error) {
        va_list arguments;

        va_start(arguments, format);
        error->status = status;
        (void)vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
    }
    return status;
}
