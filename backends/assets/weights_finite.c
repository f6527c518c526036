/* One pass over all weights: nothing in them may be infinite or not a number, or every answer
 * would be.  It also brings the files into memory before the first request waits for them. */
#include <inttypes.h>
#include <string.h>

#include "backends/assets/weights_parts.h"
#include "core/base/words.h"

enum { STRETCH = 4096 }; /* elements looked at before it is asked whether one was bad */

/* The exponent is all ones in what is not finite. */
static bool bad32(const uint8_t *data, size_t count)
{
    uint32_t worst = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, data + i * sizeof(bits), sizeof(bits));
        bits &= 0x7f800000U;
        worst = bits > worst ? bits : worst;
    }
    return worst == 0x7f800000U;
}

static bool bad16(const uint8_t *data, size_t count, uint16_t exponent)
{
    uint16_t worst = 0;

    for (size_t i = 0; i < count; i++) {
        uint16_t bits;

        memcpy(&bits, data + i * sizeof(bits), sizeof(bits));
        bits &= exponent;
        worst = bits > worst ? bits : worst;
    }
    return worst == exponent;
}

/* Of Q8_0 blocks, whose integers are always finite, the scales. */
static bool bad_scales(const uint8_t *data, size_t count)
{
    bool bad = false;

    for (size_t i = 0; i < count; i++) {
        uint16_t bits;

        memcpy(&bits, data + i * DYNO_Q8_0_BYTES, sizeof(bits));
        bad |= (bits & 0x7c00U) == 0x7c00U;
    }
    return bad;
}

static bool is_bad(enum dyno_element element, const uint8_t *data, size_t count)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        return bad32(data, count);
    case DYNO_ELEMENT_F16:
        return bad16(data, count, 0x7c00U);
    case DYNO_ELEMENT_BF16:
        return bad16(data, count, 0x7f80U);
    case DYNO_ELEMENT_Q8_0:
        return bad_scales(data, count);
    case DYNO_ELEMENTS:
        break;
    }
    return false;
}

static dyno_status refuse(const struct dyno_tensor *tensor, uint64_t element,
                          struct dyno_error *error)
{
    char path[DYNO_QUOTE_MAX], name[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s: element %" PRIu64
                     " of tensor %s is infinite or not a number; weights must be finite",
                     dyno_quote(path, tensor->file->path), element, dyno_quote(name, tensor->name));
}

static dyno_status check_tensor(const struct dyno_tensor *tensor, struct dyno_error *error)
{
    bool blocks = tensor->element == DYNO_ELEMENT_Q8_0;
    size_t unit = blocks ? DYNO_Q8_0_BYTES : dyno_row_bytes(tensor->element, 1);
    uint64_t count = unit ? tensor->bytes / unit : 0;

    for (uint64_t at = 0; at < count; at += STRETCH) {
        size_t stretch = count - at < STRETCH ? (size_t)(count - at) : STRETCH;

        if (!is_bad(tensor->element, tensor->data + at * unit, stretch)) {
            continue;
        }
        while (!is_bad(tensor->element, tensor->data + at * unit, 1)) {
            at++;
        }
        return refuse(tensor, blocks ? at * DYNO_Q8_0_ELEMENTS : at, error);
    }
    return DYNO_OK;
}

dyno_status dyno_weights_check_finite(const struct dyno_opening *opening, struct dyno_error *error)
{
    for (size_t i = 0; i < opening->tensors.count; i++) {
        if (opening->tensors.items[i].used) {
            DYNO_TRY(check_tensor(&opening->tensors.items[i], error));
        }
    }
    return DYNO_OK;
}
