#!/usr/bin/env bash
# What tests/seen.sh keeps of what a checker found, with a checker that minds the word BAD, over a
# small tree.
set -euo pipefail
tree=$(dirname "$(readlink -f "$0")")/..
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
# shellcheck source=tests/seen.sh
source "$tree/tests/seen.sh"

fail() {
    printf '%s\n' "$*"
    exit 1
}

# check ARGUMENT...: as tests/tidy.sh would; which files it read is in $read, its status in $status.
check() {
    local files

    seen_options "$@"
    mapfile -t files < <(find core sim -name '*.c' | grep -e "$seen_pattern" | sort)
    seen_choose example rules "${files[@]}"
    ((${#seen_due[@]} == 0)) || seen_each sed -n '/BAD/q1'
    read=$(printf '%s\n' "${seen_due[@]}" | sort | paste -sd ' ')
    set +e # not `|| status=$?`: whatever fails within would be let pass
    (set -e; seen_note example)
    status=$?
    set -e
}

# noted NAME...: those are what is written down.
noted() {
    local names

    names=$(sed 's/^[^ ]*  //' tests/example.seen | paste -sd ' ')
    [[ $names == "$*" ]] || fail "noted is '$names', not '$*'"
}

mkdir "${seen_rooms[@]}" core/kv
echo '#include "core/kv/a.h"' >core/kv/a.c
echo 'int a;' >core/kv/a.h
for file in core/b.c sim/b.c sim/core.c; do
    echo 'int b;' >"$file"
done

check
noted
[[ $status -eq 0 && $read == 'core/b.c core/kv/a.c sim/b.c sim/core.c' ]] || fail "read $read"
check --note core
noted core/b.c core/kv/a.c sim/core.c
check --note
[[ $status -eq 0 && $read == sim/b.c ]] || fail "read again: $read"
noted core/b.c core/kv/a.c sim/b.c sim/core.c
check
[[ -z $read ]] || fail "read again: $read"

# A change of a header is one of what includes it; what is clean is noted beside what is not.
echo 'int c;' >core/kv/a.h
echo 'BAD' >core/b.c
check --note '^core/'
[[ $status -ne 0 && $read == 'core/b.c core/kv/a.c' ]] || fail "read $read, status $status"
noted core/kv/a.c sim/b.c sim/core.c
[[ -z $(sort -k 2 tests/example.seen | uniq -d -f 1) ]] || fail 'an old digest is beside a new one'
check '^core/'
[[ $status -ne 0 && $read == core/b.c ]] || fail "read $read, status $status"

# What is gone is forgotten, where the pattern picks it.
rm core/kv/a.c core/b.c
check --note '^sim/'
noted core/kv/a.c sim/b.c sim/core.c
check --note '^core/'
[[ $status -eq 0 && -z $read ]] || fail "read $read, status $status"
noted sim/b.c sim/core.c
