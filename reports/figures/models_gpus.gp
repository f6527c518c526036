eval panels
eval time_axis
unset xlabel
set format x ""
set yrange [0:*]
set label 1 "" at graph 0, graph 1.08 font ",12" textcolor rgb faint
set multiplot layout 2,1 margins 0.13, 0.95, panel_bottom, panel_top \
    spacing 0, 36.0 / height
set label 1 "requests a second"
plot for [i = 0:series-1] $data index i using ($1/unit):2 with lines title columnheader(1)
unset key
set label 1 "GPUs"
set format x "%g"
set xlabel time_unit textcolor rgb faint
plot for [i = 0:series-1] $data index i using ($1/unit):3 with steps ls i+1 notitle
unset multiplot
