set key maxrows 2 samplen 1
set style fill solid noborder
unset grid
set grid x
set border 1
set xlabel "seconds, mean"
set xrange [0:*]
set yrange [*:*] reverse
set offsets 0, 0, 0.5, 0.5
set tics scale 0
plot for [i = 0:series-1] $data index i using 1:3:1:2:($3-0.3):($3+0.3):ytic(4) \
    with boxxyerror lc rgb value(sprintf("line%d", i + 1)) title columnheader(1)
