set format x "%g s"
set xlabel "later by (1st to 99th percentile)"
set yrange [0:100]
set format y "%g %%"
set arrow from 0, graph 0 to 0, graph 1 nohead lc rgb faint lw 1 dt solid
plot for [i = 0:series-1] $data index i using 1:(100 * $2) with lines title columnheader(1)
