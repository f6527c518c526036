#!/usr/bin/env bash
# Several models behind one router and one budget (docs/several-models.md).
#
# usage: tests/cli/models.sh DYNO
set -euo pipefail
scenarios=$(readlink -f "$(dirname "$0")/../../sim/scenarios")
# shellcheck source=tests/cli_support.sh
. "$(dirname "$0")/../cli_support.sh"

# ---- how they are named ----------------------------------------------------------------------

# A list of mappings in a file is the same as the option's text.
cat >two.yaml <<'END'
fleet:
  models:
    - {name: chat, model: llama-3.1-8b, workers: 2, share: 2}
    - name: code
      model: qwen3-8b
      tenants: 3+5
generate:
  arrival: poisson:20
  duration: 10s
  tenants: 8,1,1,1,1
END
text='name=chat:model=llama-3.1-8b:workers=2:share=2,name=code:model=qwen3-8b:tenants=3+5'
load=(--arrival poisson:20 --duration 10s --set "generate.tenants=8,1,1,1,1")
works replay two.yaml --json file.json
cp out file.out
works replay --models "$text" "${load[@]}" --json text.json
cmp out file.out && cmp text.json file.json
works replay two.yaml --print-scenario
says out "  models: $text # two.yaml:3"
mv out printed.yaml
works replay printed.yaml --json again.json # what is printed is read back
cmp again.json file.json
[[ $(number file.json models.chat.requests) -gt $(number file.json models.code.requests) ]]
[[ $(number file.json models.chat.gpus) == 2 && $(number file.json models.code.gpus) == 1 ]]
sum=$(($(number file.json models.chat.completed) + $(number file.json models.code.completed)))
[[ $sum == $(number file.json requests.completed) ]] || fail "$sum requests of two models"

# refuses_models SENTENCE TEXT ARGUMENT...
refuses_models() {
    local sentence=$1 list=$2

    shift 2
    refuses 2 "$sentence" replay --models "$list" "${load[@]}" "$@"
}

refuses_models "fleet.models: 'chat': a part is 'chat'; expected KEY=VALUE, as in\
 name=chat:model=llama-3.1-8b" chat
refuses_models "fleet.models: 'name=a:size=3': a key is 'size'; expected name, model, gpu, weights,\
 tp, workers, blocks, min, max, start, share or tenants" name=a:size=3
refuses_models "fleet.models: 'name=a:tp=1:tp=2': a key is 'tp'; expected each of them once" \
    name=a:tp=1:tp=2
refuses_models "fleet.models: 'model=llama-3.1-8b': its name is ''; expected name=NAME, by which\
 requests ask for it" model=llama-3.1-8b
refuses_models "fleet.models: 'name=a:workers=0': workers is '0'; expected a whole number from 1 to\
 1000000" name=a:workers=0
refuses_models "fleet.models: 'name=a:share=1@5s': the time of a share is '5s'; expected 0s for the\
 first, and later ones after it" name=a:share=1@5s
refuses_models "fleet.models: x.y and x_y are called alike: the first 24 letters must differ, in\
 letters, digits or -" name=x.y:model=qwen3-8b,name=x_y:model=qwen3-8b
refuses_models "fleet.models: no model has a share of the requests or a tenant" \
    name=qwen3-8b:share=0
refuses_models "fleet.models and --model cannot be together: the list says which models there are" \
    name=qwen3-8b --model qwen3-8b
refuses_models "fleet.models and --disagg cannot be together: the workers of each model serve whole\
 requests" name=qwen3-8b --disagg always
refuses_models "fleet.models and --tier cannot be together: simulated links are those of one\
 model; --device cpu has some for each" name=qwen3-8b --tier g2=1GiB
refuses_models "fleet.models and --tier-file cannot be together: it holds the KV of one model;\
 leave it out, and it is gone with the run" name=a:model=austen-2m --device cpu --tier g3=1GiB \
    --tier-file kv
refuses_models "planner.budget (4 GPUs) is less than what the least of all models take, at least\
 one worker each: 5 GPUs" name=qwen3-8b:min=0,name=llama-3.1-70b:tp=4 --planner load --budget 4
refuses_models "what all models start with takes 9 GPUs, more than planner.budget (8); lower the\
 start of some" name=qwen3-8b:workers=8:start=5,name=llama-3.1-70b:tp=4:start=1 \
    --planner load --budget 8

# ---- two models are two fleets ----------------------------------------------------------------

# Without a planner models share nothing but time: what happens to the requests of one is what
# happens to them where there is no other, to the nanosecond and the worker.
awk 'BEGIN {
    srand(7)
    for (i = 0; i < 600; i++) {
        at += i < 2 ? 0 : int(rand() * 60)
        model = i % 2 || rand() < 0.3 ? "chat" : "code"
        blocks = 1 + int(rand() * 4)
        ids = ""
        for (j = 0; j < blocks; j++) ids = ids (j ? ", " : "") int(rand() * 3) * 10 + j
        printf "{\"timestamp\": %d, \"input_length\": %d, \"output_length\": %d," \
               " \"hash_ids\": [%s], \"model\": \"%s\"}\n",
            at, blocks * 512, 1 + int(rand() * 200), ids, model
    }
}' >both.jsonl
grep '"chat"' both.jsonl >chat.jsonl
grep '"code"' both.jsonl >code.jsonl
if has_sqlite; then
    life='arrival_ns, ready_ns, admitted_ns, first_token_ns, last_token_ns, prompt_tokens,
        output_tokens, cached_tokens, preemptions'
    for router in round_robin kv; do
        rm -f ./*.db
        works replay --trace both.jsonl --router $router --set queue.busy_inflight=40 --db both.db \
            --models name=chat:model=llama-3.1-8b:workers=2,name=code:model=qwen3-8b:workers=3
        works replay --trace chat.jsonl --router $router --set queue.busy_inflight=40 --db chat.db \
            --model llama-3.1-8b --workers 2
        works replay --trace code.jsonl --router $router --set queue.busy_inflight=40 --db code.db \
            --model qwen3-8b --workers 3
        [[ $(sqlite3 both.db "SELECT group_concat(name || ' ' || workers) FROM model") == \
            'chat 2,code 3' ]] || fail "the database has other models"
        [[ $(sqlite3 both.db 'SELECT min(r.worker BETWEEN m.first AND m.last) FROM request AS r
            JOIN (SELECT number, sum(workers) OVER (ORDER BY number) - workers AS first,
                  sum(workers) OVER (ORDER BY number) - 1 AS last FROM model) AS m
            ON m.number = r.model') == 1 ]] || fail "another model's worker served a request"
        for model in chat code; do
            first=$([[ $model == chat ]] && echo 0 || echo 2)
            range=$([[ $model == chat ]] && echo '0 AND 1' || echo '2 AND 4')
            sqlite3 both.db "SELECT worker - $first, $life FROM request
                WHERE worker BETWEEN $range ORDER BY id" >together
            sqlite3 $model.db "SELECT worker, $life FROM request ORDER BY id" >alone
            cmp together alone || fail "$router: what becomes of $model differs"
        done
    done

    # Also where a worker of each dies, the first one's at another time than the other's, and one is
    # slow: whoever has to go on elsewhere does so with his own model.
    rm -f ./*.db
    faulty=(--set faults.restart=3 --sample-every 1s)
    works replay --trace both.jsonl --db both.db "${faulty[@]}" \
        --fault worker:1@5s=dead,worker:3@8s..12s=dead,worker:2@2s..6s=slow:3 \
        --models name=chat:model=llama-3.1-8b:workers=2,name=code:model=qwen3-8b:workers=3
    says out 'Faults          2 workers died, 2 started again; 1 stall; 0 links down or slow'
    works replay --trace chat.jsonl --db chat.db "${faulty[@]}" --fault worker:1@5s=dead \
        --model llama-3.1-8b --workers 2
    works replay --trace code.jsonl --db code.db "${faulty[@]}" \
        --fault worker:1@8s..12s=dead,worker:0@2s..6s=slow:3 --model qwen3-8b --workers 3
    for model in chat code; do
        number=$([[ $model == chat ]] && echo 0 || echo 1)
        sqlite3 both.db "SELECT worker - 2 * $number, migrations, $life FROM request
            WHERE model = $number ORDER BY id" >together
        sqlite3 $model.db "SELECT worker, migrations, $life FROM request ORDER BY id" >alone
        cmp together alone || fail "faults: what becomes of $model differs"
        [[ $(sqlite3 $model.db 'SELECT sum(migrations) > 0 FROM request') == 1 ]] ||
            fail "nobody of $model had to go on elsewhere"
    done
fi

# ---- one budget ------------------------------------------------------------------------------

# Two models whose peaks come in turn: what one budget does cannot be done by two halves of it that
# are fixed, with more GPU-hours; both models are better off.
share_of() { number "$1" "models.$2.goodput_fraction"; }
works replay "$scenarios/two-models.yaml" --json one.json --db one.db
[[ $(number one.json planner.gpus_max) == 32 ]]
if has_sqlite; then
    [[ $(sqlite3 one.db 'SELECT max(gpus) FROM
        (SELECT sum((ready + starting + draining) * m.gpus / m.workers) AS gpus
         FROM plan AS p JOIN model AS m ON m.number = p.model GROUP BY at_ns)') == 32 ]] ||
        fail "more GPUs than the budget has"
    [[ $(sqlite3 one.db "SELECT max(ready) = 6 FROM plan WHERE model = 0 AND at_ns < 600e9") == 1 ]]
    [[ $(sqlite3 one.db "SELECT max(ready) = 12 FROM plan WHERE model = 1") == 1 ]]
fi
works replay "$scenarios/two-models.yaml" --planner static --json halves.json
[[ $(number halves.json models.chat.planner.workers_max) == 4 ]]
[[ $(number halves.json models.code.planner.workers_max) == 8 ]]
for model in chat code; do
    awk -v one="$(share_of one.json $model)" -v halves="$(share_of halves.json $model)" \
        'BEGIN { exit !(one > halves + 0.05) }' || fail "$model is no better off with one budget"
done
hours=$(number one.json planner.gpu_hours)
awk -v hours="$hours" -v more="$(number halves.json planner.gpu_hours)" \
    'BEGIN { exit !(hours < more - 1) }' || fail "one budget is not cheaper"

# A report tells of each model what the JSON does, and of GPUs what the planner had up.
works sql one.db :models --csv
for name in chat code; do
    awk -F, -v name=$name -v requests="$(number one.json models.$name.requests)" \
        -v ttft="$(number one.json models.$name.ttft_ms.p99)" \
        '$2 == name && $4 == requests && $8 - ttft < 1e-6 && ttft - $8 < 1e-6 { found = 1 }
         END { exit !found }' out || fail "$name in a report: $(cat out)"
done
works sql one.db :models_gpus --csv
awk -F, 'NR > 1 { if ($4 > most[$1]) most[$1] = $4 }
         END { exit !(most["chat"] == 28 && most["code"] == 24) }' out || fail "$(cat out)"
mv out parts
works sql one.db :planner --csv # the load of both
awk -F, 'FNR == 1 { next } FILENAME == "parts" { rate[$2] += $3; next }
         (rate[$2] - $3) ^ 2 > 1e-12 { exit 1 }' parts out || fail "$(cat parts out)"
works sql one.db :models_ttft --csv
[[ $(cut -d, -f1 out | sort -u | tr '\n' ' ') == 'chat code series ' ]] || fail "$(cat out)"

# ---- compared, tuned, gated ------------------------------------------------------------------

cat >small.yaml <<'END'
fleet:
  models: [{name: chat, model: llama-3.1-8b, share: 2}, {name: code, model: qwen3-8b}]
generate: {arrival: poisson:20, input_tokens: 300, output_tokens: 20}
trace: {requests: 200}
fleet.workers: 2
slo.ttft: 1s
END
works ab small.yaml --a router=round_robin --b router=least_loaded --db none
awk '/^model  *chat / { sum += $3; getline; sum += $2 } END { exit sum != 200 }' out ||
    fail "classes by model: $(cat out)"
status=0
"$dyno" ab small.yaml --db none --a models=name=chat:model=llama-3.1-8b,name=code:model=qwen3-8b \
    --b models=name=chat:model=llama-3.1-8b:share=5,name=code:model=qwen3-8b >out 2>&1 || status=$?
[[ $status -eq 4 ]] || fail "ended with $status: $(cat out)"
grep -q 'INVALID: 60 requests' out || fail "$(cat out)"

works tune small.yaml --router random --vary router=round_robin,least_loaded --seeds 5 --db none \
    --goal models.chat.ttft_p99 --subject 'models.code.goodput_fraction>=1%'
grep -q '^models.chat.ttft_ms.p99  *as given .* ms  *[0-9.]* to [0-9.]*$' out || fail "$(cat out)"
refuses 2 "models.chatt.ttft_ms.p99: 'chatt' is none of the models of this fleet; did you mean\
 'chat'?" tune small.yaml --vary router=kv,random --goal models.chatt.ttft_p99 --db none
refuses 2 "models.chat.gpu_hours: 'chat' is none of the models of this fleet, which has one\
 (docs/several-models.md)" tune --arrival poisson:1 --requests 9 --vary router=kv,random \
    --goal models.chat.gpu_hours --db none

mkdir suite
cp small.yaml suite
printf '%s\n' 'generate: {arrival: poisson:20}' 'trace: {requests: 100}' >suite/one.yaml
cat >budgets.yml <<'END'
behavior: within_budget
budgets:
  models.chat.ttft_ms.p99: {relative: 2%}
  models: {code: {goodput_fraction: {absolute: 1points}}}
END
gate=(gate --base "$dyno" --suite suite)
works "${gate[@]}" --budgets budgets.yml
status=0
"$dyno" "${gate[@]}" --budgets budgets.yml --head-set timing.ingest_us_per_token=20 >out 2>&1 ||
    status=$?
[[ $status -eq 1 ]] || fail "ended with $status: $(cat out)"
grep -q '^ *models.chat.ttft_ms.p99 .* past 2 %' out || fail "$(cat out)"
sed 's/chat/chatt/' budgets.yml >wrong.yml
refuses 4 "models.chatt.ttft_ms.p99 has a budget, but no scenario of the suite serves a model\
 called chatt" "${gate[@]}" --budgets wrong.yml

# ---- for real --------------------------------------------------------------------------------

# Two models that are computed, each by workers and weights of its own.
works replay --device cpu --arrival poisson:40 --requests 8 --input-tokens 20 --output-tokens 4 \
    --db none --json cpu.json --models name=a:model=austen-2m:workers=1,name=b:model=austen-2m
[[ $(number cpu.json models.a.completed) -gt 0 && $(number cpu.json models.b.completed) -gt 0 ]]
[[ $(number cpu.json requests.completed) == 8 ]]

# A worker of each dies and is started again, and a planner starts workers: nobody is lost.
works replay --device cpu --arrival poisson:40 --requests 8 --input-tokens 20 --output-tokens 4 \
    --db none --json dead.json --models name=a:model=austen-2m:workers=2,name=b:model=austen-2m \
    --fault worker:1@1ms=dead,worker:2@1ms=dead
[[ $(number dead.json requests.completed) == 8 && $(number dead.json faults.deaths) == 2 ]] ||
    fail "who died? $(cat out)"
works replay --device cpu --arrival poisson:40 --requests 8 --input-tokens 20 --output-tokens 4 \
    --db none --json planned.json --planner load --budget 3 --set planner.every=20ms \
    --models name=a:model=austen-2m:workers=2:start=1,name=b:model=austen-2m:workers=2:start=1
[[ $(number planned.json requests.completed) == 8 ]] || fail "requests were lost: $(cat out)"
