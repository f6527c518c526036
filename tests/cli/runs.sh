#!/usr/bin/env bash
# `dyno runs`: one run shown, runs compared, tagged and deleted.
#
# usage: tests/cli/runs.sh DYNO
set -euo pipefail
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

for router in round_robin kv least_loaded; do
    works replay --arrival poisson:40 --requests 20 --workers 2 --router "$router" --db runs.db
done

# ---- tags ------------------------------------------------------------------------------------

works runs tag runs.db 1 base
works runs tag runs.db 2-3 try
works runs tag runs.db last best
works runs runs.db
grep -Eq ' round_robin  \[base\]$' out || fail 'the list has no tag'
grep -Eq ' least_loaded  \[best, try\]$' out || fail 'the list has not both tags'
works sql runs.db --csv --runs try,base 'SELECT run, label FROM chosen'
diff -u - out <<'END' || fail 'tags choose other runs'
run,label
2,run 2: try
3,run 3: best
1,run 1: base
END
works runs tag runs.db best best --remove
works runs list runs.db
grep -Eq ' least_loaded  \[try\]$' out || fail 'the tag is still there'
gone='there is no run best in this database, or it was chosen twice'
refuses 1 "$gone; \`dyno runs\` lists them" runs show runs.db best
rule='one begins with a letter, has no blank and no comma, at most 63 bytes,'
refuses 1 "'two words' is no tag: $rule and is not last or all" runs tag runs.db 1 'two words'

# ---- show and compare ------------------------------------------------------------------------

works runs show runs.db base
says out 'Tags: base' 'Requests completed                                20' \
    "    $(sed -n 's/^    \(dyno replay .*\)/\1/p' out)" '    fleet.workers = 2  (--workers)'
works runs compare runs.db base,try
says out "Options that tell them apart" '    router.policy = kv  (run 2)'
grep -Eq '^Requests completed +20 +20 +20$' out || fail "the runs are not side by side: $(cat out)"
grep -q ' $' out && fail 'a line ends in a blank'
if has_sqlite; then # per cent, a multiple from ten times on, and points of a share
    cp runs.db told.db
    sqlite3 told.db "UPDATE run_metric SET value = CASE metric WHEN 'fleet.busy_fraction'
        THEN 0.5 + 0.041 * (run = 2) WHEN 'ttft_ms.mean' THEN 20 * (run = 1) + 25 * (run = 2) ELSE
        3 * (run = 1) + 219 * (run = 2) END WHERE metric IN ('fleet.busy_fraction', 'ttft_ms.mean',
        'ttft_ms.p99')"
    works runs compare told.db 1,2
    grep -Eq '^TTFT mean, ms +20 +25 +\+25\.0 %$' out || fail "$(cat out)"
    grep -Eq '^TTFT p99, ms +3 +219 +× 73\.0$' out || fail "$(cat out)"
    grep -Eq '^Busy +50\.0 % +54\.1 % +\+4\.1 points$' out || fail "$(cat out)"
    sqlite3 told.db "UPDATE run SET status = 'failed' WHERE id = 3"
    works runs compare told.db 1-3
    says out 'run 3 is left out: failed'
fi
refuses 1 "one run is shown at a time; 'try' chooses 2: \`dyno runs compare\` takes more" \
    runs show runs.db try
refuses 1 "runs are compared that came to their end, two at least; of those chosen 1 did" \
    runs compare runs.db 1
refuses 2 'runs compare needs a database and runs: dyno runs compare FILE RUNS' runs compare runs.db

# ---- delete ----------------------------------------------------------------------------------

before=$(stat -c %s runs.db)
works runs delete runs.db 2-3
says err '2 runs deleted'
works sql runs.db --csv 'SELECT (SELECT group_concat(id) FROM run) AS runs,
    (SELECT count(DISTINCT run) FROM request) AS requests,
    (SELECT count(DISTINCT run) FROM run_metric) AS metrics, (SELECT count(*) FROM run_tag) AS tags'
says out '1,1,1,1'
[[ $(stat -c %s runs.db) -lt $before ]] || fail 'the file is as large as it was'
if has_sqlite; then
    # A run goes on as long as its process is there; so does this one.
    sqlite3 runs.db "UPDATE run SET status = 'running';
        UPDATE host SET process = $$, machine = '$(uname -n)', started_at = datetime('now')"
    refuses 1 'run 1 is still running: end it first, then delete it' runs delete runs.db 1

    # A database of version 4 is listed as it is, and brought to the present version when more is
    # asked of it.
    sqlite3 runs.db "DROP TABLE gpu_sample; DROP VIEW transfer; DROP VIEW model_load;
        DROP TABLE model;
        ALTER TABLE request DROP COLUMN model;
        DROP VIEW link_use; DROP TABLE link; DROP TABLE link_sample;
        ALTER TABLE request DROP COLUMN pulled_tokens;
        DROP VIEW validation_error; DROP VIEW request_latency; DROP VIEW worker_load;
        DROP VIEW tenant_load; DROP VIEW priority_load; DROP TABLE run_tag;
        DROP VIEW trial_goal; DROP TABLE trial; DROP TABLE tuning_aim; DROP TABLE tuning_option;
        DROP TABLE tuning; DROP TABLE fault; ALTER TABLE request DROP COLUMN migrations;
        DROP TABLE tier; DROP TABLE tier_sample; ALTER TABLE request DROP COLUMN onboarded_tokens;
        DELETE FROM outcome WHERE code = 6; ALTER TABLE decision DROP COLUMN router;
        ALTER TABLE request DROP COLUMN ingest_ns; ALTER TABLE request DROP COLUMN queue_ns;
        ALTER TABLE request DROP COLUMN onboard_ns;
        ALTER TABLE request DROP COLUMN held_ns; ALTER TABLE request DROP COLUMN priority;
        ALTER TABLE request ADD COLUMN ingest_ns INTEGER AS (ready_ns - arrival_ns);
        ALTER TABLE request ADD COLUMN queue_ns INTEGER AS (admitted_ns - ready_ns);
        CREATE VIEW worker_load AS SELECT run, worker FROM request;
        CREATE VIEW request_latency AS SELECT run, id FROM request;
        PRAGMA user_version = 4"
    works runs runs.db
    [[ $(sqlite3 runs.db 'PRAGMA user_version') -eq 4 ]] || fail 'a list has changed the database'
    works runs tag runs.db 1 again
    works sql runs.db --csv 'SELECT label FROM chosen'
    says out 'run 1: again'
fi
