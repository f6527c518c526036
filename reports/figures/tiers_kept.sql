-- title: KV kept, tier by tier
-- caption: The share of the blocks of every tier that hold KV, over time, whether a sequence uses
-- caption: it or not: of one run all tiers, of several those below the GPUs' memory.
-- empty: These runs have no tier below the GPUs' memory (--tier), or no samples were recorded.
-- order: 32
-- size: 480x300
WITH span AS MATERIALIZED (
    SELECT place, run, label, (SELECT max(at_ns) FROM sample WHERE run = d.run) AS last_ns
    FROM detail AS d WHERE EXISTS (SELECT 1 FROM tier_sample AS t WHERE t.run = d.run)
), kept AS (
    SELECT s.run, s.at_ns, 1 AS level, sum(s.blocks_used + s.blocks_idle) AS blocks,
           sum(s.blocks_total) AS total
    FROM span CROSS JOIN sample AS s ON s.run = span.run
    WHERE (SELECT count(*) FROM span) = 1
    GROUP BY s.run, s.at_ns
    UNION ALL
    SELECT t.run, t.at_ns, t.level, sum(t.blocks_kept + t.blocks_moving), sum(t.blocks_total)
    FROM span CROSS JOIN tier_sample AS t ON t.run = span.run
    GROUP BY t.run, t.at_ns, t.level
)
SELECT CASE (SELECT count(*) FROM span) WHEN 1 THEN '' ELSE label || ', ' END ||
           CASE level WHEN 1 THEN 'GPUs' WHEN 2 THEN 'host memory' WHEN 3 THEN 'NVMe'
                      ELSE 'store' END AS tier,
       avg(at_ns) / 1e9 AS s, 100.0 * sum(blocks) / sum(total) AS percent
FROM span JOIN kept USING (run)
GROUP BY place, level, at_ns * 200 / (last_ns + 1)
HAVING sum(total) > 0
ORDER BY place, level, s;
