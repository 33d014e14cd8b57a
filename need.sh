# Sourced by scripts that need programs which may be missing.

# need COMMAND PACKAGES installs the Debian packages if the command is missing. Where it
# cannot, it says so and fails.
need() {
	command -v "$1" >/dev/null 2>&1 && return
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "$0: $1 is missing; install the Debian packages $2 or their equivalents" >&2
		exit 1
	fi
	[ -n "${updated:-}" ] || { apt-get update -q >&2; updated=1; }
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $2 >&2
}

# need_go fails if Go is missing. Debian's version is too old for this project.
need_go() {
	command -v go >/dev/null 2>&1 && return
	echo "$0: go is missing; install Go 1.26 or newer" >&2
	exit 1
}
