set logscale x 2
set xtics 1, 8
set xlabel "tokens, twice as many a bar"
set ylabel "of requests"
set format y "%g %%"
set yrange [0:*]
plot for [i = 0:series-1] $data index i using 1:(100 * $2) with steps title columnheader(1)
