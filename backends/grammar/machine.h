/* The automaton at work: readings of a text, and what a byte makes of them.  For the files of this
 * folder.
 *
 * Frames are never changed once they are made: a reading that goes into a value pushes a frame, one
 * that comes out of it takes the frame's content for its own.  So readings share frames, and what
 * follows a byte can be tried without harm to what is there.
 */
#ifndef DYNO_BACKENDS_GRAMMAR_MACHINE_H
#define DYNO_BACKENDS_GRAMMAR_MACHINE_H

#include "backends/grammar/nodes.h"
#include "backends/grammar/text_state.h"

struct dyno_machine {
    const struct dyno_grammar *grammar;
    struct dyno_grammar_frame *frames;
    uint32_t frame_count; /* a step adds no more than one for each reading; there must be room */
    uint32_t lowest;      /* no frame of less depth was looked into; 0: the end of the text was */
};

struct dyno_readings {
    struct dyno_grammar_reading list[DYNO_GRAMMAR_READINGS_MAX];
    uint32_t count;
};

/* What the readings from[count] are behind `byte`. */
void dyno_machine_step(struct dyno_machine *machine, const struct dyno_grammar_reading *from,
                       uint32_t count, uint8_t byte, struct dyno_readings *to);

/* The reading of what is around a value that has ended: its frame. */
struct dyno_grammar_reading dyno_machine_around(struct dyno_machine *machine, uint32_t index);

/* Where in its string a reading is. */
enum dyno_text_state dyno_machine_text(const struct dyno_grammar_reading *reading);

/* Whether a reading is between characters of a name that is none of the object's properties and may
 * go on anyhow, but for \u and \/; *behind is what it is after the name. */
bool dyno_machine_free_name(const struct dyno_machine *machine,
                            const struct dyno_grammar_reading *reading,
                            struct dyno_grammar_reading *behind);

/* The number that stands for a count of items or characters where tokens have no more than `reach`
 * bytes: two counts with one number allow the same tokens. */
uint64_t dyno_machine_count(const struct dyno_grammar *grammar, uint32_t node, uint64_t data,
                            uint32_t reach);

#endif
