#include "backends/grammar/text_state.h"

static enum dyno_text_state within(uint8_t byte, uint8_t first, uint8_t last,
                                   enum dyno_text_state next)
{
    return byte >= first && byte <= last ? next : DYNO_TEXT_BAD;
}

static bool is_hex(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

static enum dyno_text_state hex(uint8_t byte, enum dyno_text_state next)
{
    return is_hex(byte) ? next : DYNO_TEXT_BAD;
}

static enum dyno_text_state between(uint8_t byte)
{
    if (byte == '"') {
        return DYNO_TEXT_END;
    }
    if (byte == '\\') {
        return DYNO_TEXT_ESCAPE;
    }
    if (byte < 0x80) {
        return byte < ' ' ? DYNO_TEXT_BAD : DYNO_TEXT_BETWEEN;
    }
    if (byte < 0xc2 || byte > 0xf4) {
        return DYNO_TEXT_BAD;
    }
    switch (byte) {
    case 0xe0:
        return DYNO_TEXT_AFTER_E0;
    case 0xed:
        return DYNO_TEXT_AFTER_ED;
    case 0xf0:
        return DYNO_TEXT_AFTER_F0;
    case 0xf4:
        return DYNO_TEXT_AFTER_F4;
    default:
        return byte < 0xe0 ? DYNO_TEXT_LAST : byte < 0xf0 ? DYNO_TEXT_LAST2 : DYNO_TEXT_LAST3;
    }
}

static enum dyno_text_state escape(uint8_t byte, bool plain)
{
    switch (byte) {
    case '"':
    case '\\':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return DYNO_TEXT_BETWEEN;
    case '/':
        return plain ? DYNO_TEXT_BAD : DYNO_TEXT_BETWEEN;
    case 'u':
        return plain ? DYNO_TEXT_BAD : DYNO_TEXT_HEX1;
    default:
        return DYNO_TEXT_BAD;
    }
}

/* The digit behind \uD: 0 to 7 no surrogate, 8 to b the first half of a pair, c to f the second. */
static enum dyno_text_state surrogate(uint8_t byte)
{
    if (byte >= '0' && byte <= '7') {
        return DYNO_TEXT_HEX3;
    }
    return is_hex(byte) && (byte <= '9' || (byte | 0x20) <= 'b') ? DYNO_TEXT_HIGH3 : DYNO_TEXT_BAD;
}

static enum dyno_text_state escaped(enum dyno_text_state state, uint8_t byte)
{
    switch (state) {
    case DYNO_TEXT_HEX1:
        return (byte | 0x20) == 'd' ? DYNO_TEXT_SURROGATE : hex(byte, DYNO_TEXT_HEX2);
    case DYNO_TEXT_HEX2:
        return hex(byte, DYNO_TEXT_HEX3);
    case DYNO_TEXT_HEX3:
        return hex(byte, DYNO_TEXT_HEX4);
    case DYNO_TEXT_HEX4:
        return hex(byte, DYNO_TEXT_BETWEEN);
    case DYNO_TEXT_SURROGATE:
        return surrogate(byte);
    case DYNO_TEXT_HIGH3:
        return hex(byte, DYNO_TEXT_HIGH4);
    case DYNO_TEXT_HIGH4:
        return hex(byte, DYNO_TEXT_PAIR_ESCAPE);
    case DYNO_TEXT_PAIR_ESCAPE:
        return within(byte, '\\', '\\', DYNO_TEXT_PAIR_U);
    case DYNO_TEXT_PAIR_U:
        return within(byte, 'u', 'u', DYNO_TEXT_PAIR_D);
    case DYNO_TEXT_PAIR_D:
        return within(byte | 0x20, 'd', 'd', DYNO_TEXT_PAIR2);
    case DYNO_TEXT_PAIR2:
        return within(byte | 0x20, 'c', 'f', DYNO_TEXT_HEX3);
    default:
        return DYNO_TEXT_BAD;
    }
}

enum dyno_text_state dyno_text_next(enum dyno_text_state state, uint8_t byte, bool plain)
{
    switch (state) {
    case DYNO_TEXT_BETWEEN:
        return between(byte);
    case DYNO_TEXT_LAST:
        return within(byte, 0x80, 0xbf, DYNO_TEXT_BETWEEN);
    case DYNO_TEXT_LAST2:
        return within(byte, 0x80, 0xbf, DYNO_TEXT_LAST);
    case DYNO_TEXT_LAST3:
        return within(byte, 0x80, 0xbf, DYNO_TEXT_LAST2);
    case DYNO_TEXT_AFTER_E0:
        return within(byte, 0xa0, 0xbf, DYNO_TEXT_LAST);
    case DYNO_TEXT_AFTER_ED:
        return within(byte, 0x80, 0x9f, DYNO_TEXT_LAST);
    case DYNO_TEXT_AFTER_F0:
        return within(byte, 0x90, 0xbf, DYNO_TEXT_LAST2);
    case DYNO_TEXT_AFTER_F4:
        return within(byte, 0x80, 0x8f, DYNO_TEXT_LAST2);
    case DYNO_TEXT_ESCAPE:
        return escape(byte, plain);
    default:
        return escaped(state, byte);
    }
}
