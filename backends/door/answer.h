/* One answer in the making, a text or a vector: chosen by a device's thread, told to the door's.
 *
 * The door opens an answer for every request that it lets into the fleet and posts it to the desk
 * (desk.h).  The device asks it for tokens, one at a time (backends/engine/generation.h); text,
 * stops and ends are worked out there, so that a sequence ends with the token that ends it.  What
 * comes of it is news: the door takes it, in whole characters and nothing that is taken back.  A
 * vector is news once, with the end.
 *
 * Two owners: the door from open to release, the fleet from post until the request has ended.
 */
#ifndef DYNO_BACKENDS_DOOR_ANSWER_H
#define DYNO_BACKENDS_DOOR_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/assets/tokenizer/detokenizer.h"
#include "backends/door/constraint.h"
#include "backends/engine/errand.h"
#include "core/base/status.h"
#include "core/model/record.h"
#include "core/model/request.h"
#include "kernels/logprobs.h"
#include "kernels/sample.h"

struct dyno_answer;

enum { DYNO_ANSWER_TOPS_MAX = 20 };

enum dyno_answer_end {
    DYNO_ANSWER_GOES_ON,
    DYNO_ANSWER_STOPPED, /* the model ended its text, a stop string was met, or it is a vector */
    DYNO_ANSWER_FULL,    /* as many tokens as were asked for, or as the context holds */
    DYNO_ANSWER_FAILED,  /* the record says why; where it does not, there was no memory for a text,
                            the numbers of a vector were none, or a prompt was not scored */
};

struct dyno_answer_config {
    uint32_t model;         /* by which the fleet knows it; 0: the only one */
    const uint32_t *prompt; /* [prompt_tokens], copied; each below the model's vocab */
    uint32_t prompt_tokens; /* >= 1 */
    uint32_t tokens_max;    /* >= 1; prompt and answer fit into the context */
    uint32_t tokens_min;    /* the model does not end it before */
    uint32_t pretended;     /* a device that computes nothing ends after so many, >= 1 */
    uint32_t dimensions;    /* > 0: a vector of so many numbers is wanted and no text: tokens_max
                               is 1, and nothing is chosen */
    const struct dyno_span *spans; /* [span_count] identities of the prompt's blocks, copied */
    uint32_t span_count;
    uint64_t session;              /* 0: none */
    uint32_t tenant;               /* 0: none */
    int32_t priority;              /* lower is earlier */
    struct dyno_sampling sampling; /* its bias is copied */
    bool logprobs;                 /* how likely each token was, and ... */
    uint32_t top_logprobs;         /* ... so many others, at most DYNO_ANSWER_TOPS_MAX */
    bool scores; /* logprobs also of the prompt, all of which is computed for that: its blocks have
                    no identities */
    bool mute;   /* nothing but the prompt is wanted: tokens_max is 1, and that one is not told */
    struct dyno_constraint *constraint; /* what it must be; the answer's from here on, also where
                                           it cannot be opened; NULL: any text */
    bool ignore_eos;                    /* not of a constrained answer */
    const uint32_t *eos; /* [eos_count] tokens that end a text; not owned, outlives the answer */
    uint32_t eos_count;
    const struct dyno_tokenizer *tokenizer; /* outlives the answer */
    struct dyno_detokenizer_options text;   /* stops and the like */
    /* It travels as text to a worker that is another server: path, fields, body, request_id and
     * is_whole of this are copied, and of the above only prompt_tokens, tokens_max, spans, session,
     * tenant and priority count; no tokenizer is needed.  NULL: it is made of tokens. */
    const struct dyno_errand *errand;
    void *owner; /* of the door's */
};

/* A token of the news: the text up to text_end is out once it is.  Of a prompt there is no text. */
struct dyno_answer_token {
    uint32_t id;
    uint32_t text_end;             /* bytes of the news' text */
    struct dyno_logprob logprob;   /* if asked for; a device that computes nothing has none ... */
    uint32_t top_first, top_count; /* ... of the news' tops */
};

/* Bytes of an answer that travels as text which wait for the door at most: a server that says more
 * than anybody takes is stopped. */
enum { DYNO_ANSWER_PAGE_MAX = 1 << 25 };

/* How likely the tokens of a prompt were, each behind those before it; of the first nobody knows,
 * and its logprob is not a number. */
struct dyno_answer_prompt {
    const struct dyno_answer_token *tokens; /* [count] */
    uint32_t count;
    const struct dyno_logprob *tops;
};

/* What is new of an answer; valid until it is asked again.  Of one that travels as text a token is
 * an event of the stream, and the text its data. */
struct dyno_answer_news {
    const char *text; /* [text_size]; not NULL */
    size_t text_size;
    const struct dyno_answer_token *tokens; /* [token_count]; text behind the last of them was held
                                               back, and came with the end */
    uint32_t token_count;
    const struct dyno_logprob *tops;
    const struct dyno_answer_prompt *prompt; /* of an answer that scores it, with the first token
                                                and from then on, and with the end unless it fails,
                                                else NULL; valid until the answer is released */
    const float *vector; /* [dimensions] with the end of an answer that is one, else NULL; valid
                            until the answer is released */
    enum dyno_answer_end end;
    uint32_t refused; /* with the end: an HTTP status, and the text is what came with it; 0: none */
    const struct dyno_request_record *record; /* with the end: its life; else NULL */
};

/* On success *out is the door's (dyno_answer_release).  Errors: DYNO_NO_MEMORY, and those of
 * dyno_detokenizer_open. */
dyno_status dyno_answer_open(struct dyno_answer **out, const struct dyno_answer_config *config,
                             struct dyno_error *error);
void dyno_answer_release(struct dyno_answer *answer); /* NULL: no effect */

void *dyno_answer_owner(const struct dyno_answer *answer);

/* By the loop's clock; 0: not yet. */
struct dyno_answer_stamps {
    dyno_ns arrival_ns; /* it was posted */
    dyno_ns taken_ns;   /* the loop took it */
    dyno_ns told_ns;    /* the fleet told the first of it: a token, or its end */
};

/* Of news that the door has taken, or of an answer that it still has. */
struct dyno_answer_stamps dyno_answer_stamps(const struct dyno_answer *answer);

#endif
