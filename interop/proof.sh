#!/usr/bin/env bash
# Runs the tests of the gateway that repeat something many times in their long form, under
# the race detector, and prints what they counted:
#
#	./proof.sh [PATTERN]
#
# PATTERN is a regular expression that selects tests by name. Every "go test" runs the same
# tests in a short form. A test reads SEALANE_PROOF in its function proof, and what it runs
# more often in the long form stands there:
#
#	TestKeepAlive         10,000 POSTs to upstreams that close connections at random
#	TestThousandReloads   1,000 reloads under load; goroutines, keys and memory are counted
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -gt 1 ]; then
	echo "usage: proof.sh [PATTERN]" >&2
	exit 2
fi
. ./need.sh
. ./race.sh
need_go
need gcc "gcc libc6-dev" # the race detector needs cgo

export SEALANE_PROOF=long
go test "${race[@]}" -count=1 -timeout 60m -v -run "${1:-^(TestKeepAlive|TestThousandReloads)\$}" ./internal/gateway
