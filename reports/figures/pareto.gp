set xlabel "output tokens a second for one reader"
set ylabel "for each GPU"
set offsets graph 0.1, graph 0.08, graph 0.08, graph 0.04
# Of many on the line the first and the last have their numbers: others would lie on one another.
stats $data index 0 using 1 name "LINE" nooutput
told = LINE_records > 5 ? LINE_records - 1 : 1
set linetype 1 dt solid pt 7 ps 0.7
plot for [i = 1:series-1] $data index i using 1:2 with points pt 7 ps 0.5 lc rgb faint \
         title columnheader(1), \
     $data index 0 using 1:2 with linespoints ls 1 title columnheader(1), \
     $data index 0 using 1:2:(sprintf("%d", int($3))) every told::1 with labels offset 0.9,0.7 \
         textcolor rgb ink font ",11" notitle
