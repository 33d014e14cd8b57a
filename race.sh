# Sourced by scripts that run tests under the race detector: sets race, the flags for it.
#
# The packages below are not instrumented, because that makes them about ten times as slow. They
# only compute on their arguments, and what they share they guard with package sync. SQLite and
# libc are translated from C: their memory is not Go's, and the detector would not see it.
# Everything else is instrumented: this module, and crypto/rsa, crypto/sha256 and the driver of
# SQLite, which call them. One thing is not found: that one goroutine writes into memory while
# one of these packages, and nothing else, reads it.
race=(-race)
for uninstrumented in \
	crypto/internal/fips140/{bigmod,hmac,pbkdf2,sha256,sha512} math/big regexp \
	golang.org/x/crypto/{blowfish,pbkdf2,scrypt,ssh/internal/bcrypt_pbkdf} \
	modernc.org/libc modernc.org/sqlite/lib; do
	race+=("-gcflags=$uninstrumented=-race=false")
done
