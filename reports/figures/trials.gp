stats $data index 0 using (metric = strcol(3), $1) nooutput
set xlabel "point"
set ylabel metric
set autoscale xfix
set offsets graph 0.02, graph 0.02, graph 0.08, graph 0.04
plot $data index 0 using 1:2 with steps ls 1 title columnheader(1), \
     for [i = 1:series-1] $data index i using 1:2 with points pt 7 ps 0.5 \
         lc rgb (name[i + 1] eq "within the limits" ? ink : faint) title columnheader(1)
