package keyfile

import "bytes"

// privateLine finds the next BEGIN line of a private key at or after from. It returns
// where the line begins, or -1, and where it ends.
func privateLine(text []byte, from int) (begin, end int, label string) {
	const longest = 64
	notInLabel := func(r rune) bool { return r != ' ' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }
	for {
		at := bytes.Index(text[from:], []byte(pemBegin))
		if at < 0 {
			return -1, 0, ""
		}
		begin = from + at
		from = begin + len(pemBegin)
		line := text[from:min(len(text), from+longest)]
		n := bytes.IndexFunc(line, notInLabel)
		if n < 0 || !bytes.HasPrefix(line[n:], []byte(pemDash)) {
			continue
		}
		line = line[:n]
		if bytes.HasSuffix(line, []byte("PRIVATE KEY")) || bytes.HasSuffix(line, []byte("PRIVATE KEY BLOCK")) {
			return begin, from + n + len(pemDash), string(line)
		}
	}
}

// withoutMentions changes the BEGIN lines of private keys so that they no longer look
// like one. If no key follows them, they are mentions: "never send a file with the line".
func withoutMentions(text []byte) []byte {
	begin, end, _ := privateLine(text, 0)
	if begin < 0 {
		return text
	}
	text = bytes.Clone(text)
	for begin >= 0 {
		copy(text[begin:], "=====")
		begin, end, _ = privateLine(text, end)
	}
	return text
}

// blocks finds the private keys in PEM, and returns the text without them.
func (s *search) blocks(text []byte) []byte {
	const longest = 64 << 10 // of a block whose end is missing
	rest, copied := text, false
	begin, behind, label := privateLine(text, 0)
	for begin >= 0 {
		if keyFollows(text[behind:]) {
			if !copied {
				rest, copied = bytes.Clone(text), true
			}
			end := bytes.Index(text[behind:], []byte(pemDash))
			if end < 0 || end > longest {
				end = min(longest, len(text)-behind)
			}
			s.block(label, text[behind:behind+end])
			copy(rest[begin:behind+end], bytes.Repeat([]byte(" "), behind+end-begin))
		}
		begin, behind, label = privateLine(text, behind)
	}
	return rest
}

func (s *search) block(label string, body []byte) {
	leak := Leak{Kind: "a private key in PEM (" + label + ")"}
	for _, der := range [][]byte{pemBlock{body: body}.bytes(), body, bytes.TrimLeft(body, jsonSpace)} {
		if k := recognize(der); k.private() != "" {
			leak.PublicKey = s.owner(func() SPKIHash { return ownerOf(k, der) })
			break
		}
	}
	if leak.PublicKey.IsZero() && label == labelOpenSSH {
		leak.PublicKey = s.owner(func() SPKIHash { return openSSHNumbers(pemBlock{body: body}.bytes()).owner() })
	}
	s.add(leak)
}

// openSSHMagic is how the base64 of OpenSSH's own format begins.
const openSSHMagic = "b3BlbnNzaC1rZXktdjE"

// openSSHHead is how OpenSSH's own format begins.
const openSSHHead = "openssh-key-v1\x00"

// keyFollows reports whether a key follows a BEGIN line, before the next five hyphens:
// DER, or enough base64 for the shortest key. Lines may be broken anew, escaped, quoted
// or damaged. The words of a letter do not count.
func keyFollows(text []byte) bool {
	const (
		near     = 1 << 10
		shortest = 60 // characters; Ed25519 has 64
	)
	text = bytes.TrimLeft(text, "-"+jsonSpace)
	if end := bytes.Index(text, []byte(pemDash)); end >= 0 {
		text = text[:end]
	}
	for _, der := range [][]byte{text, pemBlock{body: text}.bytes()} {
		if e, err := firstElement(der); err == nil && e.tag == tagSequence && privateShape(e.body) != kindUnknown {
			return true
		}
	}
	text = text[:min(len(text), near)]
	found := 0
	for _, word := range bytes.Fields(text) {
		if bytes.Contains(word, []byte("://")) {
			continue
		}
		for _, run := range bytes.FieldsFunc(word, func(r rune) bool { return !isBase64(r) }) {
			if likeBase64(run) {
				found += len(run)
			}
		}
	}
	return found >= shortest || bytes.Contains(text, []byte(openSSHMagic))
}

// likeBase64 tells a run of base64 from a word and from hexadecimal.
func likeBase64(run []byte) bool {
	const least = 16
	lower := bytes.IndexFunc(run, func(r rune) bool { return r >= 'a' && r <= 'z' }) >= 0
	upper := bytes.IndexFunc(run, func(r rune) bool { return r >= 'A' && r <= 'Z' }) >= 0
	other := bytes.ContainsAny(run, "0123456789+/")
	return len(run) >= least && lower && upper && other
}
