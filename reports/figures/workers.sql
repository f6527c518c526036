-- title: Workers
-- caption: How the load fell on them, means over their requests; the first 200.
-- empty: No request came to a worker.
-- order: 120
SELECT d.label AS "run", w.worker AS "worker", w.requests AS "requests",
       w.prompt_tokens AS "prompt tokens",
       100.0 * w.cached_tokens / nullif(w.prompt_tokens, 0) AS "found in cache, %",
       w.output_tokens AS "output tokens", w.preemptions AS "preemptions",
       w.queue_ms_mean AS "queue, ms", w.ttft_ms_mean AS "TTFT, ms"
FROM detail AS d JOIN worker_load AS w ON w.run = d.run
ORDER BY d.place, w.worker
LIMIT 200;
