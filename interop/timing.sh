#!/usr/bin/env bash
# Compares the times in which tokens are refused that fail for different reasons,
# and prints the tables of docs/threat-model.md:
#
#	./timing.sh           100,000 opens per class with each engine, 10 to 20 minutes
#	./timing.sh --quick   5,000, about two minutes: for a first look
#
# Runs on one core, where taskset is there the last that it may use. Nothing else
# should run on the machine; what is lost to others is said. That classes differ
# is said in the tables, and is no failure. Ctrl-C ends it.
set -euo pipefail
cd "$(dirname "$0")"

arguments=()
case "${1:-}" in
'') ;;
--quick) arguments=(-n 5000 -http 1000) ;;
*)
	echo "usage: timing.sh [--quick]" >&2
	exit 2
	;;
esac

. ../need.sh
need_go

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

go build -o "$work/timing" ./timing
pinned=()
if command -v taskset >/dev/null 2>&1; then
	allowed=$(taskset -cp $$)
	pinned=(taskset -c "${allowed##*[!0-9]}")
else
	echo "timing.sh: taskset is missing: not pinned to a core" >&2
fi
GOMAXPROCS=1 "${pinned[@]}" "$work/timing" "${arguments[@]}"
[ "${1:-}" != --quick ] || echo "**A first look, not a measurement.**"
