#!/usr/bin/env bash
# Every example in the README runs, and prints what the README says.
#
# In a block that begins with ```console, a line "$ COMMAND" is run, and the lines behind it are
# what it must print on standard output.  Commands run in a folder of their own, beside a link to
# traces/.
#
# usage: tests/cli/readme.sh DYNO            compare
#        tests/cli/readme.sh DYNO --rewrite  write README.md anew with what is printed
set -euo pipefail

if ! command -v sqlite3 >/dev/null; then
    echo "skipped: an example needs the sqlite3 command"
    exit 77
fi
dyno=$(readlink -f "$1")
root=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin" "$scratch/here"
ln -s "$dyno" "$scratch/bin/dyno"
ln -s "$root/traces" "$scratch/here/traces"
export PATH=$scratch/bin:$PATH

cd "$scratch/here"
in_block=no
while IFS= read -r line; do
    case $in_block,$line in
    no,'```console') in_block=yes ;;
    yes,'```') in_block=no ;;
    yes,'$ '*)
        printf '%s\n' "$line"
        bash -c "set -euo pipefail; ${line#\$ }" 2>"$scratch/err" </dev/null || {
            printf 'The README'\''s command failed: %s\n%s\n' "$line" "$(cat "$scratch/err")" >&2
            exit 1
        }
        continue
        ;;
    yes,*) continue ;;
    esac
    printf '%s\n' "$line"
done <"$root/README.md" >"$scratch/README.md"

if [[ ${2:-} == --rewrite ]]; then
    cp "$scratch/README.md" "$root/README.md"
else
    diff -u "$root/README.md" "$scratch/README.md"
fi
