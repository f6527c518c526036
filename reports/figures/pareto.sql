-- title: Throughput of a GPU against speed for a reader
-- caption: Every run: output tokens a second for each GPU over those that one reader gets
-- caption: (from the median TPOT). Runs on the line are better in one than any run that is
-- caption: as good in the other; numbers are theirs.
-- empty: There are fewer than three runs with GPUs that came to their end.
-- order: 62
WITH point AS (
    SELECT c.run,
           1e3 / (SELECT value FROM run_metric WHERE run = c.run AND metric = 'tpot_ms.p50')
               AS reader,
           (SELECT value FROM run_metric
            WHERE run = c.run AND metric = 'throughput.output_tokens_per_s')
               * (SELECT value FROM run_metric WHERE run = c.run AND metric = 'duration_s')
               / (SELECT 3600 * value FROM run_metric
                  WHERE run = c.run AND metric = 'fleet.gpu_hours') AS gpu
    FROM chosen AS c WHERE c.status = 'finished'
), known AS (
    SELECT * FROM point WHERE reader IS NOT NULL AND gpu IS NOT NULL
), judged AS (
    SELECT *, NOT EXISTS (SELECT 1 FROM known AS b
                          WHERE b.reader >= a.reader AND b.gpu >= a.gpu
                            AND (b.reader > a.reader OR b.gpu > a.gpu)) AS best
    FROM known AS a
)
SELECT CASE best WHEN 1 THEN 'best for what they give up' ELSE 'others' END AS kind,
       reader, gpu, run
FROM judged WHERE (SELECT count(*) FROM known) >= 3
ORDER BY best DESC, reader;
