eval time_axis
set ylabel "requests a second"
set yrange [0:*]
plot $data index 0 using ($1 / unit):2 with steps ls 1 notitle
