/* Where in a JSON string a text is: between characters, inside one, inside an escape. */
#ifndef DYNO_BACKENDS_GRAMMAR_TEXT_STATE_H
#define DYNO_BACKENDS_GRAMMAR_TEXT_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum dyno_text_state {
    DYNO_TEXT_BETWEEN, /* characters */
    DYNO_TEXT_LAST,    /* byte of a character of UTF-8 */
    DYNO_TEXT_LAST2,   /* two bytes */
    DYNO_TEXT_LAST3,
    DYNO_TEXT_AFTER_E0, /* whose next byte is limited: no longer spelling than needed, ... */
    DYNO_TEXT_AFTER_ED, /* ... no surrogate, ... */
    DYNO_TEXT_AFTER_F0,
    DYNO_TEXT_AFTER_F4, /* ... nothing above U+10FFFF */
    DYNO_TEXT_ESCAPE,   /* behind a '\' */
    DYNO_TEXT_HEX1,     /* behind \u; four digits follow */
    DYNO_TEXT_HEX2,
    DYNO_TEXT_HEX3,
    DYNO_TEXT_HEX4,
    DYNO_TEXT_SURROGATE, /* behind \uD */
    DYNO_TEXT_HIGH3,     /* the first half of a pair: two digits follow, then ... */
    DYNO_TEXT_HIGH4,
    DYNO_TEXT_PAIR_ESCAPE, /* ... the '\' of the other half */
    DYNO_TEXT_PAIR_U,
    DYNO_TEXT_PAIR_D,
    DYNO_TEXT_PAIR2,
    DYNO_TEXT_END, /* behind the '"' */
    DYNO_TEXT_BAD,
};

/* `plain`: without \u and \/. */
enum dyno_text_state dyno_text_next(enum dyno_text_state state, uint8_t byte, bool plain);

#endif
