/* Tool calls in what a model writes: taken out of its text while the text comes.
 *
 * Three forms are known, by which most models were trained:
 *
 *   TAGGED  <tool_call>{"name": "f", "arguments": {...}}</tool_call>, any number of them, anywhere
 *           (Hermes, Qwen); or <tool_call><function=f><parameter=x>1</parameter></function>
 *           </tool_call> with blanks between (Qwen3-Coder);
 *   BARE    the whole answer is {"name": "f", "parameters": {...}}, or several with ';' between
 *           them, after <|python_tag|> or not (Llama 3);
 *   ARRAY   the whole answer is [{"name": "f", "arguments": {...}}, ...], after [TOOL_CALLS] or
 * not, or f[ARGS]{...} after it (Mistral).
 *
 * Either name of the arguments is taken in all.  Text that turns out to be no call is given back
 * as text, to the byte, but for blanks beside a call; what may still become a call, half a tag for
 * one, is held back until it is known, or to the end.
 *
 * Where a known name comes before the arguments, and in the last two forms above, the call is one
 * as soon as its arguments begin: they are told as they come, and are the model's responsibility
 * (an answer that is cut has half of them).  Any other object is judged when it is whole.
 *
 *   TEXT      -> OBJECT    [text_byte]      a tag; BARE, ARRAY: a brace before anything else
 *   OBJECT    -> ARGUMENTS [object_byte]    "name" is known and "arguments" begins
 *   OBJECT    -> FUNCTION  [object_byte]    "<" after the tag
 *   OBJECT    -> AFTER     [close_object]   its last brace, and it is a call
 *   OBJECT    -> TEXT      [object_byte]    it cannot be a call; what is held goes out as text
 *   ARGUMENTS -> REST      [arguments_byte] their last brace
 *   REST      -> AFTER     [rest_byte]      the object's last brace
 *   FUNCTION  -> TEXT, FUNCTION, AFTER      [dyno_openai_call_function_byte] (tool_call_function.c)
 *   AFTER     -> TEXT      [after_byte]     </tool_call>, or what is no part of it
 *
 * BARE and ARRAY have no AFTER: TEXT follows at once.  Always: what was fed = text that went out +
 * calls with their tags and blanks + what is held.
 */
#ifndef DYNO_BACKENDS_OPENAI_TOOL_CALL_H
#define DYNO_BACKENDS_OPENAI_TOOL_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/openai/bytes.h"
#include "backends/openai/request.h"
#include "backends/openai/response.h"
#include "core/base/status.h"

enum {
    DYNO_OPENAI_CALL_BYTES_MAX = 1 << 20, /* of one call; a longer one is text */
    DYNO_OPENAI_CALLS_MAX = 128,          /* of one answer; further ones are text */
};

enum dyno_openai_call_form {
    DYNO_OPENAI_CALL_TAGGED,
    DYNO_OPENAI_CALL_BARE,
    DYNO_OPENAI_CALL_ARRAY,
};

/* The form that a chat template tells its model to write: ARRAY if it speaks of [TOOL_CALLS], BARE
 * if of "parameters" or of <|python_tag|> and of no <tool_call>, else TAGGED. */
enum dyno_openai_call_form dyno_openai_call_form_of(const char *chat_template);

struct dyno_openai_call_reader {
    struct dyno_bytes text;              /* to go out; the caller empties it (dyno_bytes_clear) */
    struct dyno_openai_tool_call *calls; /* [call_count], all that were read; owned.  Of the last
                                            one the arguments grow while it is_open */
    uint32_t call_count;
    bool is_open;
    bool is_cut; /* the last one was open when the answer was over */

    /* Private. */
    enum dyno_openai_call_form form;
    enum {
        DYNO_CALL_TEXT,
        DYNO_CALL_OBJECT,
        DYNO_CALL_ARGUMENTS,
        DYNO_CALL_REST,
        DYNO_CALL_FUNCTION,
        DYNO_CALL_AFTER,
    } state;
    struct dyno_bytes held;
    struct dyno_bytes arguments; /* of the last call, terminated; the call's once it is not open */
    uint32_t depth_end;          /* ARGUMENTS: brackets that are open behind them */
    size_t swallowed;            /* REST */
    const json_t *properties;    /* FUNCTION: of the parameters, by the tool's schema; or NULL */
    size_t matched;              /* bytes of a tag that `held` ends with */
    size_t object;               /* OBJECT: where it begins in `held` */
    uint32_t depth;              /* OBJECT: brackets that are open */
    bool in_string, is_escaped;
    bool is_quiet; /* nothing but blanks since the beginning or since a call */
    const struct dyno_openai_tools *tools;
    uint64_t high, low; /* of the ids to come */
};

/* `tools`: a call of a function that is not among them is text; it is kept, not owned.  `high` and
 * `low` are as for dyno_openai_id, `low` grows by one a call. */
void dyno_openai_call_reader_init(struct dyno_openai_call_reader *reader,
                                  enum dyno_openai_call_form form,
                                  const struct dyno_openai_tools *tools, uint64_t high,
                                  uint64_t low);
void dyno_openai_call_reader_release(struct dyno_openai_call_reader *reader);

/* More of the answer.  Errors: DYNO_NO_MEMORY, DYNO_FULL (reader->text is not emptied). */
dyno_status dyno_openai_call_reader_feed(struct dyno_openai_call_reader *reader, const char *text,
                                         size_t size);

/* The answer is over: what is held is a call that lacks its end tag, or text. */
dyno_status dyno_openai_call_reader_end(struct dyno_openai_call_reader *reader);

#endif
