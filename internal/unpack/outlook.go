package unpack

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// The properties of a message that are read, in hexadecimal as in the names of streams
// (MS-OXMSG, section 2.1.3).
const (
	streamPrefix     = "__substg1.0_"
	attachmentFolder = "__attach_version1.0_"
	propertyData     = "37010102"
	propertyMessage  = "3701000D" // a message in the message: a storage
	propertyLongName = "3707"
	propertyName     = "3704"
	propertyBody     = "1000"
	propertyHTML     = "1013"
	typeUnicode      = "001F"
)

// outlook opens a message of Outlook.
func (o *opener) outlook(p Part) {
	c := readCompound(p.Data)
	if c == nil {
		o.trouble(p, "it is damaged: "+p.Kind.Advice())
		return
	}
	found := len(o.file.Parts)
	o.outlookMessage(c, p, 0, map[int]bool{})
	if len(o.file.Parts) == found {
		o.trouble(p, "it has neither text nor attachments: "+p.Kind.Advice())
	}
}

// outlookMessage opens the message in a storage. No storage is opened twice, because it
// might contain itself.
func (o *opener) outlookMessage(c *compound, p Part, storage int, seen map[int]bool) {
	if seen[storage] {
		return
	}
	seen[storage] = true
	for _, child := range c.children(storage) {
		if o.left < 0 {
			return
		}
		e := c.entries[child]
		switch property := strings.TrimPrefix(e.name, streamPrefix); {
		case strings.HasPrefix(e.name, attachmentFolder):
			o.outlookAttachment(c, p, child, seen)
		case strings.HasPrefix(property, propertyBody), strings.HasPrefix(property, propertyHTML):
			data := c.read(e)
			if strings.HasSuffix(property, typeUnicode) {
				data = append([]byte{0xff, 0xfe}, data...)
			}
			o.inner(p, "", data)
		}
	}
}

func (o *opener) outlookAttachment(c *compound, p Part, storage int, seen map[int]bool) {
	if seen[storage] {
		return
	}
	seen[storage] = true
	var name, short string
	var data []byte
	message := -1
	for _, child := range c.children(storage) {
		e := c.entries[child]
		switch property := strings.TrimPrefix(e.name, streamPrefix); {
		case property == propertyData:
			data = c.read(e)
		case property == propertyMessage:
			message = child
		case strings.HasPrefix(property, propertyLongName):
			name = propertyText(property, c.read(e))
		case strings.HasPrefix(property, propertyName):
			short = propertyText(property, c.read(e))
		}
	}
	if name == "" {
		name = short
	}
	if message >= 0 {
		o.outlookMessage(c, p, message, seen)
	} else if data != nil {
		o.inner(p, name, data)
	}
}

func propertyText(property string, data []byte) string {
	if !strings.HasSuffix(property, typeUnicode) {
		return string(bytes.TrimRight(data, "\x00"))
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	return strings.TrimRight(string(utf16.Decode(units)), "\x00")
}
