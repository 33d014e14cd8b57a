#!/usr/bin/env bash
# Makes libcrypto_mb.so.13 (Intel's crypto_mb, Apache 2.0) in this folder and prints its path. Prints
# nothing where the processor has no AVX-512 IFMA. The archive is a package of PyPI, whose SHA-256 is
# below; gcc links it with the system's libcrypto.so.3 and nothing else.
#
# Run prepare.sh first: pip is from there.
set -euo pipefail
cd "$(dirname "$0")"

for flag in avx512ifma avx512_vbmi2; do
	grep -qw "$flag" /proc/cpuinfo 2>/dev/null || exit 0
done

version=2026.2.0
sum=b4b952a9435f7aab3d1684822f644d586ce5f6bda874e4bfb8c008ee674ca5c5
library=$PWD/crypto_mb/$version/libcrypto_mb.so.13
if [ ! -e "$library" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	printf 'ipp-crypto-static==%s --hash=sha256:%s\n' "$version" "$sum" >"$work/requirements.txt"
	python/.venv/bin/pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
		-r "$work/requirements.txt" -d "$work" >&2
	python/.venv/bin/python -m zipfile -e "$work"/ipp_crypto_static-*.whl "$work"
	archive=$(find "$work" -name libcrypto_mb.a)
	mkdir -p "$(dirname "$library")"
	gcc -shared -o "$work/made.so" -Wl,-soname,libcrypto_mb.so.13 -Wl,-Bsymbolic \
		-Wl,--whole-archive "$archive" -Wl,--no-whole-archive -l:libcrypto.so.3
	mv "$work/made.so" "$library"
fi
printf '%s\n' "$library"
