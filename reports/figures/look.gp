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
