stats $data using 1 nooutput
is_short = STATS_max < 2 && STATS_min > -2
set format x "%g"
set xlabel (is_short ? "ms" : "s")." later (1st to 99th percentile)"
set yrange [0:100]
set format y "%g %%"
set arrow from 0, graph 0 to 0, graph 1 nohead lc rgb faint lw 1 dt solid
plot for [i = 0:series-1] $data index i using ($1 * (is_short ? 1e3 : 1)):(100 * $2) with lines \
    title columnheader(1)
