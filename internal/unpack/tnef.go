package unpack

import (
	"bytes"
	"encoding/binary"
)

// The attributes of TNEF that are read (MS-OXTNEF, section 2.1.3.3).
const (
	tnefHead       = 6
	tnefBody       = 0x0002800c
	tnefTitle      = 0x00018010
	tnefData       = 0x0006800f
	tnefRendering  = 0x00069002 // begins an attachment
	tnefMore       = 0x00069005 // MAPI properties of an attachment, such as a message in TNEF
	tnefAttributes = 0x00069003 // MAPI properties of the message
)

// tnefMark is how a TNEF begins.
var tnefMark = []byte{0x78, 0x9f, 0x3e, 0x22}

// tnef opens a winmail.dat: each attribute is a level, a number, a length, its data, and a
// checksum of two bytes.
func (o *opener) tnef(p Part) {
	const head, sum = 1 + 4 + 4, 2
	name := ""
	rest := p.Data[min(len(p.Data), tnefHead):]
	for len(rest) > head {
		id, length := binary.LittleEndian.Uint32(rest[1:]), binary.LittleEndian.Uint32(rest[5:])
		rest = rest[head:]
		if uint64(length) > uint64(len(rest)) {
			o.trouble(p, "it is cut: send it again")
			return
		}
		data := rest[:length]
		rest = rest[min(int(length)+sum, len(rest)):]
		switch id {
		case tnefRendering:
			name = ""
		case tnefTitle:
			name = string(bytes.TrimRight(data, "\x00"))
		case tnefBody, tnefAttributes:
			if !o.inner(p, "", data) {
				return
			}
		case tnefMore:
			if at := bytes.Index(data, tnefMark); at >= 0 && !o.inner(p, "", data[at:]) {
				return
			}
		case tnefData:
			if !o.inner(p, name, data) {
				return
			}
		}
	}
}
