stats $data index 0 using (across = strcol(4), up = strcol(5), $1) nooutput
stats $data using 1 name "A" nooutput
stats $data using 2 name "B" nooutput
set xlabel across
set ylabel up
# A point far off would press the others to the wall.
if (A_min > 0 && A_max > 20 * A_min) { set logscale x; set format x "%.0s%c" }
if (B_min > 0 && B_max > 20 * B_min) { set logscale y; set format y "%.0s%c" }
if (!(B_min > 0 && B_max > 20 * B_min)) set offsets graph 0.1, graph 0.08, graph 0.08, graph 0.04
# Of many on the line the first and the last have their numbers: others would lie on one another.
stats $data index 0 using 1 name "LINE" nooutput
told = LINE_records > 5 ? LINE_records - 1 : 1
set linetype 1 dt solid pt 7 ps 0.7
plot for [i = 1:series-1] $data index i using 1:2 with points pt 7 ps 0.5 lc rgb faint \
         title columnheader(1), \
     $data index 0 using 1:2 with linespoints ls 1 title columnheader(1), \
     $data index 0 using 1:2:(sprintf("%d", int($3))) every told::1 with labels offset 0.9,0.7 \
         textcolor rgb ink font ",11" notitle
