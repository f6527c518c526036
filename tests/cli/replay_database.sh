#!/usr/bin/env bash
# A database that cannot be used: one clear sentence, status 1, no table, no summary, and the file
# as it was.
#
# usage: tests/cli/replay_database.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

printf '%s\n' '{"timestamp": 0, "input_length": 9, "output_length": 2, "hash_ids": [1]}' >one.jsonl

# refused SENTENCE FILE: replaying into FILE fails so, and leaves FILE as it was.
refused() {
    cp "$2" before
    rm -f summary.json
    refuses 1 "$1" replay --trace one.jsonl --json summary.json --db "$2"
    cmp before "$2"
    [[ ! -e summary.json ]] || fail "$2: a summary was left"
}

# ---- something else --------------------------------------------------------------------------

echo 'my notes' >notes.txt
refused "'notes.txt' is not a SQLite database: choose another file" notes.txt
mkdir folder
refuses 1 "'folder' is not a file: a database needs one" replay --trace one.jsonl --db folder
refuses 1 "the database './none/runs.db' cannot be made: No such file or directory" \
    replay --trace one.jsonl --db ./none/runs.db
refuses 1 "'notes.txt' is not a SQLite database: choose another file" runs notes.txt

# An empty file is a database that nothing was written to yet.
: >empty.db
works replay --trace one.jsonl --db empty.db
"$dyno" runs empty.db | grep -Eq '^  1  finished '

# Nothing is made when the trace is not there.
refuses 1 'none.jsonl: no such file; expected a trace' replay --trace none.jsonl --db new.db
[[ ! -e new.db ]] || fail 'a database was made for a run that never began'

# ---- read-only -------------------------------------------------------------------------------

# As somebody who is held to permissions.
mortal=()
if [[ $(id -u) -eq 0 ]]; then
    mortal=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
chmod 755 .
works replay --trace one.jsonl --db locked.db
mkdir -m 777 open
cp locked.db open/read.db
chmod 444 open/read.db
if "${mortal[@]}" "$dyno" version >/dev/null 2>&1; then
    status=0
    "${mortal[@]}" "$dyno" replay --trace one.jsonl --db open/read.db --json open/summary.json \
        >out 2>err || status=$?
    if [[ $status -ne 1 || -s out || $(wc -l <err) -ne 1 ]]; then
        fail "a read-only database: ended with $status: $(cat out err)"
    fi
    says err "dyno: the database 'read.db' is read-only: choose another file"
    cmp locked.db open/read.db
    [[ ! -e open/summary.json ]]
    "${mortal[@]}" "$dyno" runs open/read.db | grep -Eq '^  1  finished ' # it can be read
else
    echo "the read-only database was skipped: there is nobody here who is held to permissions"
fi

# ---- full ------------------------------------------------------------------------------------

# A file may grow to 128 KiB; a write beyond that fails like one on a full disk.
seq 0 2999 | awk '{ printf "{\"timestamp\": %d, \"input_length\": 10, ", $1 * 100
    printf "\"output_length\": 1, \"hash_ids\": [%d]}\n", $1 }' >many.jsonl
status=0
(
    trap '' XFSZ
    ulimit -f 128
    "$dyno" replay --trace many.jsonl --db full.db --json summary.json >out 2>err
) || status=$?
if [[ $status -ne 1 || -s out || $(wc -l <err) -ne 1 ]]; then
    fail "a full disk: ended with $status: $(cat out err)"
fi
grep -q "^dyno: the database 'full.db' cannot be used: " err
[[ ! -e summary.json ]]

if ! has_sqlite; then
    echo "databases of other programs and versions were skipped: no sqlite3 here"
    exit 0
fi

# What is left of it opens, and does not pretend to be a result.
[[ $(sqlite3 full.db 'PRAGMA integrity_check') == ok ]]
[[ -z $(sqlite3 full.db "SELECT status FROM run WHERE status = 'finished'") ]]

# ---- other programs and versions -------------------------------------------------------------

sqlite3 theirs.db 'CREATE TABLE recipe(name); INSERT INTO recipe VALUES (1)'
refused "'theirs.db' is a SQLite database, but not one of dyno runs: choose another file" theirs.db

works replay --trace one.jsonl --db newer.db
sqlite3 newer.db 'PRAGMA user_version = 99'
newer="the database 'newer.db' has version 99 of the schema and this dyno knows version 10: use a\
 newer dyno, or choose another file"
refused "$newer" newer.db
refuses 1 "$newer" runs newer.db

# Somebody else writes: nothing is waited for, and his work goes on.
cat >writer.sh <<END
'$dyno' replay --trace one.jsonl --db locked.db --json summary.json >out 2>err
echo \$? >status
END
printf '%s\n' 'BEGIN EXCLUSIVE;' '.shell bash writer.sh' 'COMMIT;' | sqlite3 locked.db
[[ $(cat status) == 1 && ! -s out && ! -e summary.json ]]
says err "dyno: the database 'locked.db' is locked by another program: wait for it to end, or\
 choose another file"
[[ $(sqlite3 locked.db 'SELECT count(*) FROM run') == 1 ]]
works replay --trace one.jsonl --db locked.db # and now it is free
[[ $(sqlite3 locked.db 'SELECT count(*) FROM run') == 2 ]]
