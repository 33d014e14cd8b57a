#!/usr/bin/env bash
# Compares Sealane with other implementations and with the machine's limits, in one run on
# one pinned core, and prints the tables of docs/performance.md:
#
#	./bench.sh           three rounds, about fifteen minutes
#	./bench.sh --quick   one short round, about two minutes: not a measurement
#
# Each round runs Go (Sealane, go-jose, jwx), Node (panva/jose), Java (Nimbus) and "openssl
# speed", so that other load on the machine affects all alike. A cell is the best of its
# rounds, because noise only adds time. All use the same keys and payloads and open the
# same tokens, and all check what they opened. A missed target is shown in the table and is
# not a failure.
#
# Installs missing programs, as ../test.sh does.
set -euo pipefail
cd "$(dirname "$0")"

rounds=3 go_time=200ms batch_time=2s node_warm=500 node_time=300 java_warm=3000 java_time=300
case "${1:-}" in
'') ;;
--quick) rounds=1 go_time=50ms batch_time=300ms node_warm=200 node_time=100 java_time=150 ;;
*)
	echo "usage: bench.sh [--quick]" >&2
	exit 2
	;;
esac

. ../need.sh
need_go
need taskset util-linux
need openssl openssl
foreign/prepare.sh
SEALANE_TEST_CRYPTO_MB=$(foreign/crypto_mb.sh) # empty where the processor cannot run it
export SEALANE_TEST_CRYPTO_MB

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

say() { printf 'bench.sh: %s\n' "$*" >&2; }

say "building"
# The tags give jwx its SIMD base64 and its faster JSON, so that it is measured at its
# best.
go test -c -tags jwx_asmbase64,jwx_goccy -o "$work/bench.test" .
go build -o "$work/table" ./bench/table

say "making keys, payloads and tokens"
for bits in 2048 3072 4096; do
	for name in customer provider; do
		openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$bits" -out "$work/$name-$bits.pem" 2>"$work/log" || {
			cat "$work/log" >&2
			exit 1
		}
	done
done
payload() { # payload NAME SIZE: a JSON object of SIZE bytes that doesn't compress
	{
		printf '{"image":"'
		head -c $((($2 - 12) * 3 / 4)) /dev/urandom | base64 -w0
		printf '"}'
	} >"$work/payload-$1"
}
payload 1KiB 1024
payload 100KiB 102400
payload 10MiB 10485760

export SEALANE_BENCH_DIR="$work"
# pinned runs a program on core 0 and records the elapsed time and its processor time. On
# an idle machine the two are nearly equal.
pinned() {
	local TIMEFORMAT='%R %U %S'
	{ time taskset -c 0 "$@" >>"$work/out" 2>"$work/log"; } 2>>"$work/times" || {
		cat "$work/log" >&2
		exit 1
	}
}
gobench=("$work/bench.test" '-test.run=^$' -test.timeout=10m "-test.benchtime=$go_time")
taskset -c 0 "$work/bench.test" -test.run='^TestBenchCodecs$' >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}

start=$SECONDS
for ((round = 1; round <= rounds; round++)); do
	say "round $round of $rounds: Go"
	GOMAXPROCS=1 pinned "${gobench[@]}" -test.bench='^Benchmark(Seal|Open|Limit|Handler)$'
	if [ "$(nproc)" -ge 2 ]; then
		taskset -c 0,1 "${gobench[@]}" -test.cpu=2 -test.bench='^BenchmarkHandler$/././clients=parallel' >>"$work/out"
	fi
	say "round $round of $rounds: batches"
	GOMAXPROCS=1 pinned "${gobench[@]}" -test.benchtime="$batch_time" -test.bench='^BenchmarkBatch$'
	GOMAXPROCS=1 pinned "${gobench[@]}" -test.benchtime=1x -test.bench='^BenchmarkKeyMemory$'
	if [ "$(nproc)" -ge 2 ]; then
		taskset -c 0,1 "${gobench[@]}" -test.benchtime="$batch_time" -test.cpu=2 \
			-test.bench='^BenchmarkBatch$/./clients=32/impl=(openssl|batch)' >>"$work/out"
	fi
	say "round $round of $rounds: Node"
	UV_THREADPOOL_SIZE=1 pinned node foreign/node/bench.mjs "$work" "$node_warm" "$node_time"
	say "round $round of $rounds: Java"
	pinned java -XX:+UseSerialGC -XX:ActiveProcessorCount=1 -Xms2g -Xmx2g \
		-cp 'foreign/java/target/classes:foreign/java/target/lib/*' Bench "$work" "$java_warm" "$java_time"
	say "round $round of $rounds: OpenSSL"
	pinned openssl speed -elapsed -seconds 1 rsa2048 rsa3072 rsa4096
done
say "measured in $((SECONDS - start)) s"
if [ -n "${SEALANE_BENCH_RAW:-}" ]; then
	cp "$work/out" "$SEALANE_BENCH_RAW"
fi

model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
share=$(awk '{ s = 100 * ($2 + $3) / $1; if (NR == 1 || s < least) least = s }
	END { printf "%.0f", least }' "$work/times")
version() { go list -m -f '{{.Version}}' "$1"; }
nimbus=$(basename foreign/java/target/lib/nimbus-jose-jwt-*.jar .jar)
cat <<END
$(date -u +%F), ${model:-$(uname -m)}, Linux $(uname -r); best of $rounds.
$(go version | cut -d ' ' -f 3), go-jose $(version github.com/go-jose/go-jose/v4), \
jwx $(version github.com/lestrrat-go/jwx/v3); \
Node $(node --version), jose $(node -p 'require("./foreign/node/node_modules/jose/package.json").version'); \
Java $(java --version | head -n 1 | cut -d ' ' -f 2), Nimbus ${nimbus##*-}; $(openssl version | cut -d ' ' -f 1-2).
Each program had the core for at least $share % of its time.
END
[ "$share" -ge 97 ] || echo "**Other programs used it too: measure again on an idle machine.**"
[ "$rounds" -gt 1 ] || echo "**One short round: not a measurement.**"
echo
"$work/table" <"$work/out"
