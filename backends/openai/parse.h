/* JSON that is as it should be, parsed fast.
 *
 * Jansson takes a hundred instructions for every byte, which for a prompt of some thousand words is
 * more than all the rest of a request.  This parser builds the same values by a few, and knows only
 * what is common and right: whatever it does not take, it leaves to Jansson, which knows whether it
 * is wrong and how to say so.  What it takes, Jansson would take, with the same value: the fuzz
 * test holds it to that. */
#ifndef DYNO_BACKENDS_OPENAI_PARSE_H
#define DYNO_BACKENDS_OPENAI_PARSE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* An object or array takes as much memory as so many other values, and counts as many. */
enum { DYNO_OPENAI_HOLDER_VALUES = 8 };

/* The object that is the whole of bytes[size], no more than depth_max deep and of no more than
 * values_max values; or NULL, for Jansson to judge: what is no JSON, keys that come twice or have
 * escapes, \u0000, text that is not UTF-8, integers of more than 18 digits, no memory. */
json_t *dyno_openai_parse(const char *bytes, size_t size, uint32_t depth_max, uint32_t values_max);

#endif
