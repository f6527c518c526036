typedef int dyno_empty;
