#!/usr/bin/env bash
# Makes the model austen-2m anew from Debian's packages: text, tokenizer, training, export.
#
# usage: backends/assets/models/recipe/make.sh [WORK-FOLDER]
#
# Needs Debian 12 with the packages python3-torch and libopenblas0-pthread, and nothing else from
# outside; the text comes from the package r-cran-janeaustenr, which is unpacked, not installed.
# A step on short rows takes about 1.8 s of CPU time (EPYC, AVX2), shared by two processes.  The
# seed is fixed and the steps are counted, not timed; but the last bits of a sum depend on the
# processor and the BLAS, so that another machine's weights are not the same to the bit.
set -euo pipefail

steps=730 # of 4096 tokens
decay=130 # the last of them, on longer rows, while the rate falls to zero

recipe=$(dirname "$(readlink -f "$0")")
work=${1:-austen-work}
python=/usr/bin/python3 # Debian's own, which has Debian's torch
export OPENBLAS_NUM_THREADS=1

mkdir -p "$work"
cd "$work"
if [[ ! -d text ]]; then
    apt-get download r-cran-janeaustenr=1.0.0-1
    dpkg-deb -x r-cran-janeaustenr_1.0.0-1_all.deb text
fi
"$python" "$recipe/corpus.py" text >corpus.json
"$python" "$recipe/tokens.py" corpus.json tokenizer.json
"$python" "$recipe/train.py" corpus.json tokenizer.json checkpoint.pt \
    --steps "$steps" --decay "$decay"
"$python" "$recipe/sample.py" corpus.json tokenizer.json checkpoint.pt
"$python" "$recipe/export.py" checkpoint.pt tokenizer.json austen-2m
printf 'The model is in %s/austen-2m\n' "$PWD"
