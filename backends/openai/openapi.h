/* GET /openapi.json: a description of what is served, in OpenAPI 3.1
 * (backends/openai/openapi.json). */
#ifndef DYNO_BACKENDS_OPENAI_OPENAPI_H
#define DYNO_BACKENDS_OPENAI_OPENAPI_H

#include <stddef.h>

/* The text, *size bytes of JSON; it is the program's. */
const char *dyno_openai_description(size_t *size);

#endif
