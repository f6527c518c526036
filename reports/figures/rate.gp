eval panels
set logscale y
set format y "%.0s %cs"
set format x ""
set offsets graph 0.02, graph 0.02, 0, 0
set label 1 "" at graph 0, graph 1.08 font ",12" textcolor rgb faint
set multiplot layout 2,1 margins 0.13, 0.95, panel_bottom, panel_top \
    spacing 0, 36.0 / height
set label 1 "TTFT p99"
plot for [i = 0:series-1] $data index i using 1:2 with linespoints title columnheader(1)
unset key
set label 1 "TPOT p99"
set format x "%g"
set xlabel "requests a second"
plot for [i = 0:series-1] $data index i using 1:3 with linespoints title columnheader(1)
unset multiplot
