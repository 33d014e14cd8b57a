#!/usr/bin/env bash
# Runs every fuzz target of both modules, one after another, and prints how long
# each ran and what it found:
#
#	./fuzz.sh [TIME [WORKERS [PATTERN]]]
#
# TIME is the time for each target, in the form of "go help testflag" (60s by default).
# WORKERS (2) run in parallel. PATTERN is a regular expression that selects targets by
# "package FuzzName". Each test binary is asked for its targets, so no list can be
# incomplete.
#
# Inputs that reach new code are kept in Go's build cache, and the next run starts with
# them. An input that fails is written to the package's testdata/fuzz, where every "go
# test" runs it from then on; the exit status is then 1.
set -euo pipefail
cd "$(dirname "$0")"

time=${1:-60s} workers=${2:-2} pattern=${3:-.}
if [ $# -gt 3 ] || [[ ! $time =~ ^[0-9]+(ms|s|m|h|x)$ ]] || [[ ! $workers =~ ^[1-9][0-9]*$ ]]; then
	echo "usage: fuzz.sh [TIME [WORKERS [PATTERN]]], for example: fuzz.sh 60s 2 jose" >&2
	exit 2
fi
. ../need.sh
need_go

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$(go env GOCACHE)/fuzz

# packages prints the directory and import path of the module's packages with fuzz targets.
packages() {
	go list -f '{{.Dir}}{{"\t"}}{{.ImportPath}}' ./... | while IFS=$'\t' read -r dir path; do
		if grep -qs '^func Fuzz' "$dir"/*_test.go; then
			printf '%s\t%s\n' "$dir" "$path"
		fi
	done
}

# fuzz runs one target of the test binary of its package and writes the output to
# $work/log. Inputs are not minimized, because that takes nearly all of the time for many
# targets. To minimize a failing input, run the target with "go test -fuzz" as the log
# says.
fuzz() {
	(cd "$1" && "$work/fuzz.test" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$time" -test.fuzzminimizetime 1x \
		-test.fuzzcachedir "$cache/$3" -test.parallel "$workers") >"$work/log" 2>&1
}

# stopped_late reports whether Go's fuzzer took its own deadline for a failure, which
# happens at times and leaves no failing input.
stopped_late() {
	grep -q 'context deadline exceeded' "$work/log" && ! grep -q 'Failing input written' "$work/log"
}

failed=0 targets=0 begin=$SECONDS
printf 'target\ttime\texecs\tnew interesting\tresult\n' >"$work/table"
for module in .. .; do
	cd "$module"
	packages >"$work/packages"
	while IFS=$'\t' read -r dir path <&3; do
		rm -f "$work/fuzz.test"
		(cd "$dir" && go test -c -fuzz . -o "$work/fuzz.test" .)
		[ -e "$work/fuzz.test" ] || continue # no test is for this system
		names=$(cd "$dir" && "$work/fuzz.test" -test.list '^Fuzz')
		for name in $names; do
			target="${path#github.com/sealane/} $name"
			[[ $target =~ $pattern ]] || continue
			targets=$((targets + 1)) result=ok started=$SECONDS
			if ! fuzz "$dir" "$name" "$path" && ! { stopped_late && fuzz "$dir" "$name" "$path"; }; then
				result=FAILED failed=$((failed + 1))
				tail -n 60 "$work/log" >&2
			fi
			last=$(grep -o 'elapsed: .*' "$work/log" | tail -n 1 || true)
			execs=$(sed -nE -e 's/.*execs: ([0-9]+).*/\1/p' \
				-e 's/.*baseline coverage: ([0-9]+)\/([0-9]+).*/\1 of \2 known/p' <<<"$last")
			new=$(sed -nE 's/.*new interesting: ([0-9]+ \(total: [0-9]+\)).*/\1/p' <<<"$last")
			printf '%s\t%ss\t%s\t%s\t%s\n' "$target" $((SECONDS - started)) "${execs:-0}" "${new:-0}" "$result" \
				>>"$work/table"
			printf '%s: %s, %s\n' "$target" "$result" "${last:-no execution}"
		done
	done 3<"$work/packages"
	cd - >/dev/null
done

echo
awk -F '\t' '{ row[NR] = $0; for (i = 1; i <= NF; i++) if (length($i) > width[i]) width[i] = length($i) }
	END { for (r = 1; r <= NR; r++) {
		n = split(row[r], cell, "\t")
		for (i = 1; i < n; i++) printf "%-" width[i] + 2 "s", cell[i]
		print cell[n]
	} }' "$work/table"
printf '%d targets with %s each, %d workers, %ds in all; %d failed\n' \
	"$targets" "$time" "$workers" $((SECONDS - begin)) "$failed"
[ "$targets" -gt 0 ] && [ "$failed" -eq 0 ]
