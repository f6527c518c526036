-- title: The slowest first tokens
-- caption: The ten completed requests that waited longest for their first token, and where
-- caption: their time went.
-- empty: No request of these runs was completed.
-- order: 130
SELECT d.label AS "run", r.id AS "request", r.worker AS "worker",
       r.arrival_ns / 1e9 AS "arrival, s",
       r.prompt_tokens AS "prompt tokens", r.cached_tokens AS "found in cache",
       r.ttft_ns / 1e6 AS "TTFT, ms", r.queue_ns / 1e6 AS "queue, ms",
       r.prefill_ns / 1e6 AS "prefill, ms", r.preemptions AS "preemptions"
FROM detail AS d CROSS JOIN request AS r ON r.run = d.run
WHERE r.outcome = 0
ORDER BY r.ttft_ns DESC, d.place, r.id
LIMIT 10;
