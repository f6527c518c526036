set logscale x
set format x "%.0s%c"
set xlabel "tokens in the cache"
set ylabel "of the prompts' blocks are found"
set format y "%g %%"
set yrange [0:100]
plot $data index 0 using 1:(100 * $2) with lines ls 1 notitle
