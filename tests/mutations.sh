#!/usr/bin/env bash
# Do the promises bite?  Breaks the core in one place at a time (tests/mutations/*.patch, whose
# first line says what breaks) and looks who notices: random worlds (`dyno swarm`), else the test
# program that the patch names.  Not part of ./test: every mutation is a build.
#
# usage: tests/mutations.sh [NAME]...
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
first_seeds=30
seeds=1000
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
names=("$@")
if [[ $# == 0 ]]; then
    for each in tests/mutations/*.patch; do
        each=${each##*/}
        names+=("${each%.patch}")
    done
fi

git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$scratch"
cd "$scratch"
generator=()
command -v ninja >/dev/null && generator=(-G Ninja)
cmake --preset release "${generator[@]}" >/dev/null
build() {
    cmake --build --preset release --target "$@" >build.log 2>&1 || {
        tail -n 20 build.log >&2
        exit 1
    }
}
build dyno
build/release/dyno swarm --seeds "$seeds" >/dev/null || {
    echo "the unchanged core breaks promises: see dyno swarm --seeds $seeds"
    exit 1
}

# Who notices the mutation that is built, in words; nothing: nobody.
caught_by() {
    local program=$1 said some

    for some in "$first_seeds" "$seeds"; do # few notice most
        if ! said=$(build/release/dyno swarm --seeds "$some" 2>&1); then
            said=$(grep -m 1 '^seed ' <<<"$said")
            said=${said#seed }
            printf 'swarm, seed %s' "${said:0:74}"
            return
        fi
    done
    if [[ -n $program ]]; then
        build "$program"
        build/release/tests/"$program" >/dev/null 2>&1 || printf '%s' "$program"
    fi
}

missed=0
for name in "${names[@]}"; do
    patch=$root/tests/mutations/$name.patch
    patch -s -p1 <"$patch"
    build dyno
    by=$(caught_by "$(sed -n 's/^test: //p' "$patch")")
    [[ -n $by ]] || missed=$((missed + 1))
    printf '%-24s %s\n%-24s   caught by %s\n' "$name" "$(head -n 1 "$patch")" "" \
        "${by:-NOBODY}"
    patch -s -R -p1 <"$patch"
done
echo "${#names[@]} mutations, $missed missed"
[[ $missed == 0 ]]
