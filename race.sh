# Sourced by scripts that run tests under the race detector: sets race, the flags for it.
#
# The packages below are not instrumented, because that makes them about ten times as slow. They
# only read their arguments, and what they change is their own. SQLite and libc are translated
# from C: their memory is not Go's, and the detector would not see it. Everything else is
# instrumented: this module, crypto/rsa and the driver of SQLite, which call them, and packages
# whose values callers change, such as math/big and the hashes. One thing is not found: that one
# goroutine writes into memory while one of these packages, and nothing else, reads it.
race=(-race)
for uninstrumented in \
	crypto/internal/fips140/{bigmod,pbkdf2} regexp \
	golang.org/x/crypto/{blowfish,ssh/internal/bcrypt_pbkdf} \
	modernc.org/libc modernc.org/sqlite/lib; do
	race+=("-gcflags=$uninstrumented=-race=false")
done
