#include "backends/door/filler_text.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/map.h"

static const struct dyno_text_piece all[] = {
    {" the", 4},         {" engine", 7}, {" runs", 5},     {" on", 3},    {" rollers", 8},
    {" while", 6},       {" nobody", 7}, {" drives", 7},   {" it", 3},    {" anywhere", 9},
    {" and", 4},         {" every", 6},  {" turn", 5},     {" of", 3},    {" its", 4},
    {" wheels", 7},      {" is", 3},     {" counted", 8},  {" with", 5},  {" care", 5},
    {" until", 6},       {" a", 2},      {" number", 7},   {" tells", 6}, {" us", 3},
    {" what", 5},        {" was", 4},    {" measured", 9}, {" here", 5},  {" today", 6},
    {" in earnest", 11}, {".", 1},
};
enum { WORDS = sizeof all / sizeof all[0], FULL_STOP = WORDS - 1 };
static_assert(WORDS == 32, "a bit each");

uint32_t dyno_filler_words(const char *const *stops, uint32_t count)
{
    uint32_t words = UINT32_MAX;

    for (uint32_t i = 0; i < count; i++) {
        char last = stops[i][strlen(stops[i]) - 1];

        for (uint32_t word = 0; word < WORDS; word++) {
            if (memchr(all[word].bytes, last, all[word].size)) {
                words &= ~(UINT32_C(1) << word);
            }
        }
    }
    return words;
}

/* The first of `words` from `word` on, around the table; there is one. */
static uint32_t next_of(uint32_t words, uint32_t word)
{
    while (!(words >> word & 1)) {
        word = (word + 1) % WORDS;
    }
    return word;
}

struct dyno_text_piece dyno_filler_text(uint32_t words, uint64_t id, uint32_t index)
{
    bool is_first = index == 0; /* no blank, and no full stop, at the beginning */
    struct dyno_text_piece piece;

    if (is_first) {
        words &= ~(UINT32_C(1) << FULL_STOP);
    }
    if (words == 0) {
        return (struct dyno_text_piece){.bytes = "", .size = 0};
    }
    piece = all[next_of(words, (uint32_t)(dyno_chain(id, index) % WORDS))];
    if (is_first) {
        piece.bytes++;
        piece.size--;
    }
    return piece;
}
