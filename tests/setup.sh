# shellcheck shell=bash disable=SC2034
# What ./quickstart and ./test share: the Debian packages Dyno needs, and the CMake generator.
# Sourced, never run.

dyno_build_packages=(build-essential cmake ninja-build pkg-config libcsv-dev libevent-dev
                     libjansson-dev libnlopt-dev libpcre2-dev libsqlite3-dev libssl-dev
                     libutf8proc-dev libxxhash-dev libyaml-dev zlib1g-dev)
dyno_check_packages=(check)
dyno_test_packages=(chromium clang-format clang-tidy cppcheck curl gnuplot-nox jq libucx-dev
                    shellcheck sqlite3 yq)

dyno_say() {
    printf '\n== %s\n' "$*"
}

# The packages among the arguments that are not installed, one a line.
dyno_missing_packages() {
    local package status

    for package in "$@"; do
        status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        if [[ $status != installed ]]; then
            printf '%s\n' "$package"
        fi
    done
}

dyno_apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q </dev/null &&
        apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# Install what is missing, aloud; without root say what to run and stop.
dyno_need_packages() {
    local missing

    if ! command -v dpkg-query >/dev/null; then
        printf 'This is not Debian: make sure that the counterparts of these are here: %s\n' "$*"
        return
    fi
    mapfile -t missing < <(dyno_missing_packages "$@")
    if [[ ${#missing[@]} -eq 0 ]]; then
        return
    fi
    if [[ $(id -u) -ne 0 ]]; then
        printf 'Missing Debian packages. Run this, then try again:\n\n' >&2
        printf '    sudo apt-get install %s\n\n' "${missing[*]}" >&2
        exit 1
    fi
    dyno_say "Installing Debian packages: ${missing[*]}"
    dyno_apt_install "${missing[@]}"
}

# As above, for what only adds checks: without root, or if it fails, go on without them.
dyno_like_packages() {
    local missing

    if ! command -v dpkg-query >/dev/null; then
        return
    fi
    mapfile -t missing < <(dyno_missing_packages "$@")
    if [[ ${#missing[@]} -eq 0 ]]; then
        return
    fi
    if [[ $(id -u) -ne 0 ]]; then
        printf 'Going on without %s: the checks that need them are skipped.\n' "${missing[*]}"
        printf 'To have them too: sudo apt-get install %s\n' "${missing[*]}"
        return
    fi
    dyno_say "Installing Debian packages for tests: ${missing[*]}"
    dyno_apt_install "${missing[@]}" || printf 'That failed; their checks are skipped.\n'
}

# Configure and build a preset; further arguments go to the build.  Ninja where there is one and the
# folder was not made for another generator before.
dyno_build() {
    local preset=$1 generator=()

    shift
    if [[ ! -f build/$preset/CMakeCache.txt ]] && command -v ninja >/dev/null; then
        generator=(-G Ninja)
    fi
    cmake --preset "$preset" "${generator[@]}"
    cmake --build --preset "$preset" --parallel "$(nproc)" "$@"
}
