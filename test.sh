#!/usr/bin/env bash
# Runs every test of every module: formatting, vet, staticcheck, and the tests
# under the race detector. A skipped test is a failure, except for TestRealLibrary, of two
# packages, which needs AVX-512 IFMA, on a processor without it. Installs what it needs
# and the machine lacks; where it may not, it says what is missing and fails.
set -euo pipefail
cd "$(dirname "$0")"
unset SEALANE_RSA SEALANE_PASSPHRASE

. ./need.sh
. ./race.sh
need_go
need git git
need gcc "gcc libc6-dev" # the race detector needs cgo
need openssl openssl
need curl curl
[ -d /usr/lib/postgresql ] || need initdb postgresql # Debian keeps it out of PATH
[ -x /usr/sbin/pgbouncer ] || need pgbouncer pgbouncer
interop/foreign/prepare.sh # Node, Java and Python, and what our programs in them need
# Where the processor has AVX-512 IFMA, crypto_mb is tested too. Elsewhere TestRealLibrary is skipped.
SEALANE_TEST_CRYPTO_MB=$(interop/foreign/crypto_mb.sh)
export SEALANE_TEST_CRYPTO_MB
# skipped prints the tests that were skipped and should not be, and reports whether there are any.
skipped() {
	if [ -n "$SEALANE_TEST_CRYPTO_MB" ]; then
		grep -aE '^\s*--- SKIP' "$1"
	else
		grep -aE '^\s*--- SKIP' "$1" | grep -avE '^--- SKIP: TestRealLibrary '
	fi
}

unformatted=$(git ls-files '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'test.sh: not formatted:\n%s\n' "$unformatted" >&2
	exit 1
fi

echo "== builds for other systems"
for target in windows/amd64 darwin/arm64 freebsd/amd64 linux/arm64; do
	CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go build -o /dev/null ./cmd/sealane
done
CGO_ENABLED=0 GOARCH=arm64 GOOS=linux go build -tags sealane_dlopen -o /dev/null ./cmd/sealane
CGO_ENABLED=0 GOARCH=386 go vet ./...

# Each of these tests is thousands of cases in one goroutine, or runs programs that are killed: there is
# nothing to race. They run without the race detector, and only there.
keyfile='TestSearchIsBounded|TestSearchIsLinear'
inspect='TestEveryForgedFaultIsNamed|TestFaultsSeenWithoutKeys|TestHostileSizes'
inspect+='|TestNoFaultOnlyOfWhatOpens|TestNothingIsClaimedOfRepetition|TestStrictCodecRefusesEveryForgedFault'
renewal='TestProperties|TestPropertiesWithoutAGuard|TestPassKilled|TestPeopleKilled|TestPeopleOfOurLegKilled'
for name in ${keyfile//|/ } ${inspect//|/ } ${renewal//|/ }; do
	if [ "$(git grep -hE "^func $name\(" -- '*_test.go' | wc -l)" != 1 ]; then
		echo "test.sh: $name is not the name of exactly one test, so some would be skipped" >&2
		exit 1
	fi
done

# Nor is there a race in a command that does one thing after the other. Those that serve run with it.
serves='sealane (serve|sandbox|schedule run|demo|call) '
scripts=$(cd command/testdata && grep -LE "$serves" ./*.txt | sed 's/.txt$//; s/^..//' | paste -sd'|')

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for module in . interop; do
	echo "== module $module"
	(
		cd "$module"
		go mod tidy -diff
		go vet ./...
		go tool staticcheck ./...
		elsewhere="^(TestWycheproof.*|$keyfile|$inspect|$renewal)\$|^TestScripts\$/^($scripts)\$"
		go test "${race[@]}" -count=1 -timeout 30m -skip "$elsewhere" -v ./... >"$log" 2>&1 || {
			grep -aE '^(---|===|\s*--- FAIL|FAIL|panic|\s+\S+_test\.go)' "$log" |
				grep -avE '^(=== (RUN|PAUSE|CONT)|--- PASS)' | tail -n 200
			exit 1
		}
		if skipped "$log"; then
			echo "test.sh: tests were skipped" >&2
			exit 1
		fi
		grep -aE '^(ok|\?)' "$log"
		# Tests print two tables: the matrix of peers, and the faults that inspect names differently.
		sed -n '/messages per peer, RSA size/,/messages; cells:/p' "$log"
		sed -n '/hostile_test.go:[0-9]*: [0-9]* files/,/misses of inspect/p' "$log"
	)
	printf '%s passed\n' "$(grep -acE '^\s*--- PASS' "$log")"
	passed=$((${passed:-0} + $(grep -acE '^\s*--- PASS' "$log")))
done
echo "== tests without the race detector, and the static build"
{
	go test -count=1 -run TestNothingLeaks -v ./internal/libcrypto &&
		go test -count=1 -run "^($keyfile)\$" -v ./keyfile &&
		go test -count=1 -run "^($inspect)\$" -v ./internal/inspect &&
		go test -count=1 -run "^($renewal)\$" -v ./internal/renewal &&
		go test -count=1 -run "^TestScripts\$/^($scripts)\$" -v ./command &&
		(cd interop && go test -count=1 -run '^TestWycheproof' -v .) &&
		CGO_ENABLED=0 go test -count=1 -skip '^TestRealLibrary$' -v ./internal/libcrypto ./kms ./rsaengine &&
		# On 386 lengths have 32 bits.
		CGO_ENABLED=0 GOARCH=386 go test -count=1 -v ./cert ./keyfile ./internal/strictjson ./internal/jose ./profile
} >"$log" 2>&1 || {
	tail -n 50 "$log"
	exit 1
}
if skipped "$log" || ! grep -aq -- '--- PASS: TestNothingLeaks' "$log"; then
	echo "test.sh: tests were skipped" >&2
	exit 1
fi
passed=$((passed + $(grep -acE '^\s*--- PASS' "$log")))
echo "== every fuzz target for a second"
interop/fuzz.sh 1s >"$log" 2>&1 || {
	cat "$log"
	exit 1
}
tail -n 1 "$log"
echo "$passed passed, 0 failed, 0 skipped"
