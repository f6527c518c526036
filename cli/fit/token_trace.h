/* Prompts in tokens, turned into a trace with identities: what shares a prefix shares identities.
 */
#ifndef DYNO_CLI_FIT_TOKEN_TRACE_H
#define DYNO_CLI_FIT_TOKEN_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

/* Read `path` (JSON lines, may be gzipped; see struct dyno_token_prompt) into *text: a trace in
 * Mooncake's format with an identity for every `block_tokens` tokens, *size bytes, the caller's to
 * free.  Times count from `start_ns`.  Errors: those of reading, with file and line. */
dyno_status dyno_token_trace_read(char **text, size_t *size, const char *path,
                                  uint32_t block_tokens, uint64_t start_ns,
                                  struct dyno_error *error);

#endif
