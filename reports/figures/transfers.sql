-- title: Prompts moved between workers
-- caption: Prompts a second whose KV went from the worker that computed it to the one that
-- caption: decodes, and how long their next token waited for it, on average.
-- empty: No prompt was moved in these runs (--disagg).
-- order: 45
-- size: 480x400
-- Found once a run: the last token of all is not to be looked for at every request.
WITH span AS MATERIALIZED (
    SELECT place, run, label,
           (SELECT max(first_token_ns) FROM request WHERE run = d.run) + 1 AS end_ns
    FROM detail AS d
    WHERE (SELECT value FROM run_metric WHERE run = d.run AND metric = 'transfers.count') > 0
)
SELECT label, (r.first_token_ns * 120 / end_ns + 0.5) * end_ns / 120 / 1e9 AS s,
       count(*) * 120e9 / end_ns AS moved_per_s, avg(r.transfer_ns) / 1e9 AS waited_s
FROM span CROSS JOIN request AS r ON r.run = span.run
WHERE r.prefill_worker IS NOT NULL AND r.outcome = 0
GROUP BY place, r.first_token_ns * 120 / end_ns
ORDER BY place, s;

SELECT group_concat(printf('%s: %d prompts moved, %s each', d.label, n.value,
                           span_words(m.value)), '; ')
FROM detail AS d
JOIN run_metric AS n ON n.run = d.run AND n.metric = 'transfers.count' AND n.value > 0
JOIN run_metric AS m ON m.run = d.run AND m.metric = 'phases_ms.transfer.mean';
