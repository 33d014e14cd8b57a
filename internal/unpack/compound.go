package unpack

import (
	"encoding/binary"
	"slices"
	"unicode/utf16"
)

// compound is a file in Microsoft's compound format (MS-CFB): a file system in a file.
type compound struct {
	data       []byte
	sector     int // bytes of a sector
	fat        []uint32
	mini       []byte // the stream that small streams are in
	miniFAT    []uint32
	miniCutoff uint32
	entries    []compoundEntry
}

// compoundEntry is a stream or a storage.
type compoundEntry struct {
	name               string
	left, right, child uint32
	start              uint32
	size               uint64
}

// Limits and constants of MS-CFB.
const (
	maxCompoundEntries = 4096
	miniSector         = 64
	compoundHead       = 512
	entrySize          = 128
	headFAT            = 109 // sectors of the FAT that the head names
	noStream           = 0xffffffff
	lastRegular        = 0xfffffffa
)

// readCompound reads the tables of the file. It returns nil if they are damaged.
func readCompound(data []byte) *compound {
	if len(data) < compoundHead {
		return nil
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	shift := binary.LittleEndian.Uint16(data[30:])
	if shift != 9 && shift != 12 {
		return nil
	}
	c := &compound{data: data, sector: 1 << shift, miniCutoff: u32(56)}
	var fatSectors []uint32
	for i := range headFAT {
		fatSectors = append(fatSectors, u32(76+4*i))
	}
	perSector := c.sector/4 - 1 // the last number names the next sector
	for next, seen := u32(68), 0; next < lastRegular && seen < len(data)/c.sector; seen++ {
		numbers := words(c.at(next))
		if len(numbers) <= perSector {
			break
		}
		fatSectors, next = append(fatSectors, numbers[:perSector]...), numbers[perSector]
	}
	for _, s := range fatSectors {
		if s < lastRegular {
			c.fat = append(c.fat, words(c.at(s))...)
		}
	}
	if !c.readEntries(c.chain(u32(48), -1)) {
		return nil
	}
	c.miniFAT = words(c.chain(u32(60), -1))
	root := c.entries[0]
	c.mini = c.chain(root.start, int(min(root.size, uint64(len(data)))))
	return c
}

func (c *compound) readEntries(directory []byte) bool {
	for ; len(directory) >= entrySize && len(c.entries) < maxCompoundEntries; directory = directory[entrySize:] {
		e := directory[:entrySize]
		u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(e[at:]) }
		length := min(int(binary.LittleEndian.Uint16(e[64:])), 64) / 2
		units := make([]uint16, 0, length)
		for i := range length {
			if u := binary.LittleEndian.Uint16(e[2*i:]); u != 0 {
				units = append(units, u)
			}
		}
		c.entries = append(c.entries, compoundEntry{
			name: string(utf16.Decode(units)), left: u32(68), right: u32(72), child: u32(76),
			start: u32(116), size: binary.LittleEndian.Uint64(e[120:]) & 0xffffffff,
		})
	}
	return len(c.entries) > 0
}

// at returns the bytes of a sector, or fewer at the end.
func (c *compound) at(sector uint32) []byte {
	from := (int(sector) + 1) * c.sector
	if sector >= lastRegular || from < 0 || from >= len(c.data) {
		return nil
	}
	return c.data[from:min(from+c.sector, len(c.data))]
}

// chain returns the stream that begins with a sector. A negative size is that of all sectors.
func (c *compound) chain(start uint32, size int) []byte {
	var out []byte
	most := len(c.data) / c.sector
	for n := 0; start < lastRegular && n <= most && (size < 0 || len(out) < size); n++ {
		out = append(out, c.at(start)...)
		if int(start) >= len(c.fat) {
			break
		}
		start = c.fat[start]
	}
	if size >= 0 && len(out) > size {
		out = out[:size]
	}
	return out
}

// read returns a stream.
func (c *compound) read(e compoundEntry) []byte {
	size := int(min(e.size, uint64(len(c.data))))
	if e.size >= uint64(c.miniCutoff) {
		return c.chain(e.start, size)
	}
	var out []byte
	for start := e.start; start < lastRegular && len(out) < size; start = c.miniFAT[start] {
		from := int(start) * miniSector
		if from < 0 || from >= len(c.mini) || int(start) >= len(c.miniFAT) {
			break
		}
		out = append(out, c.mini[from:min(from+miniSector, len(c.mini))]...)
	}
	return out[:min(len(out), size)]
}

// children returns the entries in a storage.
func (c *compound) children(storage int) (found []int) {
	pending := []uint32{c.entries[storage].child}
	for len(pending) > 0 {
		n := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if n == noStream || int(n) >= len(c.entries) || slices.Contains(found, int(n)) {
			continue
		}
		found = append(found, int(n))
		pending = append(pending, c.entries[n].right, c.entries[n].left)
	}
	slices.Sort(found)
	return found
}

// words returns the numbers of four bytes in b.
func words(b []byte) []uint32 {
	out := make([]uint32, len(b)/4)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return out
}
