-- Four runs, all numbers chosen, none simulated: two of the same requests that came to their
-- end, one that failed and one whose process nobody knows.  tests/cli/report_golden.sh makes
-- pages of them.
PRAGMA foreign_keys = ON;
DELETE FROM run;
INSERT INTO run (id, title, command, status) VALUES
    (1, 'llama-3.1-8b on 2 x h100, vllm, round_robin',
     'dyno replay --trace chat.jsonl --workers 2 --slo ttft=1s', 'finished'),
    (2, 'llama-3.1-8b on 2 x h100, vllm, kv',
     'dyno replay --trace chat.jsonl --workers 2 --router kv --slo ttft=1s', 'finished'),
    (3, 'llama-3.1-8b on 4 x h100, vllm, kv', 'dyno replay --workers 4 "<b>" & co', 'failed'),
    (4, 'llama-3.1-8b on 8 x h100, vllm, kv', 'dyno replay --workers 8', 'running');
INSERT INTO run_option (run, name, value, origin)
SELECT id, 'router.policy', CASE id WHEN 1 THEN 'round_robin' ELSE 'kv' END,
       CASE id WHEN 1 THEN 'default' ELSE '--router' END FROM run WHERE id < 3
UNION ALL SELECT id, 'fleet.gpu', 'h100', 'default' FROM run
UNION ALL SELECT id, 'trace.path', 'chat.jsonl', '--trace' FROM run WHERE id < 3;
INSERT INTO host (run, started_at, machine, process)
SELECT id, '2026-01-02T03:04:0' || id || 'Z', 'elsewhere', 1 FROM run;

-- Two hundred requests, ten a second, on two workers; the second run serves them in half the time.
INSERT INTO request (run, id, outcome, worker, prompt_tokens, output_tokens, cached_tokens,
                     preemptions, scheduled_ns, arrival_ns, ready_ns, admitted_ns, first_token_ns,
                     last_token_ns)
WITH RECURSIVE n (id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM n WHERE id < 199),
life AS (
    SELECT run.id AS run, n.id AS id, n.id * 100000000 AS at,
           1000000 * (5 + n.id * 37 % 101) / run.id AS queue,
           1000000 * (20 + n.id * 11 % 53) / run.id AS prefill
    FROM run JOIN n WHERE run.id < 4
)
SELECT run, id, id % 100 = 99, id % 2, 100 + id, 11, 10 * (run - 1), 0, at, at, at + 1000000,
       at + 1000000 + queue, at + 1000000 + queue + prefill,
       at + 1000000 + queue + prefill + 10 * (9000000 + id * 10000)
FROM life;
INSERT INTO sample (run, at_ns, worker, running, waiting, blocks_used, blocks_idle, blocks_total,
                    tokens_out, busy_ns)
WITH RECURSIVE n (s) AS (SELECT 0 UNION ALL SELECT s + 1 FROM n WHERE s < 20)
SELECT run.id, s * 1000000000, w.column1, s % 7, s % 3, s * 4, 10, 100, s * 50,
       s * 300000000 + s / 4 * 500000000 * w.column1
FROM run JOIN n JOIN (VALUES (0), (1)) AS w WHERE run.id < 3;
INSERT INTO run_metric (run, metric, value)
SELECT run.id, m.column1, m.column2 * CASE WHEN m.column1 LIKE '%_ms.%' THEN 1.0 / run.id ELSE 1 END
FROM run JOIN (VALUES
    ('trace.requests', 200), ('trace.input_tokens', 39900), ('trace.output_tokens', 2200),
    ('requests.completed', 198), ('requests.rejected', 2), ('requests.cancelled', 0),
    ('requests.failed', 0), ('duration_s', 20.1), ('ttft_ms.mean', 101.5), ('ttft_ms.p50', 102),
    ('ttft_ms.p95', 151), ('ttft_ms.p99', 168), ('tpot_ms.mean', 10), ('tpot_ms.p50', 10),
    ('tpot_ms.p99', 10.98), ('itl_ms.p99', 10.98), ('e2e_ms.mean', 201.5), ('e2e_ms.p50', 202),
    ('e2e_ms.p99', 270), ('intervals.ttft_ms.mean.low', 90), ('intervals.ttft_ms.mean.high', 120),
    ('throughput.requests_per_s', 9.851), ('throughput.output_tokens_per_s', 108.36),
    ('goodput.requests_per_s', 9.851), ('goodput.fraction', 0.99), ('goodput.per_gpu', 4.925),
    ('fleet.gpus', 2), ('fleet.gpu_hours', 0.01117), ('fleet.busy_fraction', 0.5),
    ('fleet.mfu', NULL), ('fleet.kv_use', 0.4), ('kv.token_hit_rate', 0.05), ('kv.preemptions', 0),
    ('phases_ms.ingest.mean', 1), ('phases_ms.queue.mean', 54.5), ('phases_ms.prefill.mean', 46),
    ('phases_ms.transfer.mean', 0), ('phases_ms.decode.mean', 100)) AS m
WHERE run.id < 3;

-- Two models, one with a name that no page may take for its own words, and a planner that looks
-- every two seconds.
INSERT INTO model (run, number, name, model, gpu, workers, gpus)
SELECT run.id, m.column1, m.column2, m.column3, 'h100', 1, m.column1 + 1
FROM run JOIN (VALUES (0, 'chat', 'llama-3.1-8b'), (1, 'code & <b>', 'qwen3-8b')) AS m
WHERE run.id < 3;
UPDATE request SET model = id % 2;
INSERT INTO run_metric (run, metric, value)
SELECT run.id, 'models.' || k.column1 || '.' || m.column1,
       m.column2 / CASE WHEN m.column1 LIKE '%_ms.%' THEN run.id ELSE 1 END
FROM run JOIN (VALUES ('chat'), ('code____b_')) AS k JOIN (VALUES
    ('requests', 100.0), ('completed', 99.0), ('requests_per_s', 4.9), ('goodput_fraction', 0.99),
    ('ttft_ms.p50', 101.0), ('ttft_ms.p99', 167.0), ('tpot_ms.p50', 10.0), ('token_hit_rate', 0.1),
    ('gpu_hours', 0.0055)) AS m
WHERE run.id < 3;
INSERT INTO plan (run, at_ns, role, model, before, asked, desired, reason, ready, starting,
                  draining, coming, heard, running, waiting, lobby, rate, forecast_rate)
WITH RECURSIVE n (s) AS (SELECT 2 UNION ALL SELECT s + 2 FROM n WHERE s < 20)
SELECT run.id, s * 1000000000, 'serve', m.column1, 1, 1, 1, 'held', 1 + (s > 10) * m.column1,
       s = 10, 0, 0, 1, 1, 0, 0, 5 - m.column1 + s % 3, 5
FROM run JOIN n JOIN (VALUES (0), (1)) AS m WHERE run.id < 3;
INSERT INTO run_metric (run, metric, value)
SELECT run.id, m.column1, m.column2 FROM run JOIN (VALUES
    ('planner.decisions', 2), ('planner.starts', 1), ('planner.gpu_hours', 0.011)) AS m
WHERE run.id < 3;

-- What went wrong: a worker gone in both runs, one that was slow, and a switch.
INSERT INTO fault (run, number, at_ns, until_ns, kind, what, target, slowness, requests) VALUES
    (1, 0, 5000000000, 8000000000, 'death', 'worker', 1, 0, 3),
    (1, 1, 10000000000, 12000000000, 'stall', 'worker', 0, 3, 0),
    (2, 0, 5000000000, 8000000000, 'death', 'worker', 1, 0, 2),
    (2, 1, 15000000000, NULL, 'link', 'left', 1, 0, 0);
INSERT INTO run_metric (run, metric, value)
SELECT run.id, m.column1, m.column2 FROM run JOIN (VALUES
    ('faults.deaths', 1), ('faults.stalls', 1), ('faults.link_outages', 1),
    ('faults.requests_migrated', 3), ('faults.requests_lost', 0)) AS m
WHERE run.id < 3;
