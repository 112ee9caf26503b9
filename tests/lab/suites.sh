# shellcheck shell=bash
verb_test() {
    die "no suites yet"
}
