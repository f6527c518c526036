set logscale x
set format x "%.0s %cs"
set xlabel "time to first token"
set ylabel "of requests"
set yrange [0:100]
set format y "%g %%"
plot for [i = 0:series-1] $data index i using 1:(100 * $2) with lines title columnheader(1)
