# Sourced by the scripts that need programs which a machine may lack.

# need COMMAND PACKAGES installs the Debian packages (one word or several) where
# the command is missing; where it may not, it says so and fails.
need() {
	command -v "$1" >/dev/null 2>&1 && return
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "$0: $1 is missing; install the Debian packages $2, or their like" >&2
		exit 1
	fi
	[ -n "${updated:-}" ] || { apt-get update -q >&2; updated=1; }
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $2 >&2
}

# need_go fails where Go is missing: Debian's is too old for this project.
need_go() {
	command -v go >/dev/null 2>&1 && return
	echo "$0: go is missing; install Go 1.26 or newer" >&2
	exit 1
}
