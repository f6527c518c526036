set xlabel "GPUs"
set ylabel "good requests a second"
set xrange [0:*]
set yrange [0:*]
set offsets graph 0.04, graph 0.04, graph 0.04, 0
plot for [i = 0:series-1] $data index i using 1:2 with linespoints title columnheader(1)
