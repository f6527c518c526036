eval time_axis
set yrange [0:*]
set format y "%g %%"
plot for [i = 0:series-1] $data index i using ($1/unit):2 with lines title columnheader(1)
