stats $data using 2 nooutput
last = STATS_max
eval time_axis
set xrange [0:last / unit]
unset key
unset grid
unset border
set tics scale 0
set tmargin 1.6
set bmargin 2
set lmargin 4
unset xlabel
set format x "%g ".time_letter
set style fill solid noborder
array lines[series]
do for [i = 0:series-1] {
    stats $data index i using 3 nooutput
    lines[i+1] = STATS_max
}
set label 1 "" at graph 0, graph 1.14 font ",12" textcolor rgb faint
set multiplot layout series,1
do for [i = 0:series-1] {
    set yrange [lines[i+1] + 0.5 : -0.5]
    if (lines[i+1] < 9) { set ytics 0, 1 font ",11" } else { unset ytics }
    set label 1 (series > 1 ? name[i+1] : "")
    plot $data index i using ($1/unit):3:($1/unit):($2/unit):($3-0.46):($3+0.46):(shade[$4+1]) \
        with boxxyerror lc rgb variable, \
        keyentry with lines lc rgb faint title ""
}
unset multiplot
