-- title: Queue, batch and KV cache over time
-- caption: Requests that wait in the workers' queues, requests in their batches, and the
-- caption: share of KV blocks held by them: of the whole fleet, the mean of each stretch of
-- caption: time.
-- empty: No samples were recorded (--sample-every).
-- order: 30
-- size: 480x500
WITH span AS (
    SELECT place, run, label, (SELECT max(at_ns) FROM sample WHERE run = d.run) AS last_ns
    FROM detail AS d
), instant AS (
    SELECT s.run, s.at_ns, sum(s.waiting) AS waiting, sum(s.running) AS running,
           100.0 * sum(s.blocks_used) / nullif(sum(s.blocks_total), 0) AS kv_use
    FROM span CROSS JOIN sample AS s ON s.run = span.run
    GROUP BY s.run, s.at_ns
)
SELECT label, avg(at_ns) / 1e9 AS s, avg(waiting) AS waiting, avg(running) AS running,
       avg(kv_use) AS kv_use
FROM span JOIN instant USING (run)
GROUP BY place, at_ns * 200 / (last_ns + 1)
ORDER BY place, s;

SELECT group_concat(printf('%s: %.3g of the KV cache in use on average, %s in the queue',
                           d.label, kv.value, span_words(queue.value)), '; ')
FROM detail AS d
JOIN run_metric AS kv ON kv.run = d.run AND kv.metric = 'fleet.kv_use'
JOIN run_metric AS queue ON queue.run = d.run AND queue.metric = 'phases_ms.queue.mean';
