/* The file's text, which the build puts into a header. */
#include "backends/openai/openapi.h"

#include "openapi_json.h"

const char *dyno_openai_description(size_t *size)
{
    *size = sizeof dyno_openapi_json - 1;
    return dyno_openapi_json;
}
