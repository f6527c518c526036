# Time to first token under three routers, from a database of three runs:
#
#   for router in round_robin least_loaded kv; do
#       dyno replay --trace traces/samples/chat-prefix.jsonl --workers 8 \
#           --router $router --db routers.db
#   done
#   gnuplot -e "db='routers.db'; out='docs/figures/routers.svg'" docs/figures/routers.gp
set terminal svg size 760,400 font "sans-serif,13" background "#ffffff"
set output out
query(run) = sprintf("< sqlite3 -separator ' ' %s \"" \
    . "select ttft_ms, 100.0 * (row_number() over (order by ttft_ms)) / count(*) over () " \
    . "from request_latency where run = %d\"", db, run)
set logscale x
set xrange [20:10000]
set yrange [0:100]
set xtics ("20 ms" 20, "50 ms" 50, "100 ms" 100, "200 ms" 200, "500 ms" 500, \
           "1 s" 1000, "2 s" 2000, "5 s" 5000, "10 s" 10000)
set ytics 25 format "%.0f %%"
set grid lc rgb "#dddddd"
set border 3 lc rgb "#888888"
set tics nomirror
set key bottom right
set title "Requests whose first token came within …" font ",14"
plot query(1) using 1:2 with lines lw 2.5 lc rgb "#b0413e" title "round robin", \
     query(2) using 1:2 with lines lw 2.5 lc rgb "#c9a227" title "least loaded", \
     query(3) using 1:2 with lines lw 2.5 lc rgb "#1f6f8b" title "kv"
