stats $data index 0 using (across = strcol(4), up = strcol(5), $1) nooutput
set xlabel across
set ylabel up
set offsets graph 0.1, graph 0.08, graph 0.08, graph 0.04
set linetype 1 dt solid pt 7 ps 0.7
plot for [i = 1:series-1] $data index i using 1:2 with points pt 7 ps 0.5 lc rgb faint \
         title columnheader(1), \
     $data index 0 using 1:2 with linespoints ls 1 title columnheader(1), \
     $data index 0 using 1:2:(sprintf("%d", int($3))) every ::1 with labels offset 0.9,0.7 \
         textcolor rgb ink font ",11" notitle
