set logscale x 2
set xlabel "requests in a session, twice as many a bar"
set ylabel "of sessions"
set format y "%g %%"
set yrange [0:*]
plot $data index 0 using 1:(100 * $2) with steps ls 1 notitle
