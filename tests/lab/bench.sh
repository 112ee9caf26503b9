# shellcheck shell=bash
# `lab bench`: how fast the packages are. What it does is Python's, in perf/bench/; here it gets what it needs of this host, and the
# generator of readings built.

bench_needs=(python3 python3-zmq nftables)
bench_peers_needs=(python3 python3-zmq iproute2) # the peers themselves are left out where they are not installed
bench_report_needs=(python3 python3-zmq python3-matplotlib weasyprint fonts-dejavu-core)

bench_python() {
    TRAFFIC_BUILD=$local_build LAB=$bench_lab PYTHONPATH="$lab_top/perf:$lab_parts" /usr/bin/python3 -B -m bench "$@"
}

verb_bench() {
    # Not the lab that somebody works with, unless told so: it is taken down.
    local bench_lab=bench
    [ "$LAB" = city ] || bench_lab=$LAB
    case " $* " in
    *" --help "* | *" -h "*)
        bench_python "$@"
        return
        ;;
    esac
    if [ "${1:-}" = report ]; then
        host_needs "lab bench report" "${bench_report_needs[@]}"
        bench_python "$@"
        return
    fi
    need_root bench "$@"
    if [ "${1:-}" = peers ]; then
        host_needs "lab bench peers" "${bench_peers_needs[@]}"
    else
        host_needs "lab bench" "${bench_needs[@]}"
    fi
    mkdir -p "$lab_work"
    local_binaries
    bench_python "$@"
}
