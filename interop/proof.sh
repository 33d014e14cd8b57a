#!/usr/bin/env bash
# Runs the tests of the gateway that repeat something many times in their long form, and
# prints what they counted and measured:
#
#	./proof.sh [PATTERN]
#
# PATTERN is a regular expression that selects tests by name. Every "go test" runs the same
# tests in a short form. A test reads SEALANE_PROOF in its function proof, and what it runs
# more often in the long form stands there. Under the race detector run:
#
#	TestKeepAlive         10,000 POSTs to upstreams that close connections at random
#	TestThousandReloads   1,000 reloads under load; goroutines, keys and memory are counted
#	TestRotationUnderLoad 24,000 messages while all keys are renewed, rolled back and renewed; none
#	                      fails. It prints its seed, which SEALANE_SEED sets.
#
# Without it, because they measure:
#
#	TestStrangers         100,000 strangers, and what they leave behind
#	TestGarbageOfAnother  the times of a partner while another sends garbage
#	TestTwoNodes          changes among 100,000 partners in force on two nodes: many minutes
#	TestPassKilled        a scheduler is killed at each statement, three times on each database;
#	TestPeopleKilled      so are people who order, approve, roll back and revoke,
#	TestPeopleOfOurLegKilled  and those who offer a pair of ours, and retire the one before
#	TestSendingKilled     a program that sends mails is killed at each stage, and at any time, 120
#	                      times on each database
#	TestProperties        1,000,000 steps of people, programs, nodes and partners, in worlds of
#	                      400 steps that share nothing, one for each core: about an hour
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
selected=0
package=./internal/gateway
prove() { # TEST FLAGS…
	[[ $1 =~ $pattern ]] || return 0
	selected=1
	go test -count=1 -timeout "${timeout:-60m}" -v -run "^$1\$" "${@:2}" $package
}
pattern=${1:-.}
for test in TestKeepAlive TestThousandReloads TestRotationUnderLoad; do
	prove $test "${race[@]}"
done
for test in TestStrangers TestGarbageOfAnother TestTwoNodes; do
	prove $test
done
package=./internal/renewal timeout=24h
for test in TestPassKilled TestPeopleKilled TestPeopleOfOurLegKilled TestSendingKilled TestPropertiesWithoutAGuard \
	TestProperties; do
	prove $test
done
if [ $selected = 0 ]; then
	echo "proof.sh: no test is named like $pattern" >&2
	exit 2
fi
