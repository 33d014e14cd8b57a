#!/usr/bin/env bash
# Compares how long the refusal of a token takes for different reasons, and prints the
# tables of docs/threat-model.md:
#
#	./timing.sh           100,000 opens per class with each engine, 15 to 30 minutes
#	./timing.sh --quick   5,000, about two minutes: not a measurement
#
# Where the processor has AVX-512 IFMA, crypto_mb is an engine too: each message is opened among
# seven others, good and bad, whose RSA operations share its batch.
#
# Runs on one core: the last one that it may use, if taskset is installed. Nothing else
# should run on the machine; the output says how much time other programs took. A
# difference between classes is shown in the tables and is not a failure. Ctrl-C stops it.
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
foreign/prepare.sh
library=$(foreign/crypto_mb.sh)
[ -z "$library" ] || arguments+=(-rsa "openssl,go,none,multibuffer:$library")
pinned=()
if command -v taskset >/dev/null 2>&1; then
	allowed=$(taskset -cp $$)
	pinned=(taskset -c "${allowed##*[!0-9]}")
else
	echo "timing.sh: taskset is missing: not pinned to a core" >&2
fi
GOMAXPROCS=1 "${pinned[@]}" "$work/timing" "${arguments[@]}"
[ "${1:-}" != --quick ] || echo "**Not a measurement.**"
