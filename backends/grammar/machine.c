/* One byte further.  A reading's `local` is packed: in which phase of its node it is, how far into
 * white space, where in a string, and a place: of a name among an object's names, or of a property.
 *
 *   array    OPEN -> (value) -> AFTER -> COMMA -> (value) ... CLOSE ->
 *   object   OPEN -> NAME -> COLON -> VALUE -> (value) -> AFTER -> COMMA -> NAME ... CLOSE ->
 *
 * Behind a value stands a comma, or white space and the end: CLOSE is what has seen a blank.
 */
#include "backends/grammar/machine.h"

enum phase { OPEN, COMMA, NAME, COLON, VALUE, AFTER, CLOSE };

enum { BLANK = 1, LINE = 2 }; /* white space: a space; a line end and gap - LINE spaces */

enum { NO_GAP = 0x1f, GAP_SHIFT = 4, TEXT_SHIFT = 9, PLACE_SHIFT = 14 };

struct local {
    enum phase phase;
    uint32_t gap;
    enum dyno_text_state text;
    uint32_t place;
};

static uint32_t pack(struct local local)
{
    return (uint32_t)local.phase | local.gap << GAP_SHIFT | (uint32_t)local.text << TEXT_SHIFT |
           local.place << PLACE_SHIFT;
}

static struct local unpack(uint32_t packed)
{
    return (struct local){(enum phase)(packed & 0xf), packed >> GAP_SHIFT & 0x1f,
                          (enum dyno_text_state)(packed >> TEXT_SHIFT & 0x1f),
                          packed >> PLACE_SHIFT};
}

/* More readings than there is room for are not followed: the first ones are. */
static void emit(struct dyno_readings *to, struct dyno_grammar_reading reading)
{
    for (uint32_t i = 0; i < to->count; i++) {
        const struct dyno_grammar_reading *other = &to->list[i];

        if (other->node == reading.node && other->local == reading.local &&
            other->data == reading.data && other->frame == reading.frame) {
            return;
        }
    }
    if (to->count < DYNO_GRAMMAR_READINGS_MAX) {
        to->list[to->count++] = reading;
    }
}

static void emit_at(struct dyno_readings *to, const struct dyno_grammar_reading *from,
                    struct local local)
{
    struct dyno_grammar_reading reading = *from;

    reading.local = pack(local);
    emit(to, reading);
}

static uint32_t depth_of(const struct dyno_machine *machine, uint32_t frame)
{
    return frame == DYNO_GRAMMAR_NONE ? 0 : machine->frames[frame].depth;
}

struct dyno_grammar_reading dyno_machine_around(struct dyno_machine *machine, uint32_t index)
{
    static const struct dyno_grammar_reading done = {.node = DYNO_NODE_DONE,
                                                     .frame = DYNO_GRAMMAR_NONE};
    const struct dyno_grammar_frame *frame;

    if (index == DYNO_GRAMMAR_NONE) {
        machine->lowest = 0;
        return done;
    }
    frame = &machine->frames[index];
    if (frame->depth < machine->lowest) {
        machine->lowest = frame->depth;
    }
    return (struct dyno_grammar_reading){frame->data, frame->node,
                                         pack((struct local){.phase = AFTER}), frame->below};
}

static bool fits(const struct dyno_machine *machine, uint32_t node, uint32_t depth)
{
    uint32_t height = machine->grammar->nodes[node].height;

    return height <= DYNO_GRAMMAR_DEPTH_MAX && depth + height <= DYNO_GRAMMAR_DEPTH_MAX;
}

static void follow_regular(struct dyno_machine *machine, struct dyno_grammar_reading reading,
                           uint32_t next, struct dyno_readings *to)
{
    const struct dyno_regular_state *state = &machine->grammar->regular.states[next];

    reading.local = next;
    emit(to, state->accepts && state->edge_count == 0 ? dyno_machine_around(machine, reading.frame)
                                                      : reading);
}

/* The first byte of a value that is no union. */
static void begin_one(struct dyno_machine *machine, uint32_t node, uint32_t frame, uint8_t byte,
                      struct dyno_readings *to)
{
    const struct dyno_node *value = &machine->grammar->nodes[node];
    struct dyno_grammar_reading reading = {.node = node, .frame = (uint16_t)frame};
    uint32_t next;

    if (!fits(machine, node, depth_of(machine, frame))) {
        return;
    }
    switch (value->kind) {
    case DYNO_NODE_STRING:
        if (byte == '"') {
            emit_at(to, &reading, (struct local){.text = DYNO_TEXT_BETWEEN});
        }
        return;
    case DYNO_NODE_REGULAR:
        next = dyno_regular_next(&machine->grammar->regular, value->start, byte);
        if (next != DYNO_REGULAR_EMPTY) {
            follow_regular(machine, reading, next, to);
        }
        return;
    case DYNO_NODE_ARRAY:
    case DYNO_NODE_OBJECT:
        if (byte == (value->kind == DYNO_NODE_ARRAY ? '[' : '{')) {
            emit_at(to, &reading, (struct local){.phase = OPEN});
        }
        return;
    case DYNO_NODE_UNION:
        return;
    }
}

static void begin_value(struct dyno_machine *machine, uint32_t node, uint32_t frame, uint8_t byte,
                        struct dyno_readings *to)
{
    const struct dyno_node *value = &machine->grammar->nodes[node];

    if (value->kind != DYNO_NODE_UNION) {
        begin_one(machine, node, frame, byte, to);
        return;
    }
    for (uint32_t i = 0; i < value->member_count; i++) {
        begin_one(machine, machine->grammar->members[value->member_begin + i], frame, byte, to);
    }
}

/* The first byte of a value inside the reading's node, which will have `data` behind it. */
static void begin_inside(struct dyno_machine *machine, const struct dyno_grammar_reading *reading,
                         uint64_t data, uint32_t node, uint8_t byte, struct dyno_readings *to)
{
    uint32_t index = machine->frame_count, count = to->count;
    uint32_t depth = depth_of(machine, reading->frame) + 1;

    if (depth > DYNO_GRAMMAR_DEPTH_MAX) {
        return;
    }
    machine->frames[machine->frame_count++] =
        (struct dyno_grammar_frame){data, reading->node, reading->frame, (uint16_t)depth};
    begin_value(machine, node, index, byte, to);
    if (to->count == count) {
        machine->frame_count--;
    }
}

/* More white space, if `byte` is some: the gap behind it, or NO_GAP. */
static uint32_t gap_behind(uint32_t gap, uint8_t byte)
{
    if (gap == 0) {
        return byte == ' ' ? BLANK : byte == '\n' ? LINE : NO_GAP;
    }
    return byte == ' ' && gap >= LINE && gap < LINE + DYNO_GRAMMAR_INDENT_MAX ? gap + 1 : NO_GAP;
}

/* White space in the phase where the reading is; false: the byte is none. */
static bool step_gap(const struct dyno_grammar_reading *reading, struct local local, uint8_t byte,
                     struct dyno_readings *to)
{
    local.gap = gap_behind(local.gap, byte);
    if (local.gap == NO_GAP) {
        return false;
    }
    emit_at(to, reading, local);
    return true;
}

static void step_string(struct dyno_machine *machine, const struct dyno_grammar_reading *from,
                        uint8_t byte, struct dyno_readings *to)
{
    const struct dyno_node *node = &machine->grammar->nodes[from->node];
    struct dyno_grammar_reading reading = *from;
    enum dyno_text_state text = unpack(from->local).text;
    bool first = text == DYNO_TEXT_BETWEEN;

    text = dyno_text_next(text, byte, false);
    if (text == DYNO_TEXT_END) {
        if (reading.data >= node->min) {
            emit(to, dyno_machine_around(machine, reading.frame));
        }
        return;
    }
    if (text == DYNO_TEXT_BAD || (first && reading.data == node->max)) {
        return;
    }
    if (text == DYNO_TEXT_BETWEEN && (node->max != UINT32_MAX || reading.data < node->min)) {
        reading.data++;
    }
    emit_at(to, &reading, (struct local){.text = text});
}

static uint32_t item_at(const struct dyno_grammar *grammar, const struct dyno_node *array,
                        uint64_t count)
{
    return count < array->member_count ? grammar->members[array->member_begin + count]
                                       : array->rest;
}

/* Items are counted as far as it matters. */
static uint64_t count_behind(const struct dyno_node *array, uint64_t count)
{
    uint64_t enough = array->min > array->member_count ? array->min : array->member_count;

    return array->max != UINT32_MAX || count < enough ? count + 1 : count;
}

static void step_array(struct dyno_machine *machine, const struct dyno_grammar_reading *reading,
                       uint8_t byte, struct dyno_readings *to)
{
    const struct dyno_node *array = &machine->grammar->nodes[reading->node];
    struct local local = unpack(reading->local);
    bool enough = reading->data >= array->min, more = reading->data < array->max;
    uint32_t item = more ? item_at(machine->grammar, array, reading->data) : 0;

    more = more && fits(machine, item, depth_of(machine, reading->frame) + 1);
    if (local.phase == AFTER && byte == ',') {
        if (more) {
            emit_at(to, reading, (struct local){.phase = COMMA});
        }
        return;
    }
    if (byte == ']') {
        if (local.phase != COMMA && enough) {
            emit(to, dyno_machine_around(machine, reading->frame));
        }
        return;
    }
    if (local.phase == AFTER || local.phase == CLOSE) {
        local.phase = CLOSE;
        if (enough) {
            (void)step_gap(reading, local, byte, to);
        }
        return;
    }
    if (!more && !enough) {
        return;
    }
    if (!step_gap(reading, local, byte, to) && more) {
        begin_inside(machine, reading, count_behind(array, reading->data), item, byte, to);
    }
}

/* Which properties may come next: those that were not there, or when in order, those behind the
 * last up to the next that is required; and whose value fits. */
static uint64_t candidates_of(const struct dyno_machine *machine, const struct dyno_node *object,
                              const struct dyno_grammar_reading *reading)
{
    uint32_t depth = depth_of(machine, reading->frame) + 1;
    uint64_t left = ~reading->data & object->possible;
    uint64_t due = object->required & ~reading->data;

    if (object->ordered && due) {
        left &= due ^ (due - 1); /* the lowest that is due, and those below it */
    }
    if (object->tallest + depth <= DYNO_GRAMMAR_DEPTH_MAX) {
        return left;
    }
    for (uint32_t i = 0; i < object->member_count; i++) {
        if (!fits(machine, machine->grammar->members[object->member_begin + i], depth)) {
            left &= ~(1ULL << i);
        }
    }
    return left;
}

static bool has_others(const struct dyno_machine *machine, const struct dyno_node *object,
                       const struct dyno_grammar_reading *reading)
{
    return object->rest != DYNO_NODE_NONE &&
           fits(machine, object->rest, depth_of(machine, reading->frame) + 1);
}

static uint32_t child_of(const struct dyno_grammar *grammar, uint32_t place, uint8_t byte)
{
    uint32_t child = place ? grammar->names[place].child : 0;

    while (child && grammar->names[child].byte != byte) {
        child = grammar->names[child].sibling;
    }
    return child;
}

static void end_name(const struct dyno_machine *machine, const struct dyno_grammar_reading *reading,
                     uint32_t place, struct dyno_readings *to)
{
    const struct dyno_node *object = &machine->grammar->nodes[reading->node];
    uint32_t property = place ? machine->grammar->names[place].property : DYNO_NO_PROPERTY;
    struct local local = {.phase = COLON};

    if (property != DYNO_NO_PROPERTY) {
        local.place = property + 1;
        if (candidates_of(machine, object, reading) >> property & 1) {
            emit_at(to, reading, local);
        }
    } else if (has_others(machine, object, reading)) {
        emit_at(to, reading, local);
    }
}

static void step_name(const struct dyno_machine *machine,
                      const struct dyno_grammar_reading *reading, struct local local, uint8_t byte,
                      struct dyno_readings *to)
{
    const struct dyno_node *object = &machine->grammar->nodes[reading->node];
    const struct dyno_name *names = machine->grammar->names;
    uint32_t child = child_of(machine->grammar, local.place, byte);

    local.text = dyno_text_next(local.text, byte, true);
    if (local.text == DYNO_TEXT_END) {
        end_name(machine, reading, local.place, to);
        return;
    }
    if (local.text == DYNO_TEXT_BAD) {
        return;
    }
    local.place = child;
    if ((child && (names[child].below & candidates_of(machine, object, reading))) ||
        has_others(machine, object, reading)) {
        emit_at(to, reading, local);
    }
}

static uint64_t properties_behind(const struct dyno_node *object, uint64_t seen, uint32_t place)
{
    if (place == 0) {
        return seen;
    }
    return seen | (object->ordered ? (2ULL << (place - 1)) - 1 : 1ULL << (place - 1));
}

static void step_object_value(struct dyno_machine *machine,
                              const struct dyno_grammar_reading *reading, struct local local,
                              uint8_t byte, struct dyno_readings *to)
{
    const struct dyno_node *object = &machine->grammar->nodes[reading->node];
    uint32_t value = local.place ? machine->grammar->members[object->member_begin + local.place - 1]
                                 : object->rest;

    if (byte == ' ') {
        if (local.gap == 0) {
            local.gap = BLANK;
            emit_at(to, reading, local);
        }
        return;
    }
    begin_inside(machine, reading, properties_behind(object, reading->data, local.place), value,
                 byte, to);
}

/* In the phases OPEN, COMMA, AFTER and CLOSE. */
static void step_members(struct dyno_machine *machine, const struct dyno_grammar_reading *reading,
                         struct local local, uint8_t byte, struct dyno_readings *to)
{
    const struct dyno_node *object = &machine->grammar->nodes[reading->node];
    bool complete = (object->required & ~reading->data) == 0;
    bool more = candidates_of(machine, object, reading) || has_others(machine, object, reading);

    if (byte == '}') {
        if (local.phase != COMMA && complete) {
            emit(to, dyno_machine_around(machine, reading->frame));
        }
    } else if (byte == ',') {
        if (local.phase == AFTER && more) {
            emit_at(to, reading, (struct local){.phase = COMMA});
        }
    } else if (byte == '"') {
        if ((local.phase == OPEN || local.phase == COMMA) && more) {
            emit_at(to, reading, (struct local){.phase = NAME, .place = object->start});
        }
    } else {
        local.phase = local.phase == AFTER ? CLOSE : local.phase;
        if (local.phase != CLOSE || complete) {
            (void)step_gap(reading, local, byte, to);
        }
    }
}

static void step_object(struct dyno_machine *machine, const struct dyno_grammar_reading *reading,
                        uint8_t byte, struct dyno_readings *to)
{
    struct local local = unpack(reading->local);

    switch (local.phase) {
    case NAME:
        step_name(machine, reading, local, byte, to);
        return;
    case COLON:
        if (byte == ':') {
            local.phase = VALUE;
            emit_at(to, reading, local);
        }
        return;
    case VALUE:
        step_object_value(machine, reading, local, byte, to);
        return;
    default:
        step_members(machine, reading, local, byte, to);
    }
}

static void step_around(struct dyno_machine *machine, const struct dyno_grammar_reading *reading,
                        uint8_t byte, struct dyno_readings *to)
{
    if (reading->node == DYNO_NODE_DONE) {
        return;
    }
    if (machine->grammar->nodes[reading->node].kind == DYNO_NODE_ARRAY) {
        step_array(machine, reading, byte, to);
    } else {
        step_object(machine, reading, byte, to);
    }
}

/* A set that has come to an end may go on, or the byte is for what is around it. */
static void step_regular(struct dyno_machine *machine, const struct dyno_grammar_reading *reading,
                         uint8_t byte, struct dyno_readings *to)
{
    uint32_t next = dyno_regular_next(&machine->grammar->regular, reading->local, byte);

    if (next != DYNO_REGULAR_EMPTY) {
        follow_regular(machine, *reading, next, to);
    }
    if (machine->grammar->regular.states[reading->local].accepts) {
        struct dyno_grammar_reading outer = dyno_machine_around(machine, reading->frame);

        step_around(machine, &outer, byte, to);
    }
}

static void step_begin(struct dyno_machine *machine, const struct dyno_grammar_reading *reading,
                       uint8_t byte, struct dyno_readings *to)
{
    struct local local = unpack(reading->local);

    if (byte == ' ' && local.gap == 0) {
        emit_at(to, reading, (struct local){.gap = BLANK});
    } else {
        begin_value(machine, machine->grammar->root, DYNO_GRAMMAR_NONE, byte, to);
    }
}

static void step_one(struct dyno_machine *machine, const struct dyno_grammar_reading *reading,
                     uint8_t byte, struct dyno_readings *to)
{
    if (reading->node == DYNO_NODE_DONE) {
        return;
    }
    if (reading->node == DYNO_NODE_BEGIN) {
        step_begin(machine, reading, byte, to);
        return;
    }
    switch (machine->grammar->nodes[reading->node].kind) {
    case DYNO_NODE_STRING:
        step_string(machine, reading, byte, to);
        return;
    case DYNO_NODE_REGULAR:
        step_regular(machine, reading, byte, to);
        return;
    default:
        step_around(machine, reading, byte, to);
    }
}

void dyno_machine_step(struct dyno_machine *machine, const struct dyno_grammar_reading *from,
                       uint32_t count, uint8_t byte, struct dyno_readings *to)
{
    to->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        step_one(machine, &from[i], byte, to);
    }
}

enum dyno_text_state dyno_machine_text(const struct dyno_grammar_reading *reading)
{
    return unpack(reading->local).text;
}

bool dyno_machine_free_name(const struct dyno_machine *machine,
                            const struct dyno_grammar_reading *reading,
                            struct dyno_grammar_reading *behind)
{
    const struct dyno_grammar *grammar = machine->grammar;
    struct local local = unpack(reading->local);
    const struct dyno_name *name;

    if (reading->node >= grammar->node_count ||
        grammar->nodes[reading->node].kind != DYNO_NODE_OBJECT || local.phase != NAME ||
        local.text != DYNO_TEXT_BETWEEN ||
        !has_others(machine, &grammar->nodes[reading->node], reading)) {
        return false;
    }
    name = local.place > 0 ? &grammar->names[local.place] : NULL; /* there may be no names */
    if (name && (name->child || name->property != DYNO_NO_PROPERTY)) {
        return false;
    }
    *behind = *reading;
    behind->local = pack((struct local){.phase = COLON});
    return true;
}

/* Far from a bound, any count stands for all: as far below a minimum as tokens reach, or beyond the
 * minimum and as far below the maximum. */
uint64_t dyno_machine_count(const struct dyno_grammar *grammar, uint32_t node, uint64_t data,
                            uint32_t reach)
{
    const struct dyno_node *value;
    uint64_t first, enough;

    if (node >= grammar->node_count) {
        return data;
    }
    value = &grammar->nodes[node];
    if (value->kind != DYNO_NODE_STRING && value->kind != DYNO_NODE_ARRAY) {
        return data;
    }
    first = value->kind == DYNO_NODE_ARRAY ? value->member_count : 0;
    enough = value->min > first ? value->min : first;
    if (data >= enough && (value->max == UINT32_MAX || data + reach < value->max)) {
        return enough;
    }
    return data >= first && data + reach < enough ? first : data;
}
