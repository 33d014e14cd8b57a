#!/usr/bin/env bash
# Fetches and builds what the programs in other languages need: panva/jose and
# Express for Node, Nimbus JOSE+JWT for Java, jwcrypto, Flask and its servers for
# Python. Tests and benchmarks start
# the programs; without this they are skipped by name. Installs the languages
# where the machine lacks them.
set -euo pipefail
cd "$(dirname "$0")"
. ../../need.sh

need node "nodejs npm"
need npm npm
need javac openjdk-17-jdk-headless
need mvn maven
need python3 "python3 python3-venv"
[ "$(node -p 'Number(process.versions.node.split(".")[0])')" -ge 20 ] || {
	echo "prepare.sh: Node $(node --version) is too old for jose; install Node 20 or newer" >&2
	exit 1
}

# Each is done again only when what it is made from has changed.
[ node/node_modules/.package-lock.json -nt node/package-lock.json ] ||
	(cd node && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2)
[ -z "$(find java/pom.xml java/src -newer java/target/prepared 2>&1)" ] ||
	(cd java && mvn -q -B process-classes >&2 && touch target/prepared)
[ python/.venv/prepared -nt python/requirements.txt ] || {
	rm -rf python/.venv
	python3 -m venv python/.venv 2>/dev/null || {
		need python3-venv-is-missing python3-venv
		python3 -m venv python/.venv
	}
	python/.venv/bin/pip install -q --disable-pip-version-check -r python/requirements.txt >&2
	touch python/.venv/prepared
}
