//go:build race && linux && !android && (amd64 || arm64) && !sealane_static

package libcrypto_test

func init() { raced = true }
