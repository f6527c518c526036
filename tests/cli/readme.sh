#!/usr/bin/env bash
# Every example in the README and in the pages of docs/ that have some runs, and prints what the
# page says.
#
# In a block that begins with ```console, a line "$ COMMAND" is run, and the lines behind it are
# what it must print on standard output.  Commands run in a folder of their own for each page,
# beside links to traces/ and sim/.
#
# usage: tests/cli/readme.sh DYNO            compare
#        tests/cli/readme.sh DYNO --rewrite  write the pages anew with what is printed
set -euo pipefail

if ! command -v sqlite3 >/dev/null; then
    echo "skipped: an example needs the sqlite3 command"
    exit 77
fi
dyno=$(readlink -f "$1")
rewrite=${2:-}
root=$PWD
pages=(README.md docs/ab.md docs/faults.md docs/report.md docs/swarm.md docs/traces.md)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin"
ln -s "$dyno" "$scratch/bin/dyno"
export PATH=$scratch/bin:$PATH

# printed PAGE: the page as it would be if every example printed what it prints here.
printed() {
    local in_block=no line
    while IFS= read -r line; do
        case $in_block,$line in
        no,'```console') in_block=yes ;;
        yes,'```') in_block=no ;;
        yes,'$ '*)
            printf '%s\n' "$line"
            bash -c "set -euo pipefail; ${line#\$ }" 2>"$scratch/err" </dev/null || {
                printf 'A command of %s failed: %s\n%s\n' "$1" "$line" "$(cat "$scratch/err")" >&2
                exit 1
            }
            continue
            ;;
        yes,*) continue ;;
        esac
        printf '%s\n' "$line"
    done <"$root/$1"
}

for page in "${pages[@]}"; do
    mkdir "$scratch/here"
    ln -s "$root/traces" "$root/sim" "$scratch/here"
    cd "$scratch/here"
    printed "$page" >"$scratch/page"
    cd "$root"
    rm -r "$scratch/here"
    if [[ $rewrite == --rewrite ]]; then
        cp "$scratch/page" "$page"
    else
        diff -u "$page" "$scratch/page"
    fi
done
