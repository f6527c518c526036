/* Parts that the endpoints with messages and tools share.  Only for the files of this folder. */
#ifndef DYNO_BACKENDS_OPENAI_MESSAGES_H
#define DYNO_BACKENDS_OPENAI_MESSAGES_H

#include "backends/openai/fields.h"

/* Arguments of earlier tool calls that one body may hold, in bytes of text. */
enum { DYNO_OPENAI_ARGUMENTS_MAX = 4 << 20 };

/* Rows: a json_t *, owned; a const json_t *, an object for the chat template. */
dyno_openai_read dyno_openai_read_messages;
dyno_openai_read dyno_openai_read_template_arguments;

/* The input of a response, appended to `messages` in the same form. */
dyno_status dyno_openai_read_items(const struct dyno_openai_value *value, json_t *messages);

/* A string, or an array of text parts ({type, text}; `type` is "text", "input_text" or
 * "output_text"), joined by line ends.  *out is new. */
dyno_status dyno_openai_read_content(const struct dyno_openai_value *value, json_t **out);

/* The text of a JSON object ("" stands for {}), as an object; *bytes counts what was parsed so far.
 * *out is new. */
dyno_status dyno_openai_read_arguments(const struct dyno_openai_value *value, size_t *bytes,
                                       json_t **out);

/* Rows of struct dyno_openai_tools: tools, tool_choice and parallel_tool_calls as chat completions
 * write them, or (flat) as responses do. */
struct dyno_openai_table dyno_openai_tools_table(size_t offset, bool flat);

/* What depends on more than one of these; also puts in what was not said. */
dyno_status dyno_openai_tools_check(const struct dyno_openai_value *body,
                                    struct dyno_openai_tools *tools);

dyno_openai_read dyno_openai_read_function_name; /* const char *: letters, digits, '_' and '-' */
dyno_openai_read dyno_openai_read_format;        /* struct dyno_openai_format, as chat writes it */
dyno_openai_read dyno_openai_read_flat_format;   /* the same as responses write it */

#endif
