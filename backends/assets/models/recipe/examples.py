"""What the model is shown: chapters as text, and conversations made of the novels' dialogue."""

import re

import numpy

HELD_OUT = 20  # every 20th chapter is kept for measuring
NARRATED_TURNS = 0.15


def speech(paragraph):
    """What is said in a paragraph of dialogue, without who says it; "" where nothing is."""
    said = " ".join(re.findall(r'"([^"]+)"?', paragraph)).strip()
    return re.sub(r"[,;:\-]+$", ".", said)


def conversations(chapter):
    """Runs of paragraphs that begin with speech: each is a talk between two."""
    run = []
    for paragraph in chapter + [""]:
        said = speech(paragraph) if paragraph.startswith('"') else ""
        if said:
            run.append(said)
        elif run:
            yield run
            run = []


class Examples:
    def __init__(self, novels, tokenizer):
        self.tokenizer = tokenizer
        self.chapters, self.held_out = [], []
        for novel in novels:
            for number, chapter in enumerate(novel["chapters"]):
                place = self.held_out if number % HELD_OUT == HELD_OUT - 1 else self.chapters
                place.append((novel["title"], chapter))

    def text(self, chapter):
        return [self.tokenizer.special["<|endoftext|>"],
                *self.tokenizer.encode("\n".join(chapter))]

    def turn(self, role, text):
        special = self.tokenizer.special
        return [special[f"<|{role}|>"], *self.tokenizer.encode(text), special["<|end|>"]]

    def talk(self, title, turns, dice):
        """A conversation; some begin with a word on whose world it is."""
        ids = [self.tokenizer.special["<|endoftext|>"]]
        if dice.random() < 0.2:
            ids += self.turn("system", f"You are in {title}, by Jane Austen.")
        for number, text in enumerate(turns):
            ids += self.turn("assistant" if number % 2 else "user", text)
        return ids

    def talks(self, title, chapter, dice):
        for run in conversations(chapter):
            first = int(dice.integers(2))  # either of the two may be the one who asks
            while first + 1 < len(run):
                count = int(dice.integers(2, 9))
                turns = run[first:first + count]
                yield self.talk(title, turns[:len(turns) // 2 * 2], dice)
                first += count
        for text, answer in zip(chapter, chapter[1:]):
            if dice.random() < NARRATED_TURNS and len(text) < 600 and not text.startswith('"'):
                yield self.talk(title, [text, answer], dice)

    def rows(self, context, dice):
        """One pass over everything, in another order each time: [rows][context + 1] tokens."""
        parts = [self.text(chapter) for _, chapter in self.chapters]
        for title, chapter in self.chapters:
            parts.extend(self.talks(title, chapter, dice))
        dice.shuffle(parts)
        stream = numpy.concatenate([numpy.array(part, dtype=numpy.int64) for part in parts])
        stream = stream[int(dice.integers(context)):]
        count = (len(stream) - 1) // context
        rows = numpy.lib.stride_tricks.sliding_window_view(stream, context + 1)
        return rows[:count * context:context][dice.permutation(count)]

    def held_out_rows(self, context):
        ids = [token for _, chapter in self.held_out for token in self.text(chapter)]
        count = (len(ids) - 1) // context
        return numpy.array([ids[i * context:(i + 1) * context + 1] for i in range(count)])
