# shellcheck shell=bash
# `lab test`: builds once with warnings as errors and runs the suites, each a function suite_NAME. A suite's output goes to a
# log of its own and to the terminal only when it fails; a table and one line of totals end it all.
#
# Suites that watch machines or processes mostly wait, and how long is part of what they test; the others compile and compute. So there
# are three lanes side by side, each one suite after the other: machines (of one lab), processes (in networks of their own), and, at
# the lowest priority, the rest. Nothing that one lane writes is used by another.

suites_build=$lab_work/test-build
suites_log_dir=$lab_work/test-logs
# Two checkouts that test on one host at the same time each name a lab of their own.
suites_lab=${TEST_LAB:-test}

suites_all=(lint unit property scenario instructions proof fuzz services v0 history sanitize coverage mutants packaging vagrant drive lab bench faults-quick)
# Not run unless asked for: it takes forty minutes on a machine of its own.
suites_more=(faults)
suites_of_machines=(packaging vagrant lab bench faults-quick faults)
suites_of_processes=(services v0 history drive)

# Everything that any suite needs, in one go: a fresh machine has a compiler and little else.
suites_needs=(
    build-essential clang clang-format clang-tidy gcovr libclang-rt-14-dev git jq lintian procps python3 python3-pytest python3-zmq shellcheck spin
    debhelper systemd sqlite3 man-db
    frama-c-base why3 z3 cvc4
    valgrind
    apt-utils gnupg perl
    vagrant vagrant-libvirt fdisk dosfstools mtools syslinux syslinux-common qemu-utils
    e2fsprogs mount "${drive_needs[@]}"
)

suites_meson=(--warnlevel 3 --werror)

# suites_configure DIR OPTION...: a build directory, once.
suites_configure() {
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" "$lab_top" "${suites_meson[@]}" "$@" || return 1
    meson compile -C "$dir"
}

suites_prepare() {
    mapfile -t needs < <(packages_build_needs)
    host_needs "lab test" "${suites_needs[@]}" "${needs[@]}" "${backend_needs[@]}"
    mkdir -p "$suites_log_dir"
    step "Building (warnings are errors; .lab/test-build)"
    suites_configure "$suites_build" >"$suites_log_dir/build.log" 2>&1 || {
        tail -n 40 "$suites_log_dir/build.log" >&2
        die "it does not build; the end of .lab/test-logs/build.log is above"
    }
}

# Runs the tests of some meson suites in a build directory and counts them.
suites_run_meson() {
    local dir=$1 suite arguments=() status=0
    shift
    for suite in "$@"; do
        arguments+=(--suite "$suite")
    done
    # A test that hangs is found later: a lane is slow while the others are at work.
    meson test -C "$dir" --no-rebuild --logbase "$1" --print-errorlogs --timeout-multiplier 4 \
        --num-processes "${suites_jobs:-$(nproc)}" "${suites_options[@]}" "${arguments[@]}" || status=$?
    suite_passed=$(jq -s '[.[] | select(.result == "OK")] | length' "$dir/meson-logs/$1.json")
    suite_failed=$(jq -s '[.[] | select(.result != "OK" and .result != "SKIP")] | length' "$dir/meson-logs/$1.json")
    return "$status"
}

suites_run_pytest() {
    local report=$suites_log_dir/$suite.xml status=0
    # What is built already need not be built once more.
    LAB="$suites_lab" LAB_BUILD="$suites_build" /usr/bin/python3 -B -m pytest -q -p no:cacheprovider --junit-xml="$report" "$@" || status=$?
    # shellcheck disable=SC2016 # XPath, not shell
    read -r suite_passed suite_failed < <(/usr/bin/python3 - "$report" <<'END'
import sys, xml.etree.ElementTree as xml
suite = xml.parse(sys.argv[1]).getroot().find("testsuite")
tests, failed, skipped = (int(suite.get(name)) for name in ("tests", "failures", "skipped"))
errors = int(suite.get("errors"))
print(tests - failed - errors - skipped, failed + errors)
END
    )
    return "$status"
}

# One check of a suite that is a list of commands.
check() {
    local what=$1
    shift
    echo "--- $what"
    if "$@"; then
        suite_passed=$((suite_passed + 1))
    else
        echo "FAILED: $what"
        suite_failed=$((suite_failed + 1))
    fi
}

suites_files() {
    git -c safe.directory='*' -C "$lab_top" ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
        [ ! -f "$lab_top/$file" ] || echo "$lab_top/$file"
    done
}

lint_format() {
    suites_files '*.c' '*.h' | xargs clang-format --dry-run -Werror
}

# The tests' own code is spared: it compares and overflows on purpose.
lint_tidy() {
    run-clang-tidy -quiet -p "$suites_build" -j "$(nproc)" "^$lab_top/(.*/[.][.]/[.][.]/)?(common|services|packaging)/" 2>&1 |
        grep -v -e '^clang-tidy' -e 'warnings generated'
    return "${PIPESTATUS[0]}"
}

lint_shell() {
    (cd "$lab_top" && shellcheck -x --check-sourced lab) &&
        suites_files | grep -v '/packaging/debian/' | xargs grep -lE '^#!/bin/(ba)?sh' |
        (cd "$lab_top" && xargs shellcheck -x)
}

suite_lint() {
    check "clang-format" lint_format
    check "clang-tidy" lint_tidy
    check "shellcheck" lint_shell
    [ "$suite_failed" -eq 0 ]
}

suite_unit() { suites_run_meson "$suites_build" unit; }
# What a developer runs with meson is to be quick; here the interlock takes ten times as many steps more.
suite_property() {
    suites_run_meson "$suites_build" property || return 1
    check "no promise of the interlock is broken in 10^8 steps" \
        env TRAFFIC_PROPERTY_STEPS=100000000 "$suites_build/tests/property/test-interlock-random"
    [ "$suite_failed" -eq 0 ]
}
suite_scenario() { suites_run_meson "$suites_build" scenario; }
suite_fuzz() { suites_run_meson "$suites_build" fuzz; }
# Twice as many as there are cores: they wait for each other's deadlines and are asleep most of the time.
suite_services() {
    local suites_jobs
    suites_jobs=$((2 * $(nproc)))
    suites_run_meson "$suites_build" services
}
suite_v0() { suites_run_meson "$suites_build" v0; }

# With clang: what the other suites build with gcc is thereby free of both compilers' warnings.
suite_sanitize() {
    CC=clang suites_configure "$lab_work/sanitize-build" -Db_sanitize=address,undefined -Db_lundef=false || return 1
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        suites_run_meson "$lab_work/sanitize-build" unit property fuzz
}

suite_coverage() {
    local dir=$lab_work/coverage-build
    suites_configure "$dir" -Db_coverage=true || return 1
    find "$dir" -name '*.gcda' -delete
    # The core has no disk.
    local suites_options=(--no-suite disk)
    suites_run_meson "$dir" unit property scenario
    check "at least 95 % of the core's lines are run by tests" \
        gcovr --root "$lab_top" --filter "$lab_top/common/core/" --fail-under-line 95 "$dir"
    [ "$suite_failed" -eq 0 ]
}

suite_proof() {
    check "the models hold, and break where they must" "$lab_top/tests/proof/run"
    check "the interlock keeps its contracts, and broken ones are not proved" "$lab_top/tests/proof/wp"
    [ "$suite_failed" -eq 0 ]
}

# A table to look at: it is shown at the end, and fails only when nothing could be counted.
suite_instructions() {
    check "instructions of the hot paths are counted" "$lab_top/perf/instructions" --build "$suites_build" >"$suites_log_dir/instructions.table"
    cat "$suites_log_dir/instructions.table"
    [ "$suite_failed" -eq 0 ]
}

suite_mutants() {
    check "every mutant is killed" "$lab_top/tests/mutants/run"
    [ "$suite_failed" -eq 0 ]
}

suite_packaging() {
    [ -n "$packages_are_built" ] || packages_build
    packages_are_built=yes
    suites_run_pytest "$lab_top/tests/packaging"
}

# What can be said of the virtual machines without booting one: the rest is vagrant/tour's, by hand.
suite_vagrant() {
    local vagrant_home
    vagrant_home=$(mktemp -d)
    [ -n "$packages_are_built" ] || packages_build
    packages_are_built=yes
    check "the packages become a repository" "$lab_top/packaging/repository" --packages "$lab_packages" --output "$lab_top/vagrant/repository"
    # vagrant asks libvirt even then: its own imitation is enough.
    check "the Vagrantfile is valid" env -C "$lab_top/vagrant" VAGRANT_HOME="$vagrant_home" VAGRANT_DEFAULT_PROVIDER=libvirt \
        LIBVIRT_DEFAULT_URI=test:///default vagrant validate
    # Debian has no VirtualBox: what is said to it is read, and no more.
    check "and for VirtualBox" env -C "$lab_top/vagrant" VAGRANT_HOME="$vagrant_home" VAGRANT_DEFAULT_PROVIDER=virtualbox \
        vagrant validate --ignore-provider
    rm -rf "$vagrant_home"
    check "the box's system installs" "$lab_top/vagrant/box/build" --stage root
    [ "$suite_failed" -eq 0 ]
}

# Tests on three machines; arguments are pytest's. Virtual machines stay: they are the user's, and slow to make.
suites_run_lab() {
    local status=0
    [ -n "$packages_are_built" ] || packages_build
    packages_are_built=yes
    suites_run_pytest "$@" || status=$?
    [ "$LAB_ON" = vagrant ] || LAB="$suites_lab" "$lab_top/lab" down
    return "$status"
}

# Traffic in a simulator: without machines, each run in a network of its own.
suite_drive() {
    suites_run_pytest "$lab_top"/tests/lab/test_drive*.py
}

# The judge of the faults, judged, and what reaches a virtual machine.
suite_history() {
    suites_run_pytest "$lab_top"/tests/lab/test_{actions,history,results,virtual}.py
}

suite_lab() {
    suites_run_lab "$lab_top/tests/lab" --ignore-glob='*/test_fault_list.py' --ignore-glob='*/test_drive*.py' \
        --ignore-glob='*/test_actions.py' --ignore-glob='*/test_bench.py' --ignore-glob='*/test_history.py' --ignore-glob='*/test_results.py' --ignore-glob='*/test_virtual.py'
}

# A short run of every bench.
suite_bench() {
    suites_run_lab "$lab_top/tests/lab/test_bench.py"
}

suite_faults_quick() {
    suites_run_lab "$lab_top/tests/lab/test_fault_list.py" -m quick
}

# All faults begin a list of results of their own; some, or the rest, are added to the last one.
suite_faults() {
    [ ${#suites_arguments[@]} -gt 0 ] || rm -f "$lab_work/faults.jsonl"
    suites_run_lab "$lab_top/tests/lab/test_fault_list.py" "${suites_arguments[@]}"
}

# Runs one suite and leaves its line of the table in NAME.row.
suites_run() {
    local suite=$1 log=$suites_log_dir/$1.log started=$SECONDS verdict
    suite_passed=0 suite_failed=0
    step "$suite"
    # Inside a condition bash goes on after a failure: suites return by themselves.
    if "suite_${suite//-/_}" >"$log" 2>&1 && [ "$suite_failed" -eq 0 ]; then
        verdict=passed
    else
        verdict=FAILED
        tail -n 60 "$log" >&2
        [ "$suite_failed" -gt 0 ] || suite_failed=1
    fi
    echo "$suite $verdict $suite_passed $suite_failed $((SECONDS - started))" >"$suites_log_dir/$suite.row"
}

# suites_begin_lane NICE SUITE...: in a process group of its own.
suites_begin_lane() {
    local niceness=$1 suite
    shift
    set -m
    (
        renice -n "$niceness" -p "$BASHPID" >/dev/null
        for suite in "$@"; do
            suites_run "$suite"
        done
    ) </dev/null &
    set +m
    suites_lanes+=("$!")
}

suites_end_lanes() {
    local lane
    for lane in "${suites_lanes[@]}"; do
        kill -- "-$lane" 2>/dev/null || true
    done
}

# The table of what was run; fails when anything failed, or left no line.
suites_sum_up() {
    local suite verdict passed failed took total_passed=0 total_failed=0
    printf '\n%-12s  %-6s  %6s  %6s  %7s\n' suite result passed failed took
    for suite in "$@"; do
        read -r suite verdict passed failed took <"$suites_log_dir/$suite.row" || { verdict=FAILED passed=0 failed=1 took=0; }
        printf '%-12s  %-6s  %6d  %6d  %5d s\n' "$suite" "$verdict" "$passed" "$failed" "$took"
        total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
    done
    for suite in "$@"; do
        [ ! -s "$suites_log_dir/$suite.table" ] || { echo && cat "$suites_log_dir/$suite.table"; }
    done
    echo "$total_passed passed, $total_failed failed"
    [ "$total_failed" -eq 0 ]
}

verb_test() {
    local suite chosen=() suites_arguments=() suites_lanes=() packages_are_built=
    local machines_lane=() processes_lane=() rest_lane=()
    while [ $# -gt 0 ] && [[ $1 != -* ]]; do
        chosen+=("$1")
        shift
    done
    suites_arguments=("$@")
    [ ${#chosen[@]} -gt 0 ] || chosen=("${suites_all[@]}")
    for suite in "${chosen[@]}"; do
        [[ " ${suites_all[*]} ${suites_more[*]} " = *" $suite "* ]] ||
            usage_error "'$suite' is not a suite: expected ${suites_all[*]} ${suites_more[*]}"
    done
    [ ${#suites_arguments[@]} -eq 0 ] || [ "${chosen[*]}" = faults ] ||
        usage_error "options are for: lab test faults [-k CASES] [--seed S] [--runs N] [--resume]"
    set -- "${chosen[@]}" "${suites_arguments[@]}"
    need_root test "$@"
    suites_prepare
    rm -f "$suites_log_dir"/*.row "$suites_log_dir"/*.table
    # A lane that is still at work ends with us, whatever it runs.
    trap suites_end_lanes EXIT
    for suite in "${chosen[@]}"; do
        case " ${suites_of_machines[*]} / ${suites_of_processes[*]} " in
        *" $suite "*/*) machines_lane+=("$suite") ;;
        */*" $suite "*) processes_lane+=("$suite") ;;
        *) rest_lane+=("$suite") ;;
        esac
    done
    suites_begin_lane 0 "${machines_lane[@]}"
    suites_begin_lane 5 "${processes_lane[@]}"
    suites_begin_lane 10 "${rest_lane[@]}"
    wait
    trap - EXIT
    suites_sum_up "${chosen[@]}"
}
