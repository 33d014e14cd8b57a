package keyfile

// Format says in words what a file is.
type Format string

// The formats of certificates and public keys, as [Parse] returns them.
const (
	FormatPEM          Format = "certificate in PEM"
	FormatDER          Format = "certificate in DER"
	FormatBase64       Format = "certificate in base64 without PEM lines"
	FormatPKCS7PEM     Format = "PKCS#7 in PEM"
	FormatPKCS7DER     Format = "PKCS#7 in DER"
	FormatPKCS7Base64  Format = "PKCS#7 in base64 without PEM lines"
	FormatPublicPEM    Format = "bare public key in PEM"
	FormatPublicDER    Format = "bare public key in DER"
	FormatPublicBase64 Format = "bare public key in base64 without PEM lines"
)

// The formats of certificates and of private keys.
const (
	FormatJWK    Format = "JWK"
	FormatPKCS12 Format = "PKCS#12"
)

// The formats of private keys, as [ParsePrivate] returns them.
const (
	FormatPKCS8          Format = "PKCS#8"
	FormatPKCS8Encrypted Format = "encrypted PKCS#8"
	FormatPKCS1          Format = "PKCS#1"
)
