/* A sequence's state: the readings of its text, and the frames that they are in. */
#include <assert.h>
#include <string.h>

#include "backends/grammar/machine.h"

void dyno_grammar_begin(const struct dyno_grammar *grammar, struct dyno_grammar_state *state)
{
    (void)grammar;
    state->reading_count = 1;
    state->frame_count = 0;
    state->readings[0] =
        (struct dyno_grammar_reading){.node = DYNO_NODE_BEGIN, .frame = DYNO_GRAMMAR_NONE};
}

/* Drop the frames that no reading is in.  A frame lies behind those around it. */
static uint32_t compact(struct dyno_grammar_frame *frames, uint32_t frame_count,
                        struct dyno_readings *readings)
{
    uint16_t number[DYNO_GRAMMAR_FRAMES_MAX] = {0};
    uint32_t kept = 0;

    for (uint32_t i = 0; i < readings->count; i++) {
        uint32_t at = readings->list[i].frame;

        while (at != DYNO_GRAMMAR_NONE && !number[at]) {
            number[at] = 1;
            at = frames[at].below;
        }
    }
    for (uint32_t i = 0; i < frame_count; i++) {
        if (number[i]) {
            number[i] = (uint16_t)kept;
            frames[kept] = frames[i];
            if (frames[kept].below != DYNO_GRAMMAR_NONE) {
                frames[kept].below = number[frames[kept].below];
            }
            kept++;
        }
    }
    for (uint32_t i = 0; i < readings->count; i++) {
        if (readings->list[i].frame != DYNO_GRAMMAR_NONE) {
            readings->list[i].frame = number[readings->list[i].frame];
        }
    }
    return kept;
}

bool dyno_grammar_advance(const struct dyno_grammar *grammar, struct dyno_grammar_state *state,
                          const char *bytes, size_t size)
{
    struct dyno_grammar_frame frames[DYNO_GRAMMAR_FRAMES_MAX];
    struct dyno_machine machine = {grammar, frames, state->frame_count, UINT32_MAX};
    struct dyno_readings turns[2];
    size_t i = 0;

    memcpy(frames, state->frames, state->frame_count * sizeof *frames);
    turns[0].count = state->reading_count;
    memcpy(turns[0].list, state->readings, state->reading_count * sizeof *state->readings);
    for (; i < size; i++) {
        const struct dyno_readings *from = &turns[i % 2];
        struct dyno_readings *to = &turns[(i + 1) % 2];

        dyno_machine_step(&machine, from->list, from->count, (uint8_t)bytes[i], to);
        if (to->count == 0) {
            return false;
        }
        if (machine.frame_count + DYNO_GRAMMAR_READINGS_MAX > DYNO_GRAMMAR_FRAMES_MAX) {
            machine.frame_count = compact(frames, machine.frame_count, to);
        }
    }
    state->frame_count = compact(frames, machine.frame_count, &turns[i % 2]);
    state->reading_count = turns[i % 2].count;
    memcpy(state->frames, frames, state->frame_count * sizeof *frames);
    memcpy(state->readings, turns[i % 2].list, state->reading_count * sizeof *state->readings);
    return true;
}

bool dyno_grammar_may_end(const struct dyno_grammar *grammar,
                          const struct dyno_grammar_state *state)
{
    for (uint32_t i = 0; i < state->reading_count; i++) {
        const struct dyno_grammar_reading *reading = &state->readings[i];

        if (reading->node == DYNO_NODE_DONE) {
            return true;
        }
        if (reading->node < grammar->node_count && reading->frame == DYNO_GRAMMAR_NONE &&
            grammar->nodes[reading->node].kind == DYNO_NODE_REGULAR &&
            grammar->regular.states[reading->local].accepts) {
            return true;
        }
    }
    return false;
}
