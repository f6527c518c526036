# What all figures share: quiet axes, a grid, names above.  Colours by name (line1 ... line6, heat0
# ... heat7, ink, faint, grid) and the number of series were set before; see reports/exhibit.h.
set datafile missing "NaN"
set border 3 lc rgb faint lw 0.8
set grid lc rgb grid lw 0.8 dt solid
set tics nomirror textcolor rgb faint
set xlabel textcolor rgb faint
set ylabel textcolor rgb faint
set key above left Left reverse samplen 2 textcolor rgb ink maxrows 4
if (series < 2) unset key
set rmargin 4

# For figures of several panels: the names stand above all of them, and those begin at panel_top.
longest = 0
do for [i = 1:series] { longest = strlen(name[i]) > longest ? strlen(name[i]) : longest }
key_columns = longest < 38 ? 44 / (longest + 6) : 1
key_rows = series > 4 ? (series + 1) / 2 : series
key_rows = (series - 1) / key_columns + 1 < key_rows ? (series - 1) / key_columns + 1 : key_rows
panel_top = 1 - (series > 1 ? 24 + 20.0 * key_rows : 26.0) / height
panel_bottom = 56.0 / height
panels = 'set ytics font ",11"; \
    if (series > 1) set key at screen 0.54, screen 0.99 center top horizontal maxrows key_rows'

# For figures whose first number is a time in seconds: `unit`, its words, and the axis.
time_axis = 'stats $data using 1 nooutput; \
    unit = STATS_max > 10800 ? 3600.0 : STATS_max > 300 ? 60.0 : 1.0; \
    time_unit = unit == 3600 ? "hours" : unit == 60 ? "minutes" : "seconds"; \
    time_letter = unit == 3600 ? "h" : unit == 60 ? "min" : "s"; \
    set xlabel time_unit textcolor rgb faint; \
    set xrange [0:STATS_max / unit]'
