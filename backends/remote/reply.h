/* What one event of an endpoint's stream says that its worker has to know: of chat completions and
 * completions what backends/load/answer.h reads, of responses the same in their words. */
#ifndef DYNO_BACKENDS_REMOTE_REPLY_H
#define DYNO_BACKENDS_REMOTE_REPLY_H

#include "backends/load/answer.h"

/* Read data[size]; false: it is no JSON object.  An event of a response is finished where its type
 * says so (completed, incomplete, failed), and is an error where its type is that. */
bool dyno_reply_read(struct dyno_answer_chunk *out, const char *data, size_t size,
                     bool is_response);

#endif
