#!/usr/bin/env python3
"""Reads Jane Austen's novels out of Debian's r-cran-janeaustenr and writes them as JSON.

    corpus.py DIRECTORY-OF-THE-UNPACKED-PACKAGE > corpus.json

The package keeps each novel as a vector of lines in R's own form (a .rdb file: for each object four
bytes of length and a zlib stream of R's serialization), which is simple enough to be read here, so
that nobody needs R.  The result is {"novels": [{"title": ..., "chapters": [[paragraph, ...]]}]}.
"""

import json
import re
import struct
import sys
import zlib

TITLES = ["Emma", "Mansfield Park", "Northanger Abbey", "Persuasion", "Pride and Prejudice",
          "Sense and Sensibility"]
DATA = "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"


def r_strings(blob):
    """The strings of one serialized character vector (format 2 or 3, XDR)."""
    if blob[:2] != b"X\n":
        raise ValueError("not R's XDR serialization")
    version, = struct.unpack_from(">i", blob, 2)
    at = 14
    if version == 3:
        at += 4 + struct.unpack_from(">i", blob, at)[0]
    flags, count = struct.unpack_from(">ii", blob, at)
    if flags & 255 != 16:
        raise ValueError("not a character vector")
    at += 8
    lines = []
    for _ in range(count):
        size, = struct.unpack_from(">i", blob, at + 4)
        at += 8
        lines.append(blob[at:at + size].decode("utf-8"))
        at += size
    return lines


def r_database(data):
    """Every object of an .rdb file, in the order in which they lie."""
    at = 0
    while at < len(data):
        stream = zlib.decompressobj()
        blob = stream.decompress(data[at + 4:]) + stream.flush()
        at = len(data) - len(stream.unused_data)
        yield blob


def plain(text):
    """One paragraph in plain ASCII, without the underscores that stand for italics."""
    text = re.sub(r"\s+", " ", text.replace("_", "")).strip()
    for old, new in (("\u201c", '"'), ("\u201d", '"'), ("\u2018", "'"), ("\u2019", "'"),
                     ("\u2014", "--"), ("\u00e9", "e"), ("\u00e0", "a"), ("\u00e8", "e"),
                     ("\u00ea", "e"), ("\u00e7", "c"), ("\u00f4", "o"), ("\u00e2", "a"),
                     ("\u00ee", "i"), ("\u00ef", "i"), ("\u00a3", "L")):
        text = text.replace(old, new)
    return text


HEADING = re.compile(r"^\s*(chapter|volume|letter)\s+[ivxlc0-9]+\.?\s*$", re.IGNORECASE)
NOT_THE_NOVEL = re.compile(r"^[\[*]|The Signet Classic text")  # notes of later editors


def chapters(lines):
    """The paragraphs of each chapter; what stands before the first heading is left out."""
    found, paragraph = [], []

    def end_paragraph():
        text = plain(" ".join(paragraph))
        paragraph.clear()
        if found and any(c.islower() for c in text) and not NOT_THE_NOVEL.search(text):
            found[-1].append(text)

    for line in lines:
        if HEADING.match(line):
            end_paragraph()
            found.append([])
        elif line.strip() in ("", "FINIS", "THE END", "Finis"):
            end_paragraph()
        else:
            paragraph.append(line)
    end_paragraph()
    return [chapter for chapter in found if chapter]


def main():
    with open(sys.argv[1] + "/" + DATA, "rb") as file:
        objects = [r_strings(blob) for blob in r_database(file.read())]
    if len(objects) != len(TITLES):
        sys.exit(f"{len(objects)} novels, not {len(TITLES)}: another version of the package?")
    novels = [{"title": title, "chapters": chapters(lines)}
              for title, lines in zip(TITLES, objects)]
    json.dump({"novels": novels}, sys.stdout)


main()
