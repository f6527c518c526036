# shellcheck shell=bash disable=SC2034
# What a checker found clean once need not be read again.  tests/CHECKER.seen holds a digest of each
# such .c with the headers of the tree that it includes, however deep, of each such script with
# those that it sources, and of the checker's rules.  A plain run reads the files that are not in
# it, and one in 64 of those that are, others for every commit, so that a digest that lies does not
# lie for long.
#
# Sourced by tests/CHECKER.sh, from the root of the tree; never run.

seen_rooms=(core sim kernels backends traces reports cli tests)
seen_generated=() # the folder of headers that a build makes, if there is one

# seen_digests RULES FILE...: "DIGEST  FILE" of each file; RULES is text.
seen_digests() {
    local scratch

    (($# > 1)) || return 0
    scratch=$(mktemp -d)
    {
        find "${seen_rooms[@]}" "${seen_generated[@]}" -name '*.[ch]' -o -name '*.sh'
        printf '%s\n' "${@:2}"
    } | sort -u >"$scratch/files"
    {
        xargs sha256sum <"$scratch/files" | sed 's/^/is /'
        xargs grep -HE '^(#include "| *# shellcheck source=)' <"$scratch/files" |
            sed 's/^\([^:]*\):#include "\([^"]*\)".*/has \1 \2/
                s/^\([^:]*\):.* source=/has \1 /'
        printf 'of %s\n' "${@:2}"
    } | rules=$1 awk -v generated="${seen_generated[0]:-}/" -v scratch="$scratch" '
        # The digests of a file and of what it includes, in the order of the compiler, each once.
        function say(file, text,    i, name) {
            if (!(file in digest) || said[file] == targets) return
            said[file] = targets
            print digest[file] "  " file >text
            for (i = 1; i <= parts[file]; i++) {
                name = includes[file, i]
                say(name in digest ? name : generated name, text)
            }
        }
        $1 == "is" { digest[$3] = $2 }
        $1 == "has" { includes[$2, ++parts[$2]] = $3 }
        $1 == "of" {
            text = sprintf("%s/%06d", scratch, ++targets)
            say($2, text)
            print ENVIRON["rules"] >text
            close(text)
        }
    '
    paste -d '\0' <(cd "$scratch" && sha256sum -- [0-9]* | sed 's/  .*/  /') \
        <(printf '%s\n' "${@:2}")
    rm -r "$scratch"
}

# seen_options [--all] [--note] [PATTERN]: what a checker was asked; $seen_pattern says which files.
seen_options() {
    seen_all='' seen_notes='' seen_pattern=. seen_due=() seen_bad=()
    while (($# > 0)); do
        case $1 in
        --all) seen_all=1 ;;
        --note) seen_notes=1 ;;
        *) seen_pattern=$1 ;;
        esac
        shift
    done
}

# seen_choose CHECKER RULES FILE...: which of them to read is then in the array seen_due.
seen_choose() {
    local seen=tests/$1.seen commit quarters=(0-3 4-7 89ab c-f)

    seen_now=$(seen_digests "${@:2}")
    commit=$(git rev-parse HEAD 2>/dev/null || echo 00)
    touch -a "$seen"
    mapfile -t seen_due < <(
        if [[ $seen_all ]]; then
            echo "$seen_now"
        else
            grep -vxFf "$seen" <<<"$seen_now" || true
            grep -xFf "$seen" <<<"$seen_now" |
                grep "^${commit:0:1}[${quarters[$((16#${commit:1:1} / 4))]}]" || true
        fi | awk 'NF { print $2 }'
    )
}

# seen_each COMMAND...: COMMAND FILE of each file that is due, several at once.  Those of which it
# fails are then in seen_bad.
seen_each() {
    local failed

    failed=$(mktemp)
    # shellcheck disable=SC2016 # expanded by the shell that is started
    printf '%s\0' "${seen_due[@]}" | xargs -0 -n 1 -P "$(nproc)" \
        bash -c '"$@" || printf "%s\n" "${*: -1}" >>"$0"' "$failed" "$@"
    mapfile -t seen_bad <"$failed"
    rm "$failed"
}

# seen_note CHECKER: those that were chosen among are clean but for seen_bad, which makes the
# status; writes down the clean ones if it was asked to.  Other names that the pattern picks are of
# files that are gone.
seen_note() {
    local seen=tests/$1.seen

    if [[ $seen_notes ]]; then
        {
            sed 's/^[^ ]*  //' "$seen" | { grep -v -e "$seen_pattern" || true; } | awk '
                NR == FNR { others[$0]; next }
                substr($0, index($0, "  ") + 2) in others' - "$seen"
            awk 'NR == FNR { bad[$0]; next } NF && !($2 in bad)' \
                <(printf '%s\n' "${seen_bad[@]}") - <<<"$seen_now"
        } | LC_ALL=C sort -k 2 -u >"$seen.new"
        mv "$seen.new" "$seen"
    fi
    ((${#seen_bad[@]} == 0))
}
