# Simulated against measured: the page that a sceptic would look at first.  From the details that
#
#   dyno accuracy --details details -o docs/accuracy.md DIR
#   gnuplot -e "d='details'; out='docs/figures/accuracy.svg'" docs/figures/accuracy.gp
set terminal svg size 900,760 font "sans-serif,12" background "#ffffff"
set output out
set datafile separator ","
set multiplot layout 2,2 margins 0.08,0.98,0.08,0.94 spacing 0.1,0.13
set grid lc rgb "#dddddd"
set border 3 lc rgb "#888888"
set tics nomirror
cdf(column, name) = sprintf("< tail -n +2 '%s/requests-%s.csv' | sort -t, -g -k%d", d, name, column)
set ytics 25 format "%.0f %%"
set yrange [0:100]
set key bottom right

set key top left
set title "Time to first token, request by request: the share below …" font ",12"
set logscale x
set xrange [20:200000]
set xtics ("100 ms" 100, "1 s" 1000, "10 s" 10000, "100 s" 100000)
plot cdf(4, "rtx4090") using 4:($0 / 3.0) with lines lw 5 lc rgb "#b9d3dc" \
         title "RTX 4090, measured", \
     cdf(5, "rtx4090") using 5:($0 / 3.0) with lines lw 1.5 lc rgb "#1f6f8b" title "simulated", \
     cdf(4, "rtx-pro-6000") using 4:($0 / 3.0) with lines lw 5 lc rgb "#ecd0ce" \
         title "RTX PRO 6000, measured", \
     cdf(5, "rtx-pro-6000") using 5:($0 / 3.0) with lines lw 1.5 lc rgb "#b0413e" title "simulated"

set key bottom right
set title "Time per output token, request by request: the share below …" font ",12"
unset logscale x
set xrange [20:65]
set xtics 10 format "%.0f ms"
plot cdf(6, "rtx4090") using 6:($0 / 3.0) with lines lw 5 lc rgb "#b9d3dc" \
         title "RTX 4090, measured", \
     cdf(7, "rtx4090") using 7:($0 / 3.0) with lines lw 1.5 lc rgb "#1f6f8b" title "simulated", \
     cdf(6, "rtx-pro-6000") using 6:($0 / 3.0) with lines lw 5 lc rgb "#ecd0ce" \
         title "RTX PRO 6000, measured", \
     cdf(7, "rtx-pro-6000") using 7:($0 / 3.0) with lines lw 1.5 lc rgb "#b0413e" title "simulated"

served(engine) = sprintf("< grep '^%s,' '%s/served.csv'", engine, d)
set logscale xy
set format x "%.0f"
set format y "%.0f"
set key top left
set xlabel "measured, ms" offset 0,0.6
set ylabel "simulated, ms" offset 2.2
set title "TPOT of servers under a closed loop (H100, H200)" font ",12"
set xrange [4:200]
set yrange [4:200]
set xtics (5, 10, 20, 50, 100, 200)
set ytics (5, 10, 20, 50, 100, 200) format "%.0f"
plot x with lines lc rgb "#888888" notitle, \
     served("vllm") using 11:12 with points pt 7 ps 0.45 lc rgb "#1f6f8b" title "vLLM", \
     served("sglang") using 11:12 with points pt 7 ps 0.45 lc rgb "#b0413e" title "SGLang", \
     served("trtllm") using 11:12 with points pt 7 ps 0.45 lc rgb "#c9a227" title "TensorRT-LLM"

set title "TTFT of the same" font ",12"
set xrange [30:30000]
set yrange [30:30000]
set xtics ("100" 100, "1,000" 1000, "10,000" 10000)
set ytics ("100" 100, "1,000" 1000, "10,000" 10000)
plot x with lines lc rgb "#888888" notitle, \
     served("vllm") using 9:10 with points pt 7 ps 0.45 lc rgb "#1f6f8b" title "vLLM", \
     served("sglang") using 9:10 with points pt 7 ps 0.45 lc rgb "#b0413e" title "SGLang", \
     served("trtllm") using 9:10 with points pt 7 ps 0.45 lc rgb "#c9a227" title "TensorRT-LLM"
unset multiplot
