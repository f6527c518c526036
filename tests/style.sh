#!/usr/bin/env bash
# Rejects what a compiler lets pass: long files and functions, tabs and trailing blanks, functions
# that are banned here, header guards that do not match their path, unfinished business.
#
# usage: tests/style.sh [ROOT]
#
# Before it judges the tree it judges small files with one mistake each, and fails if it misses one.
set -euo pipefail

script=$(readlink -f "$0")
clang_format_major=14 # other versions break some lines elsewhere

# Which functions may not be called where: FOLDERS, then an extended regular expression.
banned() {
    cat <<'END'
* v?sprintf|strn?cpy|strn?cat|gets|strtok|s?rand|random|drand48|ato[ifl]l?|alloca
* localtime|gmtime|ctime|asctime|mktime|gettimeofday
core/,sim/,traces/ time|clock_gettime|clock|nanosleep|usleep|sleep
core/,sim/ a?(sin|cos|tan)h?|atan2|exp|exp2|exp10|expm1|log|log2|log10|log1p|pow|sqrt|cbrt|hypot
core/,sim/ floor|ceil|trunc|round|l?lround|l?lrint|rint|nearbyint|fmod|remainder|modf|frexp|ldexp
core/,sim/ erfc?|tgamma|lgamma|fma|fmin|fmax|fabs|copysign|scalbn
core/,sim/ printf|puts|putchar|fopen|getenv
END
}

# "file:line: why" for what is wrong with the C files among the arguments.
wrong_c() {
    awk -v banned="$(banned)" '
        function says(line, why) { printf "%s:%d: %s\n", FILENAME, line, why }
        function begins(text, prefix) { return substr(text, 1, length(prefix)) == prefix }
        function guard_of(path) {
            gsub(/[^A-Za-z0-9]/, "_", path)
            return "DYNO_" toupper(path)
        }
        # The line without comments and without what is between quotes.
        function code_of(text,    start) {
            if (!in_comment && text !~ /["\\\/]/) return text
            gsub(/\\./, "", text)
            gsub(/"[^"]*"/, "\"\"", text)
            if (in_comment) {
                if (!index(text, "*/")) return ""
                text = substr(text, index(text, "*/") + 2)
                in_comment = 0
            }
            while ((start = index(text, "/*"))) {
                if (!index(substr(text, start + 2), "*/")) {
                    in_comment = 1
                    return substr(text, 1, start - 1)
                }
                sub(/\/\*([^*]|\*+[^*\/])*\*+\//, " ", text)
            }
            sub(/\/\/.*/, "", text)
            return text
        }
        function here(folders,    n, i, folder) {
            n = split(folders, folder, ",")
            for (i = 1; i <= n; i++) {
                if (folder[i] == "*" || begins(FILENAME, folder[i])) return 1
            }
            return 0
        }
        function end_file() {
            if (last == "") return
            if (last !~ /_(table|rows)\.c$/ && lines > 600) {
                printf "%s:%d: a file of more than 600 lines\n", last, lines
            }
            if (last ~ /\.(h|cuh)$/ && (guard != guard_of(last) || defined != guard)) {
                printf "%s:1: the include guard is not %s\n", last, guard_of(last)
            }
        }
        BEGIN {
            rules = split(banned, rule, "\n")
            for (i = 1; i <= rules; i++) {
                folders[i] = rule[i]; sub(/ .*/, "", folders[i])
                names = substr(rule[i], length(folders[i]) + 2)
                calls[i] = "(^|[^A-Za-z0-9_.>])(" names ")f?[ \t]*\\("
                any = any (i > 1 ? "|" : "") names
            }
            any = "(^|[^A-Za-z0-9_.>])(" any ")f?[ \t]*\\("
        }
        FNR == 1 { end_file(); last = FILENAME; guard = defined = ""; in_comment = 0; opened = 0 }
        { lines = FNR; code = code_of($0) }
        /^#ifndef / && guard == "" { guard = $2 }
        /^#define / && defined == "" { defined = $2 }
        /^\{/ { opened = FNR }
        /^\}/ && opened {
            if (FNR - opened + 1 > 70) says(opened, "a function of more than 70 lines")
            opened = 0
        }
        code ~ any {
            for (i = 1; i <= rules; i++) {
                if (code ~ calls[i] && here(folders[i])) {
                    match(code, calls[i])
                    name = substr(code, RSTART, RLENGTH)
                    gsub(/[^A-Za-z0-9_]/, "", name)
                    says(FNR, name "() is banned here")
                }
            }
        }
        END { end_file() }
    ' "$@"
}

# The same for any text file.  The words are in halves so that this file does not hold them.
wrong_text() {
    local unfinished='TO''DO|FIX''ME' machine='(^|[^A-Za-z0-9_./])/(work|home|root)/'

    LC_ALL=C awk -v unfinished="$unfinished" -v machine="$machine" '
        function says(why) { printf "%s:%d: %s\n", FILENAME, FNR, why }
        # Characters of UTF-8: all bytes but those that continue one.
        function columns(text) { gsub(/[\200-\277]/, "", text); return length(text) }
        /\t/ { says("a tab") }
        /[ \t\r]$/ { says("a trailing blank") }
        $0 ~ machine { says("a path of somebody'\''s machine") }
        $0 ~ unfinished { says("unfinished business") }
        length($0) > 100 && columns($0) > 100 &&
            FILENAME !~ /\.(md|json|txt)$/ { says("more than 100 columns") }
    ' "$@"
    if [[ -n $(tail -q -c 1 "$@") ]]; then # of all in one process
        for file in "$@"; do
            [[ -z $(tail -c 1 "$file") ]] || printf '%s: the last line has no end\n' "$file"
        done
    fi
}

# Everything that is wrong below the folder $1, but for the layout.
wrong_style() {
    local c_files text_files

    cd "$1"
    mapfile -t text_files < <(find . \( -name .git -o -name build -o -path './traces/samples' \) \
        -prune -o -type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.sql' -o -name '*.md' \
        -o -name '*.gp' -o -name CMakeLists.txt -o -name CMakePresets.json -o -name test \
        -o -name quickstart -o -name '*.cu' -o -name '*.cuh' -o -name '*.cpp' \) \
        -printf '%P\n' | sort)
    mapfile -t c_files < <(printf '%s\n' "${text_files[@]}" | grep -E '\.(c|h|cu|cuh|cpp)$')
    wrong_text "${text_files[@]}"
    if [[ ${#c_files[@]} -gt 0 ]]; then
        wrong_c "${c_files[@]}"
    fi
}

# The first place in each file below the folder $1 that clang-format would change.
wrong_layout() {
    cd "$1"
    find . \( -name .git -o -name build \) -prune -o \( -name '*.[ch]' -o -name '*.cu' \
        -o -name '*.cuh' -o -name '*.cpp' \) -printf '%P\0' |
        { xargs -0 -r clang-format --dry-run -Werror --ferror-limit=1 2>&1 || true; } |
        sed -n 's/:[0-9]*:[0-9]*: error: code should be .*/: clang-format has it otherwise/p' |
        sort -u
}

# A file with the text $2 must get $3 complaints that hold the words $4.
expect() {
    local file=$1 text=$2 due=$3 words=$4 tree got

    tree=$(mktemp -d)
    mkdir -p "$tree/$(dirname "$file")"
    printf '%b' "$text" >"$tree/$file"
    got=$(wrong_style "$tree" | grep -c "$words" || true)
    rm -r "$tree"
    if [[ $got -ne $due ]]; then
        printf 'style.sh: self-check: "%s" in %s was found %d times, not %d\n' \
            "$words" "$file" "$got" "$due" >&2
        exit 1
    fi
}

self_check() {
    local many guard='#ifndef DYNO_CORE_A_H\n#define DYNO_CORE_A_H\n#endif\n'

    many=$(printf '    x++;\\n%.0s' {1..69})
    expect core/a.c "int f(void)\n{\n$many}\n" 1 '70 lines'
    expect core/a.c "int f(void)\n{\n${many#*n}}\n" 0 '70 lines'
    many=$(printf 'int x;\\n%.0s' {1..601})
    expect core/a.c "$many" 1 '600 lines'
    expect core/gpu_table.c "$many" 0 '600 lines'
    expect core/a.h "$guard" 0 'guard'
    expect core/b.h "$guard" 1 'guard'
    expect kernels/cuda/b.cuh "$guard" 1 'guard'
    expect kernels/cuda/a.cu '\tint x;\n' 1 'a tab'
    expect core/a.c '\tint x;\n' 1 'a tab'
    expect core/a.c 'int x; \n' 1 'trailing'
    expect core/a.c 'int x;' 1 'no end'
    expect core/a.c 'x = log(y) + dyno_log(z);\n' 1 'log() is banned'
    expect core/a.c '/* log(x) and\n * exp(x) */ x = "pow(x)";\n' 0 'banned'
    expect core/a.c '/* one */ x = sqrtf (y); /* two */\n' 1 'sqrtf() is banned'
    expect reports/a.c 'x = sqrt(y);\n' 0 'banned'
    expect reports/a.c 'sprintf(x, y);\n' 1 'banned'
    expect reports/a.c 'snprintf(x, y); ops->time(z); run_time(z);\n' 0 'banned'
    expect traces/a.c 'now = time(NULL);\n' 1 'banned'
    expect cli/a.c "$(printf 'x%.0s' {1..101})"'\n' 1 '100 columns'
    expect cli/a.c "$(printf '–%.0s' {1..100})"'\n' 0 '100 columns'
    expect cli/a.c "$(printf '–%.0s' {1..101})"'\n' 1 '100 columns'
    expect docs/a.md "see /ho""me/somebody/x and ../home/y\n" 1 'machine'
    expect cli/a.c '/* TO''DO */\n' 1 'unfinished'
}

main() {
    local root=${1:-$(dirname "$script")/..} found

    self_check
    found=$(wrong_style "$root")
    if ! clang-format --version 2>/dev/null | grep -q "version $clang_format_major\."; then
        echo "clang-format $clang_format_major is not here: the layout was skipped"
    else
        found+=$(printf '\n'; wrong_layout "$root")
    fi
    found=$(printf '%s\n' "$found" | sed '/^$/d')
    if [[ -n $found ]]; then
        printf '%s\n' "$found"
        exit 1
    fi
    echo "The style is kept."
}

main "$@"
