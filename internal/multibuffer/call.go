//go:build linux && !android && amd64 && (cgo || sealane_dlopen)

package multibuffer

import (
	"unsafe"

	"github.com/ebitengine/purego"
)

// call is a call of the library, in memory that is not Go's. call_amd64.s knows its layout.
type call struct {
	function uintptr
	align    uintptr // of the stack: 0, 16, 32 or 48 modulo 64
	args     [10]uintptr
	wide     uintptr // 1: wipe the 512-bit registers
}

// aligned is the address of the function that makes a call.
var alignedABI0 uintptr

// do makes the call and returns the status, four bits for each slot.
func (c *call) do() uint32 {
	status, _, _ := purego.SyscallN(alignedABI0, uintptr(unsafe.Pointer(c)))
	return uint32(status)
}
