package keyfile

import (
	"errors"
	"fmt"
	"regexp"
)

// The functions of this file check what crypto/x509 ignores, against RFC 5280: parts
// after the last one, to which other readers may give a meaning, and times and
// versions that they may read differently. They take DER that crypto/x509 has parsed.

// Identifier octets within a TBSCertificate.
const (
	tagIssuerID   = 0x81 // issuerUniqueID [1]
	tagSubjectID  = 0x82 // subjectUniqueID [2]
	tagExtensions = 0xa3
)

// timeForms are those of RFC 5280, sections 4.1.2.5.1 and 4.1.2.5.2.
var timeForms = map[byte]*regexp.Regexp{
	tagUTCTime:         regexp.MustCompile(`^[0-9]{12}Z$`),
	tagGeneralizedTime: regexp.MustCompile(`^[0-9]{14}Z$`),
}

func strictCertificate(der []byte) error {
	parts, err := sequenceOf(der)
	if err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("it has %d parts, not the three of RFC 5280, section 4.1", len(parts))
	}
	tbs, err := elementsOf(parts[0].body)
	if err != nil {
		return err
	}
	version := 1
	if len(tbs) > 0 && tbs[0].tag == tagExplicit0 {
		if inner, err := elementsOf(tbs[0].body); err == nil && len(inner) == 1 && len(inner[0].body) == 1 {
			version = int(inner[0].body[0]) + 1
		}
		tbs = tbs[1:]
	}
	const spki = 5 // after serial number, algorithm, issuer, validity, subject
	if len(tbs) <= spki {
		return errors.New("parts are missing")
	}
	if err := strictValidity(tbs[3].body); err != nil {
		return err
	}
	if err := strictKey(tbs[spki].body); err != nil {
		return err
	}
	return strictTail(tbs[spki+1:], version)
}

// strictTail checks what follows the public key.
func strictTail(tail []element, version int) error {
	last := byte(0)
	for _, e := range tail {
		switch {
		case e.tag != tagIssuerID && e.tag != tagSubjectID && e.tag != tagExtensions || e.tag&0x1f <= last:
			return errors.New("something follows its last part")
		case e.tag == tagExtensions && version != 3:
			return fmt.Errorf("it has extensions, and its version is %d: only version 3 has them "+
				"(RFC 5280, section 4.1.2.9)", version)
		case version == 1:
			return errors.New("its version is 1, which has no unique identifiers (RFC 5280, section 4.1.2.8)")
		}
		last = e.tag & 0x1f
		if e.tag != tagExtensions {
			continue
		}
		list, err := elementsOf(e.body)
		if err != nil || len(list) != 1 || len(list[0].body) == 0 {
			return errors.New("its extensions are not one list with at least one of them (RFC 5280, section 4.1.2.9)")
		}
	}
	return nil
}

func strictValidity(body []byte) error {
	times, err := elementsOf(body)
	if err != nil || len(times) != 2 {
		return errors.New("its validity is not two times")
	}
	for _, t := range times {
		if form := timeForms[t.tag]; form == nil || !form.Match(t.body) {
			return errors.New("a time of its validity is not in UTC and to the second (RFC 5280, section 4.1.2.5)")
		}
	}
	return nil
}

func strictSPKI(der []byte) error {
	top, err := firstElement(der)
	if err != nil {
		return err
	}
	return strictKey(top.body)
}

// strictKey takes the content of a SubjectPublicKeyInfo. It examines RSA keys only.
func strictKey(body []byte) error {
	parts, err := elementsOf(body)
	if err != nil || len(parts) != 2 || len(parts[1].body) == 0 {
		return errors.New("the public key is not an algorithm and a key")
	}
	if !isRSA(parts[0]) {
		return nil
	}
	return twoIntegers(parts[1].body[1:]) // after the number of unused bits
}

// twoIntegers returns an error unless der is exactly an RSAPublicKey.
func twoIntegers(der []byte) error {
	parts, err := sequenceOf(der)
	if err != nil || len(parts) != 2 || parts[0].tag != tagInteger || parts[1].tag != tagInteger {
		return errors.New("an RSA public key is two integers and nothing else (RFC 8017, appendix A.1.1)")
	}
	return nil
}
