eval panels
stats $data using 1 nooutput
last = STATS_max
stats $data using 4 nooutput
last = STATS_max > last ? STATS_max : last
stats $data using 5 nooutput
lines = STATS_max
stats $data using 2 nooutput
slow = STATS_max
eval time_axis
set xrange [0:last / unit]
unset xlabel
set format x ""
set label 1 "" at graph 0, graph 1 offset character 0, 0.8 font ",12" textcolor rgb faint
split = panel_bottom + (lines * 20.0 + 8) / height
set multiplot
set lmargin at screen 0.27
set rmargin at screen 0.95
set tmargin at screen panel_top - 10.0 / height
set bmargin at screen split + 16.0 / height
set yrange [0:*]
set format y (slow < 2 ? "%g ms" : "%g s")
set label 1 "time to first token, mean"
plot for [i = 0:series-1] $data index i using ($1/unit):($2 * (slow < 2 ? 1e3 : 1)) with lines \
    title columnheader(1)
unset key
unset label 1
set tmargin at screen split
set bmargin at screen panel_bottom
set yrange [lines + 0.6 : 0.4]
set format x "%g"
set xlabel time_unit textcolor rgb faint
set style fill solid noborder
unset ytics
plot for [i = 0:series-1] $data index i \
    using ($3/unit):5:($3/unit):($4/unit):($5-0.4+0.8*i/series):($5-0.4+0.8*(i+1)/series) \
    with boxxyerror lc rgb value(sprintf("line%d", i % 6 + 1)) notitle, \
    for [i = 0:series-1] $data index i using (0):5:6 \
    with labels right offset -0.8,0 font ",11" textcolor rgb faint notitle
unset multiplot
