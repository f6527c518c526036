#include "backends/door/filler_text.h"

#include "core/base/map.h"

struct dyno_text_piece dyno_filler_text(uint64_t id, uint32_t index)
{
    static const struct dyno_text_piece words[] = {
        {" the", 4},         {" engine", 7}, {" runs", 5},     {" on", 3},    {" rollers", 8},
        {" while", 6},       {" nobody", 7}, {" drives", 7},   {" it", 3},    {" anywhere", 9},
        {" and", 4},         {" every", 6},  {" turn", 5},     {" of", 3},    {" its", 4},
        {" wheels", 7},      {" is", 3},     {" counted", 8},  {" with", 5},  {" care", 5},
        {" until", 6},       {" a", 2},      {" number", 7},   {" tells", 6}, {" us", 3},
        {" what", 5},        {" was", 4},    {" measured", 9}, {" here", 5},  {" today", 6},
        {" in earnest", 11}, {".", 1},
    };
    enum { WORDS = sizeof words / sizeof words[0] };
    struct dyno_text_piece piece = words[dyno_chain(id, index) % WORDS];

    if (index == 0) { /* no blank, and no full stop, at the beginning */
        piece = words[dyno_chain(id, index) % (WORDS - 1)];
        piece.bytes++;
        piece.size--;
    }
    return piece;
}
