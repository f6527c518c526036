#!/usr/bin/env bash
# `dyno tune` in shards: by hand, and as an array job that is only played (tune_slurm.sh has a real
# Slurm).
#
# usage: tests/cli/tune_shards.sh DYNO
set -euo pipefail
traces=$PWD/traces/samples
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
has_sqlite || { echo 'skipped: sqlite3 is not installed'; exit 77; }

# shellcheck disable=SC2054 # lists with commas in them
tuning=(tune --trace "$traces/chat-prefix.jsonl" --requests 400 --workers 4
    --vary router=random,round_robin,kv --vary router.kv.overlap_credit=0.5,1 --goal ttft_p95)
runs() {
    sqlite3 "$1" "SELECT settings, metric, value FROM trial JOIN run_metric USING (run)
        WHERE part = 'tuned' ORDER BY settings, metric" | md5sum
}

# In one piece.
works "${tuning[@]}" --db whole.db
cp out whole

# By hand: three shards, that know nothing of each other, and their databases merged.
for shard in 0 1 2; do
    works "${tuning[@]}" --shard "$shard/3" --db "hand.$shard"
    grep -Eq "^shard $shard of 3: [23] runs, 0 of them found$" out
done
works "${tuning[@]}" --db hand.db --merge hand.0,hand.1,hand.2
grep -q '; 7 runs, 7 of them found$' out
cmp <(sed 's/; 7 runs, 0 of/; 7 runs, 7 of/' whole) out || fail "shards find another best"
[[ $(runs hand.db) == $(runs whole.db) ]] || fail "shards come to other figures"
works "${tuning[@]}" --db hand.db --merge hand.0
[[ $(sqlite3 hand.db "SELECT count(*) FROM trial WHERE part = 'tuned'") -eq 7 ]] ||
    fail "what was there was merged again"

# Wrong use.
refuses 2 "--shard: '3/3' is no shard; expected K/N, such as 0/8 to 7/8" "${tuning[@]}" --shard 3/3
refuses 2 "--search halving chooses points by what others came to; shards do not wait for each \
other: --search grid or random" "${tuning[@]}" --executor slurm --search halving
refuses 2 "--merge needs a database to put trials into: --db FILE" "${tuning[@]}" --db none \
    --merge hand.0
works "${tuning[@]}" --workers 3 --db third.db
refuses 2 "'third.db' holds another tuning: its fleet.workers is 3, not 4; name another --db" \
    "${tuning[@]}" --db hand.db --merge third.db

# Without Slurm it says so, and leaves the job.
real=$dyno
printf '#!/bin/sh\nPATH=/nowhere exec %q "$@"\n' "$real" >alone
chmod +x alone
dyno=$scratch/alone
refuses 1 "there is no sbatch here, so no Slurm; none.db.slurm.sh is the job, and --shard and \
--merge do the same by hand" "${tuning[@]}" --db none.db --executor slurm --shards 2
dyno=$real
[[ -s none.db.slurm.sh ]] || fail "there is no job"

# An array job, played by a script in the place of sbatch; $TORN is a task that fails.
mkdir bin
cat >bin/sbatch <<'END'
#!/bin/bash
[[ $1 == --wait && $2 == --output=* ]] || exit 9
last=$(sed -n 's/^#SBATCH --array=0-//p' "$3")
for ((task = 0; task <= last; task++)); do
    [[ ${TORN:-} != "$task" ]] || continue
    SLURM_ARRAY_TASK_ID=$task bash "$3" >"${2#--output=}.$task" 2>&1 || exit 3
done
[[ -z ${TORN:-} ]]
END
chmod +x bin/sbatch
PATH=$scratch/bin:$PATH
works "${tuning[@]}" --db 'in turn.db' --executor slurm --shards 3
grep -q '; 7 runs, 7 of them found$' out
[[ $(runs 'in turn.db') == $(runs whole.db) ]] || fail "an array job comes to other figures"

# A shard that fails is told, and what the others did is kept.
export TORN=1
refuses 1 "the array job torn.db.slurm.sh did not end well (a task failed); what its tasks said is \
in torn.db.shard-%a.log" "${tuning[@]}" --db torn.db --executor slurm --shards 3
[[ $(sqlite3 torn.db "SELECT count(*) FROM trial") -eq 5 ]] || fail "not what two shards did"
