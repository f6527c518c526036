#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy says which checks) over every .c that a build compiles.
#
# usage: DYNO_BUILD=build/release tests/tidy.sh [--all | --note] [PATTERN]
#
# What was found clean once need not be read again: tests/tidy.seen holds a digest of each such
# file with the headers of the tree that it includes, the rules and the tool's version.  A plain
# run reads the files that are not in it, and one in 64 of those that are, others for every commit,
# so that a digest that lies does not lie for long.  --all reads every file;
# --note does so too, and writes down what is clean.
#
# Ends with 77, "skipped", where clang-tidy is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${DYNO_BUILD:-build/release}
seen=tests/tidy.seen
mode=some
case ${1:-} in
--all | --note)
    mode=${1#--}
    shift
    ;;
esac
pattern=${1:-.}

if ! command -v clang-tidy >/dev/null; then
    echo "skipped: clang-tidy is not installed"
    exit 77
fi

# The files of the tree that $1 is compiled of, itself first.
parts() {
    gcc -std=gnu11 -I. -I"$build/generated" -MM -MG "$1" | tr -s ' \\\n' '\n' | tail -n +2 |
        while read -r part; do [[ -f $part ]] && echo "$part"; done
}

# "DIGEST FILE" of each argument.
digests() {
    local file

    for file; do
        parts "$file" | xargs sha256sum | cat - <(echo "$rules") | sha256sum |
            sed "s|-\$|$file|"
    done
}

rules=$(clang-tidy --version | grep -i version | sha256sum - .clang-tidy)
export -f parts digests
export build rules

# Tests are left to cppcheck and the compilers: Check's macros trip the analyzer at every assertion;
# and what is no C, to nvcc.
mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
    grep '\.c$' | grep -v "^$PWD/tests/" | grep -e "$pattern" | sed "s|^$PWD/||" | sort -u)
touch -a "$seen"
now=$(printf '%s\0' "${files[@]}" | xargs -0 -n 20 -P "$(nproc)" bash -c 'digests "$@"' digests)
commit=$(git rev-parse HEAD 2>/dev/null || echo 00)
quarters=(0-3 4-7 89ab c-f)
mapfile -t due < <(
    if [[ $mode == some ]]; then
        grep -vxFf "$seen" <<<"$now" || true
        grep -xFf "$seen" <<<"$now" |
            grep "^${commit:0:1}[${quarters[$((16#${commit:1:1} / 4))]}]" || true
    else
        echo "$now"
    fi | awk '{ print $2 }'
)
echo "clang-tidy over ${#due[@]} of ${#files[@]} files"
if ((${#due[@]} > 0)); then
    printf '%s\0' "${due[@]}" |
        xargs -0 -n 4 -P "$(nproc)" clang-tidy --quiet -p "$build" 2>/dev/null
fi
if [[ $mode == note ]]; then
    { grep -v -e "$pattern" "$seen" || true; echo "$now"; } | LC_ALL=C sort -k 2 -u >"$seen.new"
    mv "$seen.new" "$seen"
fi
echo "clang-tidy has no complaint."
