#!/usr/bin/env bash
# `dyno tune --executor slurm` with a real Slurm: a controller and a node on this machine alone,
# with keys and ports of their own.  Skipped without Debian's slurmctld, slurmd, slurm-client and
# munge, or where this is not root.
#
# usage: tests/cli/tune_slurm.sh DYNO
set -euo pipefail
traces=$PWD/traces/samples
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"
for program in slurmctld slurmd munged sbatch sinfo sqlite3; do
    if ! command -v "$program" >/dev/null; then
        echo "skipped: there is no $program"
        exit 77
    fi
done
if [[ $(id -u) -ne 0 ]]; then
    echo "skipped: Slurm's node wants root"
    exit 77
fi

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

started=()
end_slurm() {
    [[ ${#started[@]} -eq 0 ]] || kill "${started[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
}
trap 'end_slurm; end_server; rm -rf "$scratch"' EXIT
mkdir -p slurm/state slurm/spool
dd if=/dev/urandom of=slurm/key bs=1 count=128 status=none
chmod 400 slurm/key
chmod 711 "$scratch"
munged --foreground --force --key-file "$scratch/slurm/key" --socket "$scratch/slurm/munge" \
    --pid-file "$scratch/slurm/munge.pid" --seed-file "$scratch/slurm/seed" \
    --log-file "$scratch/slurm/munge.log" >slurm/munged.out 2>&1 &
started+=($!)
read -ra ports < <(perl -MIO::Socket::INET -e '
    my @held = map { IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) } 1, 2;
    print join(" ", map { $_->sockport } @held), "\n"')
node=$(hostname -s)
cat >slurm/slurm.conf <<END
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmctldPort=${ports[0]}
SlurmdPort=${ports[1]}
AuthType=auth/munge
AuthInfo=socket=$scratch/slurm/munge
CredType=cred/munge
StateSaveLocation=$scratch/slurm/state
SlurmdSpoolDir=$scratch/slurm/spool
SlurmctldPidFile=$scratch/slurm/slurmctld.pid
SlurmdPidFile=$scratch/slurm/slurmd.pid
SlurmctldLogFile=$scratch/slurm/slurmctld.log
SlurmdLogFile=$scratch/slurm/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$node Default=YES State=UP
END
export SLURM_CONF=$scratch/slurm/slurm.conf
slurmctld -D -c >slurm/slurmctld.out 2>&1 &
started+=($!)
slurmd -D -N "$node" >slurm/slurmd.out 2>&1 &
started+=($!)
for _ in {1..300}; do
    [[ $(sinfo -h -o %T 2>/dev/null) == idle ]] && break
    sleep 0.1
done
if [[ $(sinfo -h -o %T 2>/dev/null) != idle ]]; then
    echo "skipped: Slurm's node does not come up here:"
    tail -n 3 slurm/*.out slurm/*.log
    exit 77
fi
works "${tuning[@]}" --db slurm.db --executor slurm --shards 3
grep -q '; 7 runs, 7 of them found$' out
[[ $(runs slurm.db) == $(runs whole.db) ]] || fail "Slurm comes to other figures"
cat slurm.db.shard-*.log | sort >said
says said 'shard 0 of 3: 3 runs, 0 of them found' 'shard 1 of 3: 2 runs, 0 of them found' \
    'shard 2 of 3: 2 runs, 0 of them found'
grep -q 'JobId=.* Action=complete\|job_complete' slurm/slurmctld.log || fail "Slurm ran no job"
