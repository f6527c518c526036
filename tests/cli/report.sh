#!/usr/bin/env bash
# `dyno report`: a page, Markdown and CSV of the runs of a database, with gnuplot and without.
#
# usage: tests/cli/report.sh DYNO
set -euo pipefail
figures=$PWD/reports/figures
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

works replay --arrival poisson:40 --requests 120 --workers 2 --seed 3 --db runs.db
works replay --arrival poisson:40 --requests 120 --workers 2 --seed 3 --router kv --db runs.db

# without NAME: no gnuplot is found.
without_gnuplot() {
    PATH=/nonexistent "$dyno" "$@" >out 2>err </dev/null || fail "dyno $*: $(cat err)"
}

# ---- what is refused -------------------------------------------------------------------------

refuses 2 'report needs the file to write: -o FILE.html, FILE.md or FILE.csv' report runs.db
refuses 1 "a report is a FILE.html, FILE.md or FILE.csv by its ending; 'report.doc' is none" \
    report runs.db -o report.doc
refuses 1 "there is no database 'none.db': \`dyno replay --db FILE\` makes one" \
    report none.db -o report.html
way='write numbers, spans and tags, such as 3,5-7,base, or last, or all'
refuses 1 "'1,,2' chooses no runs: $way" \
    report runs.db -o report.html --runs 1,,2
refuses 1 "there is no run 7-9 in this database, or it was chosen twice; \`dyno runs\` lists them" \
    report runs.db -o report.html --runs 1,7-9
refuses 1 "'gif' is no format of figures: any of svg, png, pdf, with commas between" \
    report runs.db -o report.html --figures here --formats svg,gif
if has_sqlite; then
    cp runs.db newer.db
    sqlite3 newer.db 'PRAGMA user_version = 99'
    refuses 1 "the database 'newer.db' has version 99 of the schema and this dyno knows version \
$(sqlite3 runs.db 'PRAGMA user_version'): use a newer dyno, or choose another file" \
        report newer.db -o report.html
fi
[[ ! -e report.html && ! -e here ]] || fail 'something was left by a report that was refused'

# ---- without gnuplot -------------------------------------------------------------------------

without_gnuplot report runs.db -o plain.html
says err "dyno: a figure is left out: gnuplot is not installed (Debian's package is gnuplot-nox)"
grep -Fq '<h3>run 2: kv' plain.html || fail 'the label does not tell what differs'
grep -Fq "<li><b>Time to first token</b>: gnuplot is not installed" plain.html ||
    fail 'the page does not say why there are no figures'
[[ $(grep -c '<svg' plain.html) -eq 0 ]] || fail 'a figure without gnuplot'
without_gnuplot report runs.db -o report.md --runs 2
says report.md '# Dyno report' '1 run of runs.db' '| Requests completed | 120 |'
without_gnuplot report runs.db -o report.csv
says report.csv run,label,status,metric,value,low,high \
    '1,run 1: round_robin,finished,fleet.gpus,2,,'

# ---- with it ---------------------------------------------------------------------------------

if ! command -v gnuplot >/dev/null; then
    echo 'skipped: gnuplot is not installed'
    exit 77
fi
# What a run cost stands among the headlines, if anybody asked.
works replay --arrival poisson:20 --requests 50 --db cost.db --set cost.energy=true \
    --set cost.gpu_hour=2.5
works report cost.db -o cost.md
grep -q "^| Energy of GPUs, kWh | 0.0" cost.md
grep -q '^| Cost of a million output tokens | ' cost.md
works replay --arrival poisson:20 --requests 50 --db free.db
works report free.db -o free.md
[[ $(grep -c '^| Energy\|^| Cost\|^| Power' free.md) -eq 0 ]] || fail 'costs that nobody asked for'

# Workers are shown to the end of a run, though nothing changed for long before.
works replay --arrival rates:20@0s,0.2@5s --duration 100s --output-tokens 20 --db calm.db
works report calm.db -o calm.html --figures calm
grep -q '>90 s<' calm/workers_heat.svg || fail 'the end of a calm run is cut off'

# A figure and a table of somebody's own, and a figure with a mistake; figures as files.
mkdir own
printf '%s\n' '-- title: My figure' '-- caption: Mine.' '-- empty: None.' \
    'SELECT label, 1, 2 FROM detail;' | tee own/bad.sql >own/mine.sql
echo "plot for [i = 0:series-1] \$data index i using 1:2 with points" >own/mine.gp
echo 'plot what' >own/bad.gp
printf '%s\n' '-- title: My table' '-- caption: Mine.' '-- empty: None.' \
    'SELECT 7 AS "seven";' >own/table.sql
works report runs.db -o own.html --figures-from own --figures figures --formats png,pdf
grep -Eq '^dyno: a figure is left out: the figure bad: gnuplot refuses the figure' err ||
    fail "it does not say that a figure is bad: $(cat err)"
[[ $(grep -c '<svg class="plot" role="img"' own.html) -ge 7 ]] || fail 'there are no figures'
grep -Eq 'https?://' own.html && fail 'the page points elsewhere'
grep -Fq '<figure id="mine">' own.html || fail 'a figure of our own is not there'
grep -Fq '<h2 id="table">My table</h2>' own.html || fail 'a table of our own is not there'
grep -Fq 'the figure bad: gnuplot refuses the figure:' own.html || fail 'no word of a bad script'
for kind in png:$'\x89PNG' pdf:%PDF; do
    [[ $(head -c 4 "figures/mine.${kind%%:*}") == "${kind#*:}" ]] ||
        fail "figures/mine.${kind%%:*} is something else"
done

echo 'SELECT 1;' >own/table.sql
head="'-- title: ...', '-- caption: ...' and '-- empty: ...'"
refuses 1 "the figure table: its query must begin with the lines $head" \
    report runs.db -o own.html --figures-from own

# How full every tier was: the GPUs' memory and the host's, and never more than all of it.
works replay --arrival poisson:4 --requests 60 --input-tokens 2000 --workers 2 \
    --tier g2=32GiB --sample-every 1s --db tiers.db
works sql tiers.db :tiers_kept --csv
[[ $(cut -d, -f1 out | sort -u | tr '\n' ' ') == 'GPUs host memory tier ' ]] || fail "$(cat out)"
awk -F, 'NR > 1 && ($3 < 0 || $3 > 100) { exit 1 }' out || fail "more than all: $(cat out)"

# The end of a run is not looked for again at every request of it, which would take hours of a large
# one.
works sql tiers.db "EXPLAIN QUERY PLAN $(sed '/;$/q' "$figures/transfers.sql")"
grep -q 'MATERIALIZE span' out || fail "$(cat out)"

# What went wrong, one below the other: what it was is said once, however often it was so.
works replay --arrival poisson:20 --requests 300 --workers 3 --db faults.db \
    --fault worker:1@2s..5s=dead --fault worker:2@3s..4s=slow:3 --fault worker:2@6s..7s=slow:3
works sql faults.db :faults --csv
grep , out | cut -d, -f4- | grep '[0-9]' >bars
printf '%s\n' 2,5,1,'worker 1 gone' 3,4,2,'worker 2 3× slower' '6,7,2,""' | cmp - bars ||
    fail "$(cat bars)"
[[ $(awk -F, '$3 > 0' out | wc -l) -gt 100 ]] || fail 'there are no first tokens over time'
works report faults.db -o faults.html
grep -Fq 'run 1: deaths of workers 1, stalls 2, links down or slow 0; requests' faults.html ||
    fail 'the figure is told in other words'
