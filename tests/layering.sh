#!/usr/bin/env bash
# Rejects an #include that runs the wrong way.
#
# usage: tests/layering.sh [ROOT]
#
# Arrows: cli -> {sim, backends, traces, reports} -> core, never sideways and never up; inside
# core base <- model <- {kv, route, plan} <- worker <- run, and inside cli scenario <- assembly <-
# commands.  No two folders of these include each other, not by way of others either.  A header of
# the system or of a library may be included only where it is listed.  Before it judges the tree it
# judges small trees with one mistake each, and fails if it misses one.
set -euo pipefail

script=$(readlink -f "$0")

# FROM TO...: files whose path begins with FROM may include headers whose path begins with one of
# TO.  The longest FROM that fits is the one that counts.
ours() {
    cat <<'END'
core/base/ core/base/
core/model/ core/base/ core/model/
core/kv/ core/base/ core/model/ core/kv/
core/route/ core/base/ core/model/ core/route/
core/route/policy.h
core/route/examples/ core/route/policy.h
core/plan/ core/base/ core/model/ core/plan/
core/worker/ core/base/ core/model/ core/kv/ core/route/ core/plan/ core/worker/
core/run/ core/
sim/ core/ sim/
kernels/ kernels/
backends/ core/ kernels/ backends/host/ backends/posix/ backends/assets/ backends/engine/
backends/door/ core/ kernels/ backends/ dashboard_page.h
backends/cpu/ core/ kernels/ backends/assets/ backends/engine/ backends/store/ backends/cpu/
backends/store/ core/ kernels/ backends/assets/ backends/store/
backends/cuda/ core/ kernels/ backends/assets/ backends/engine/ backends/store/ backends/cuda/
backends/ucx/ core/ kernels/ backends/assets/ backends/engine/ backends/cpu/ backends/store/
backends/ucx/worker core/ kernels/ backends/assets/ backends/http/listen.h
backends/openai/ core/base/ backends/openai/ openapi_json.h
backends/http/ core/base/ backends/http/
backends/client/ core/ backends/client/
backends/load/ core/ backends/assets/ backends/client/ backends/load/
backends/remote/ core/ backends/client/ backends/engine/ backends/posix/ backends/remote/
backends/remote/reply backends/load/answer.h backends/load/json_skim.h backends/remote/reply.h
traces/ core/ traces/
reports/ core/ reports/ schema_sql.h chosen_sql.h look_gp.h exhibit_texts.h report_css.h report_js.h
cli/ core/ sim/ kernels/ backends/ traces/ reports/ cli/
cli/scenario/ core/ sim/ backends/ traces/ reports/ cli/scenario/
cli/assembly/ core/ sim/ backends/ traces/ reports/ cli/scenario/ cli/assembly/
cli/trace/figures core/ traces/ reports/ cli/ trace_
tests/ core/ sim/ kernels/ backends/ traces/ reports/ cli/ tests/
END
}

# HEADER FROM...: where a header in angle brackets may be included, in one line or several; * is
# everywhere.  The core and the simulator see no clock, no thread and no operating system; of math.h
# they use isfinite and its like, for tests/style.sh rejects the functions.
theirs() {
    cat <<'END'
assert.h *
ctype.h *
errno.h *
float.h *
inttypes.h *
limits.h *
stdarg.h *
stdbool.h *
stddef.h *
stdint.h *
stdio.h *
stdlib.h *
string.h *
strings.h *
math.h *
stdatomic.h kernels/ reports/ backends/ cli/ tests/
signal.h core/run/ backends/posix/ backends/journal/ backends/http/ reports/ traces/ cli/ tests/
time.h backends/posix/ backends/engine/ backends/http/ backends/door/ reports/ cli/ tests/
time.h backends/client/ backends/nvml/ backends/ucx/
time.h backends/cuda/
signal.h backends/remote/
nlopt.h cli/
dlfcn.h backends/ cli/ kernels/cuda/ tests/
fcntl.h backends/ traces/ reports/ cli/ tests/
getopt.h cli/ tests/
glob.h backends/ cli/ tests/
dirent.h backends/ reports/ cli/ tests/
poll.h backends/posix/ backends/ucx/ tests/
unistd.h backends/ traces/ reports/ cli/ tests/
arpa/ backends/http/ tests/
netdb.h backends/http/ backends/client/ backends/ucx/
malloc.h tests/
netinet/ backends/http/ backends/client/ backends/ucx/ tests/
event2/ backends/http/ backends/client/ backends/load/ backends/remote/ tests/
openssl/ backends/http/ backends/client/ tests/
sys/ backends/ traces/ reports/ cli/ tests/
immintrin.h kernels/ tests/avx512_emulation/
pthread.h kernels/ backends/ reports/ traces/recording cli/ tests/
sched.h kernels/ backends/host/ cli/ tests/
semaphore.h reports/ backends/ tests/
spawn.h backends/ reports/ cli/ tests/
csv.h traces/
jansson.h traces/ reports/ backends/ cli/ tests/
pcre2.h backends/
sqlite3.h reports/ cli/doctor/software.c tests/
utf8proc.h backends/ tests/
xxhash.h backends/door/ backends/store/
liburing.h backends/store/
ucp/ backends/ucx/
yaml.h cli/ backends/
zlib.h traces/ cli/doctor/software.c tests/
cuda backends/cuda/ kernels/cuda/ tests/cuda/ tests/cuda_emulation/ tests/gpu/
cublas kernels/cuda/ tests/gpu/
cmath kernels/cuda/ tests/cuda_emulation/
cstdarg kernels/cuda/ tests/cuda_emulation/
cstddef kernels/cuda/ tests/cuda_emulation/
cstdint kernels/cuda/ tests/cuda_emulation/
algorithm tests/gpu/
functional tests/gpu/ tests/cuda_emulation/
mutex tests/cuda_emulation/
condition_variable tests/cuda_emulation/
memory tests/cuda_emulation/
nccl.h kernels/cuda/
vector tests/gpu/ tests/cuda_emulation/
deque tests/cuda_emulation/
iterator tests/cuda_emulation/
map tests/cuda_emulation/
string tests/cuda_emulation/
utility tests/cuda_emulation/
elf.h tests/cuda_emulation/
link.h tests/cuda_emulation/
cstdio kernels/cuda/ tests/cuda_emulation/ tests/gpu/
cstdlib kernels/cuda/ tests/cuda_emulation/ tests/gpu/
cstring kernels/cuda/ tests/cuda_emulation/
ucontext.h tests/cuda_emulation/
pty.h tests/
check.h tests/
END
}

# "file:line: why" for every wrong include below the folder $1.
wrong_includes() {
    local files

    cd "$1"
    mapfile -t files < <(find core sim kernels backends traces reports cli tests \
        \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cpp' \) 2>/dev/null | sort)
    [[ ${#files[@]} -gt 0 ]] || return 0
    awk -v ours="$(ours)" -v theirs="$(theirs)" '
        function begins(text, prefix) { return substr(text, 1, length(prefix)) == prefix }
        function room_of(file,    from, best) {
            for (from in may) {
                if (begins(file, from) && length(from) > length(best)) best = from
            }
            return best
        }
        function says(why) { printf "%s:%d: %s\n", FILENAME, FNR, why }
        function any_prefix(text, list,    n, i, item) {
            n = split(list, item, " ")
            for (i = 1; i <= n; i++) {
                if (item[i] == "*" || begins(text, item[i])) return 1
            }
            return 0
        }
        function judge_ours(header,    room, own) {
            room = room_of(FILENAME)
            own = room
            if (begins(FILENAME, "backends/") && split(FILENAME, part, "/") > 2) {
                own = part[1] "/" part[2] "/"
            }
            if (any_prefix(header, may[room])) return
            if (room != "core/route/policy.h" && own != "core/route/examples/" &&
                begins(header, own)) return
            says("\"" header "\" is not for " room)
        }
        function judge_theirs(header,    name, best) {
            for (name in where) {
                if (begins(header, name) && length(name) > length(best)) best = name
            }
            if (best == "") says("<" header "> is in no list of tests/layering.sh")
            else if (!any_prefix(FILENAME, where[best])) says("<" header "> is not for this room")
        }
        BEGIN {
            n = split(ours, line, "\n")
            for (i = 1; i <= n; i++) {
                name = line[i]; sub(/ .*/, "", name)
                may[name] = substr(line[i], length(name) + 2)
            }
            n = split(theirs, line, "\n")
            for (i = 1; i <= n; i++) {
                name = line[i]; sub(/ .*/, "", name)
                where[name] = where[name] " " substr(line[i], length(name) + 2)
            }
        }
        /^[ \t]*#[ \t]*include[ \t]*"/ { split($0, quoted, "\""); judge_ours(quoted[2]) }
        /^[ \t]*#[ \t]*include[ \t]*</ { split($0, angled, /[<>]/); judge_theirs(angled[2]) }
        /^[ \t]*#[ \t]*include[ \t]*[^ \t"<]/ { says("an include that is not a plain name") }
    ' "${files[@]}"
}

# "why" for every circle of folders below the folder $1.
circles() {
    local files

    cd "$1"
    mapfile -t files < <(find core sim kernels backends traces reports cli \
        \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' \) 2>/dev/null | sort)
    [[ ${#files[@]} -gt 0 ]] || return 0
    awk '
        function folder_of(path) { sub(/\/[^\/]*$/, "", path); return path }
        /^[ \t]*#[ \t]*include[ \t]*"[^"]*\// {
            split($0, quoted, "\"")
            from = folder_of(FILENAME); to = folder_of(quoted[2])
            if (from != to && !told[from, to]++) print from, to
        }
    ' "${files[@]}" | { LC_ALL=C tsort 2>&1 >/dev/null || true; } |
        sed 's/^tsort: -: input contains a loop:$/folders include each other:/; s/^tsort: /    /'
}

# A tree of the one file $1 with the one include $2 must get $3 complaints.
expect() {
    local file=$1 include=$2 due=$3 tree got

    tree=$(mktemp -d)
    mkdir -p "$tree/$(dirname "$file")"
    printf '#include %s\n' "$include" >"$tree/$file"
    got=$(wrong_includes "$tree" | wc -l)
    rm -r "$tree"
    if [[ $got -ne $due ]]; then
        printf '%s: self-check: %s in %s gave %d complaints, not %d\n' \
            "$(basename "$script")" "$include" "$file" "$got" "$due" >&2
        exit 1
    fi
}

# Folders $1, $2, ..., of which each has a header that includes the next one's, and the last the
# first's, must be found to go round; and not when the first includes nothing.
expect_circle() {
    local tree due=$# next=("${@:2}" "$1") got

    tree=$(mktemp -d)
    for folder in "$@"; do
        mkdir -p "$tree/$folder"
        printf '#include "%s/a.h"\n' "${next[0]}" >"$tree/$folder/a.h"
        next=("${next[@]:1}")
    done
    got=$(circles "$tree" | grep -c '^    ' || true)
    : >"$tree/$1/a.h"
    [[ $got -eq $due && -z $(circles "$tree") ]] || {
        printf '%s: self-check: of %d folders in a circle %d were found\n' \
            "$(basename "$script")" "$due" "$got" >&2
        exit 1
    }
    rm -r "$tree"
}

self_check() {
    expect_circle backends/assets backends/assets/tokenizer
    expect_circle cli/ab cli/tune cli/gate
    expect core/base/a.c '"core/base/math.h"' 0
    expect core/base/a.c '"core/model/model.h"' 1
    expect core/base/a.c '"sim/timing.h"' 1
    expect core/base/a.c '<time.h>' 1
    expect core/base/a.c '<pthread.h>' 1
    expect core/base/a.c '<unheard_of.h>' 1
    expect core/base/a.c 'SOME_MACRO' 1
    expect core/kv/a.c '"core/route/policy.h"' 1
    expect core/route/a.c '"core/kv/index.h"' 1
    expect core/route/a.c '"core/route/policy.h"' 0
    expect core/route/policy.h '"core/base/time.h"' 1
    expect core/route/policy.h '<stdint.h>' 0
    expect core/route/examples/a.c '"core/route/policy.h"' 0
    expect core/route/examples/a.c '"core/route/route.h"' 1
    expect core/worker/a.c '"core/run/clock.h"' 1
    expect core/run/a.c '"core/worker/device.h"' 0
    expect sim/a.c '"traces/traces.h"' 1
    expect sim/a.c '"core/run/clock.h"' 0
    expect traces/a.c '"reports/reports.h"' 1
    expect traces/a.c '<csv.h>' 0
    expect traces/a.c '<sqlite3.h>' 1
    expect reports/a.c '<csv.h>' 1
    expect reports/a.c '"cli/scenario/scenario.h"' 1
    expect backends/null/a.c '"backends/posix/wall_clock.h"' 0
    expect backends/null/a.c '"backends/null/null.h"' 0
    expect backends/posix/a.c '"backends/null/null.h"' 1
    expect backends/openai/a.c '"backends/openai/b.h"' 0
    expect backends/openai/a.c '"backends/posix/wall_clock.h"' 1
    expect backends/http/a.c '"backends/posix/wall_clock.h"' 1
    expect backends/http/a.c '<event2/event.h>' 0
    expect backends/null/a.c '<event2/event.h>' 1
    expect cli/a.c '"traces/traces.h"' 0
    expect cli/a.c '<check.h>' 1
    expect cli/scenario/a.c '"cli/assembly/live.h"' 1
    expect cli/assembly/a.c '"cli/scenario/live.h"' 0
    expect cli/assembly/a.c '"cli/replay/intervals.h"' 1
    expect tests/sim/a.c '"sim/timing.h"' 0
    expect tests/sim/a.c '<check.h>' 0
    expect kernels/cuda/a.cu '<cuda_runtime.h>' 0
    expect kernels/cuda/a.cuh '"tests/cuda_emulation/block.h"' 1
    expect kernels/a.c '<cuda_runtime.h>' 1
    expect tests/cuda_emulation/a.cpp '<cstdio>' 0
    expect tests/sim/a.cpp '<cstdio>' 1
}

self_check
root=$(readlink -f "${1:-$(dirname "$script")/..}")
found=$(wrong_includes "$root" && circles "$root")
if [[ -n $found ]]; then
    printf '%s\n' "$found"
    exit 1
fi
echo "Every include runs the right way."
