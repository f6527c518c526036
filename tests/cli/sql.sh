#!/usr/bin/env bash
# `dyno sql`: rows of a database of runs, three ways, and nothing that changes it.
#
# usage: tests/cli/sql.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

works replay --arrival poisson:40 --requests 20 --seed 3 --db runs.db
works replay --arrival poisson:40 --requests 20 --seed 3 --router kv --db runs.db

# prints ARGUMENT... <<END: dyno prints exactly that and ends well.
prints() {
    works "$@"
    diff -u - out || fail "dyno $*: not as above"
}

prints sql runs.db "SELECT run, label, NULL AS missing FROM chosen; SELECT 1.5 AS x" <<'END'
run  label               missing
  1  run 1: round_robin        -
  2  run 2: kv                 -

  x
1.5
END
prints sql runs.db --csv "SELECT id AS \"a,b\", 'say \"x\"' AS text, '' AS empty, NULL AS null_
    FROM run" <<'END'
"a,b",text,empty,null_
1,"say ""x""","",
2,"say ""x""","",
END
prints sql runs.db --json --runs 2 "SELECT run, 0.25 AS x, NULL AS n FROM chosen" <<'END'
[{"run": 2, "x": 0.25, "n": null}]
END
prints sql runs.db :options <<'END'
option         value        runs
router.policy  round_robin  1
router.policy  kv           2
END
prints sql runs.db "SELECT span_words(column1) AS words FROM (VALUES (0.5), (999.94), (1234.5),
    (59949), (59960), (-123456), (NULL), (7200000))" --csv <<'END'
words
0.5 ms
999.9 ms
1.23 s
59.9 s
1 min 00 s
-2 min 03 s
n/a
2 h 00 min
END
prints sql runs.db "SELECT bins(column1) AS b FROM (VALUES (3), (3), (-70), (NULL), (130))" <<'END'
b
[[-70,1],[3,2],[131,1]]
END

# Every query that has a name runs, and is a figure or a table of the report.
works sql --names
cp out names
[[ $(wc -l <names) -eq $(find "$OLDPWD/reports/figures" -name '*.sql' ! -name chosen.sql | wc -l) ]]
while read -r name _; do
    works sql runs.db "$name" --csv
done <names

# ---- what is refused -------------------------------------------------------------------------

cp runs.db before.db
change="dyno sql only reads; what changes a database is refused (\`dyno runs\` tags and deletes)"
for sql in 'DELETE FROM run' 'DROP TABLE request' "ATTACH 'other.db' AS other" \
    'PRAGMA query_only = OFF' 'CREATE TEMP TABLE x (a)' 'VACUUM' 'BEGIN' "VACUUM INTO 'copy.db'"; do
    refuses 1 "$change" sql runs.db "$sql"
done
cmp before.db runs.db
[[ ! -e other.db && ! -e copy.db ]] || fail 'a query made a file'
refuses 1 "there is no query 'slowst'; did you mean ':slowest'?" sql runs.db :slowst
refuses 1 'the query fails: no such table: none' sql runs.db 'SELECT * FROM none'
refuses 1 'the query is empty' sql runs.db ' '
refuses 2 "sql needs a database and a query: dyno sql FILE.db 'SELECT ...'" sql runs.db
refuses 2 '--csv and --json exclude each other' sql runs.db 'SELECT 1' --csv --json
refuses 1 "there is no database 'none.db': \`dyno replay --db FILE\` makes one" \
    sql none.db 'SELECT 1'
