#!/usr/bin/env bash
# What docs/gate.md says of CI is true: the shell steps of its GitHub workflow and its GitLab job
# are taken from the page and run as they stand, on a clone of a small project.
#
# That project has two scenarios of the gate's suite, made shorter, and a ./quickstart that installs
# the program under test in place of building it; apt-get is noted and not run.
#
# usage: tests/cli/gate_workflows.sh DYNO
set -euo pipefail
for tool in git jq yq; do
    if ! command -v $tool >/dev/null; then
        echo "skipped: no $tool"
        exit 77
    fi
done
root=$PWD
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# block NAME: the n-th block of YAML in the page that has this key at its top.
block() {
    awk -v due="(^|\n)$1:" '/^```yaml$/ { inside = 1; text = ""; next }
        /^```$/ { if (inside && text ~ due) { printf "%s", text; exit } inside = 0 }
        inside { text = text $0 "\n" }' "$root/docs/gate.md"
}
block jobs >github.yml
block gate >gitlab.yml
[[ -s github.yml && -s gitlab.yml ]] || fail "the page has no workflow, or no job"

mkdir -p bin home project/sim/gate
export PATH=$scratch/bin:$PATH HOME=$scratch/home GIT_CONFIG_NOSYSTEM=1
# shellcheck disable=SC2016
printf '#!/bin/sh\necho "$*" >>"%s/apt-get.said"\n' "$scratch" >bin/apt-get
chmod +x bin/apt-get
git config --global user.name tests
git config --global user.email tests@localhost
git config --global init.defaultBranch main

# install_by LINE...: ./quickstart is a script of these lines.
install_by() {
    printf '%s\n' '#!/bin/sh' 'set -e' 'mkdir -p build/release' "$@" >project/quickstart
    chmod +x project/quickstart
}

# commit BRANCH: what the project holds now.
commit() {
    git -C project checkout -q -B "$1"
    git -C project add -A
    git -C project commit -q -m "$1"
}

for name in 05-long-prompts 08-sglang; do
    sed 's/requests: [0-9]*/requests: 60/' "$root/sim/gate/$name.yaml" >project/sim/gate/$name.yaml
done
sed 's/rounds_max: [0-9]*/rounds_max: 2/' "$root/sim/gate/budgets.yml" >project/sim/gate/budgets.yml
git init -q project
install_by "cp '$dyno' build/release/dyno"
printf 'build/\n' >project/.gitignore
commit main
printf 'better words\n' >project/README.md
commit words
# A change that a gate must find: base replays on more workers than the scenarios say.
install_by "cat >build/release/dyno <<'END'" '#!/bin/sh' \
    "exec '$dyno' \"\$@\" --set fleet.workers=8" END 'chmod +x build/release/dyno'
commit faster
git clone -q --bare project origin.git

# checkout HEAD: the clone that a job begins with, in job/.
checkout() {
    rm -rf job base
    git clone -q -b "$1" origin.git job
}

# github HEAD BASE: run the job's steps; its exit status is that of the first that failed, and
# behind it only those run that always do.
github() {
    local status=0 step script when

    checkout "$1"
    while IFS= read -r step; do
        script=$(jq -r '.run // empty' <<<"$step")
        script=${script//"\${{ github.base_ref }}"/$2}
        when=$(jq -r '.if // empty' <<<"$step")
        if [[ -z $script || ($status -ne 0 && $when != 'always()') ]]; then
            continue
        fi
        (cd job && GITHUB_STEP_SUMMARY=$scratch/summary.md bash -e -o pipefail -c "$script") \
            >>out 2>&1 </dev/null || status=$?
    done < <(yq -c '.jobs.gate.steps[]' github.yml)
    return $status
}

# gitlab HEAD BASE: run the job's script, until a line of it fails.
gitlab() {
    local status=0 script

    checkout "$1"
    script=$(yq -r '.gate.script[]' gitlab.yml)
    (cd job && CI_MERGE_REQUEST_TARGET_BRANCH_NAME=$2 bash -e -o pipefail -c "$script") \
        >>out 2>&1 </dev/null || status=$?
    return $status
}

# ends STATUS JOB HEAD BASE: the job ends so.
ends() {
    local due=$1 status=0

    shift
    rm -f summary.md
    : >out
    "$@" || status=$?
    [[ $status -eq $due ]] || fail "$*: ended with $status, not $due: $(cat out)"
}

yq -e '.jobs.gate.steps[] | select(.uses) | .with["fetch-depth"] == 0' github.yml >/dev/null ||
    fail "a shallow clone has no base"
ends 0 github words main
grep -q '^### dyno gate: PASS$' summary.md
grep -q 'tests="2" failures="0" errors="0"' job/gate.xml
ends 1 github words faster
grep -q '^### dyno gate: REGRESSION$' summary.md || fail "no summary after a failure"
grep -q '<failure type="REGRESSION"' job/gate.xml
ends 0 gitlab words main
ends 1 gitlab words faster
for artifact in $(yq -r '.gate.artifacts | .paths[], .reports.junit' gitlab.yml); do
    [[ -s job/$artifact ]] || fail "there is no $artifact"
done
grep -q 'install -y git ca-certificates' apt-get.said
