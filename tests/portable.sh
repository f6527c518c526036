#!/usr/bin/env bash
# A portable build needs glibc alone, beside what it asks the loader for if it is there.
#
# usage: tests/portable.sh [DYNO]
#
# With a program (preset portable): what it needs at its start, and that it runs without an
# environment.  Without one: only how one would be linked.
set -euo pipefail
cd "$(dirname "$0")/.."

allowed='lib(c|m|dl|rt|pthread)\.so\.[0-9]+|ld-linux-[a-z0-9_-]+\.so\.[0-9]+'

# The libraries that a program names for the loader.
needed() {
    readelf --dynamic "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

check_program() {
    local dyno=$1 others

    others=$(needed "$dyno" | grep -Evx "$allowed" || true)
    if [[ -n $others ]]; then
        printf '%s needs more than glibc:\n%s\n' "$dyno" "$others"
        exit 1
    fi
    env -i "$dyno" version
    printf 'needs %s\n' "$(objdump -T "$dyno" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1)"
}

check_link_line() {
    local folder=$1 line shared

    cmake -S . -B "$folder" -G 'Unix Makefiles' -D CMAKE_BUILD_TYPE=Release -D DYNO_PORTABLE=ON \
        -D BUILD_TESTING=OFF >/dev/null
    line=$(cat "$folder/CMakeFiles/dyno.dir/link.txt")
    shared=$(tr ' ' '\n' <<<"$line" | grep -E '\.so$|^-l' | grep -Evx -- '-l(m|dl|rt)' || true)
    if [[ -n $shared || $line != *libsqlite3.a* || $line != *-static-libgcc* ]]; then
        printf 'a portable build would be linked so:\n%s\n' "$line"
        exit 1
    fi
}

if [[ $# -gt 0 ]]; then
    check_program "$(readlink -f "$1")"
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
check_link_line "$scratch"
