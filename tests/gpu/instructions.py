#!/usr/bin/env python3
"""Counts the instructions of every kernel of a .cu file, and of its loops, as ptxas makes them.

usage: [NVCC=nvcc] tests/gpu/instructions.py FILE.cu [ARCHITECTURE] [PART-OF-A-NAME]

A line a kernel: its instructions; then a line a loop: the place of its first and last, how many
there are from one to the other, whichever way they go, and which opcodes most often.  For those
who have no disassembler: from Volta to Blackwell an instruction is 16 bytes, of which the lower 12
bits are the opcode, and a branch that goes back closes a loop.  Names are those of the few opcodes
that matter here, others are numbers.  Ends with 77, "skipped", where there is no nvcc.
"""
import collections
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

BRANCH = 0x947
# The lower 9 bits; those above tell where operands come from.
NAMES = {0x002: "MOV", 0x007: "SEL", 0x009: "FMNMX", 0x00B: "FSETP", 0x00C: "ISETP",
         0x010: "IADD3", 0x011: "LEA", 0x012: "LOP3", 0x016: "PRMT", 0x019: "SHF", 0x020: "FMUL",
         0x021: "FADD", 0x023: "FFMA", 0x024: "IMAD", 0x025: "IMAD.WIDE", 0x027: "IMAD.HI",
         0x028: "DMUL", 0x029: "DADD", 0x02B: "DFMA", 0x030: "HADD2", 0x031: "HFMA2",
         0x03B: "LDSM", 0x03C: "HMMA", 0x03E: "F2FP", 0x104: "F2F", 0x106: "I2F", 0x108: "MUFU",
         0x110: "F2F.64", 0x11D: "BAR", 0x147: "BRA", 0x181: "LDG", 0x184: "LDS", 0x186: "STG",
         0x188: "STS", 0x189: "SHFL", 0x18C: "ATOMS", 0x1AE: "LDGSTS"}


def sections(cubin):
    """Yields (name, bytes) of an ELF file of 64 bits."""
    begin, = struct.unpack_from("<Q", cubin, 0x28)
    size, count, names = struct.unpack_from("<HHH", cubin, 0x3A)
    table = [struct.unpack_from("<IIQQQQ", cubin, begin + i * size) for i in range(count)]
    for entry in table:
        at = table[names][4] + entry[0]
        yield cubin[at:cubin.index(b"\0", at)].decode(), cubin[entry[4]:entry[4] + entry[5]]


def target_of(index, low, high):
    """Where a branch goes: its distance is 8 bits, then 48 more of the two words together."""
    far = (low >> 34 | high << 30) & ((1 << 48) - 1)
    far -= (far >> 47) << 48
    return index + 1 + ((far << 8 | low >> 16 & 0xFF) >> 2)


def often(code):
    names = collections.Counter(NAMES.get(low & 0x1FF, f"{low & 0xFFF:03x}") for low, _ in code)
    return ", ".join(f"{name} {count}" for name, count in names.most_common(8))


def tell(name, text):
    code = list(struct.iter_unpack("<QQ", text))
    end = max(i for i, (low, _) in enumerate(code) if low & 0xFFF == BRANCH)  # what stops a runaway
    print(f"{name}: {end}")
    for i, (low, high) in enumerate(code[:end]):
        first = target_of(i, low, high)
        if low & 0xFFF == BRANCH and first <= i:
            print(f"    loop {first} to {i}: {i + 1 - first} ({often(code[first:i + 1])})")


def short(name):
    shown = subprocess.run(["c++filt", name], capture_output=True, text=True, check=True).stdout
    shown = re.sub(r"\(anonymous namespace\)::|dyno::|^void|\(unsigned int\)|\(bool\)| ", "",
                   shown)
    return shown.split("(")[0].strip()


def main():
    nvcc = os.environ.get("NVCC", "nvcc")
    if len(sys.argv) < 2:
        sys.exit("usage: tests/gpu/instructions.py FILE.cu [ARCHITECTURE] [PART-OF-A-NAME]")
    if not shutil.which(nvcc):
        print("skipped: nvcc is not installed")
        sys.exit(77)
    architecture = sys.argv[2] if len(sys.argv) > 2 else "90a"
    part = sys.argv[3] if len(sys.argv) > 3 else ""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as made:
        subprocess.run([nvcc, "-std=c++17", "-I.", "-cubin", "-o", made.name, sys.argv[1],
                        f"-gencode=arch=compute_{architecture},code=sm_{architecture}"],
                       check=True)
        for name, text in sections(made.read()):
            if name.startswith(".text.") and part in short(name[6:]):
                tell(short(name[6:]), text)


main()
