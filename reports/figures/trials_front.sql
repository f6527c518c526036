-- title: What a tuning gives up for what
-- caption: Every point that keeps to the limits, by the first two goals. Points on the line are
-- caption: better in one than any that is as good in the other; numbers are theirs.
-- empty: There are no trials of dyno tune with two goals among these runs.
-- order: 5
WITH point AS (
    SELECT a.point, a.metric AS metric_a, b.metric AS metric_b, a.value AS a, b.value AS b,
           a.sign AS sign_a, b.sign AS sign_b
    FROM tried AS a JOIN tried AS b ON b.point = a.point AND b.place = 1
    WHERE a.place = 0 AND a.is_good
), judged AS (
    SELECT *, NOT EXISTS (
        SELECT 1 FROM point AS q
        WHERE q.sign_a * (q.a - p.a) >= 0 AND q.sign_b * (q.b - p.b) >= 0
          AND (q.a <> p.a OR q.b <> p.b)) AS best
    FROM point AS p
)
SELECT CASE best WHEN 1 THEN 'best for what they give up' ELSE 'others' END AS kind, a, b, point,
       metric_a, metric_b
FROM judged
ORDER BY best DESC, a;
