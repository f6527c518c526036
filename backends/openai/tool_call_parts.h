/* What the files of the reader of tool calls share; private to this folder. */
#ifndef DYNO_BACKENDS_OPENAI_TOOL_CALL_PARTS_H
#define DYNO_BACKENDS_OPENAI_TOOL_CALL_PARTS_H

#include "backends/openai/tool_call.h"

/* The tool's entry in the request, NULL: there is none of this name[size]. */
const json_t *dyno_openai_call_tool(const struct dyno_openai_call_reader *reader, const char *name,
                                    size_t size);

/* What was held is text after all. */
void dyno_openai_call_let_go(struct dyno_openai_call_reader *reader);

/* A call of name[size] begins, without arguments so far.  DYNO_NO_MEMORY. */
dyno_status dyno_openai_call_begin(struct dyno_openai_call_reader *reader, const char *name,
                                   size_t size);
/* More of its arguments; false: they are too long, and the call is over. */
bool dyno_openai_call_argue(struct dyno_openai_call_reader *reader, const char *text, size_t size);
/* The call that is open is whole. */
void dyno_openai_call_close(struct dyno_openai_call_reader *reader);

/* FUNCTION: one more byte behind "<" that followed <tool_call>. */
dyno_status dyno_openai_call_function_byte(struct dyno_openai_call_reader *reader, char byte);

#endif
