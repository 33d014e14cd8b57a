package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
)

// BlockKeys blocks public keys for good. What has one of them, on its way in or in
// use, is out of use at once.
func (d *Desk) BlockKeys(ctx context.Context, spkiSHA256 [][]byte, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return errors.New("say whose key it is, or why it is blocked (--reason)")
	}
	if len(spkiSHA256) == 0 {
		return errors.New("no key is named: give files, checksums or a list")
	}
	subject := fmt.Sprintf("spki/%x", spkiSHA256[0])
	if n := len(spkiSHA256); n > 1 {
		subject = fmt.Sprintf("%s and %d more", subject, n-1)
	}
	return d.Change(ctx, Entry{Action: "key.block", Subject: subject, Reason: reason}, func(tx Tx, e *Entry) error {
		var blocked []Blocked
		for _, sum := range spkiSHA256 {
			if err := notOfCertificate(tx, sum); err != nil {
				return err
			}
			b, err := d.Block(tx, sum, reason)
			if err != nil {
				return err
			}
			blocked = append(blocked, b)
		}
		e.After = blocked
		return nil
	})
}

// notOfCertificate refuses the checksum of a certificate where that of a key is wanted:
// it would block nothing.
func notOfCertificate(tx Tx, sum []byte) error {
	found, err := tx.Certificates(CertificateQuery{SHA256: sum})
	if err != nil || len(found) == 0 {
		return err
	}
	return fmt.Errorf("%x is the checksum of certificate %s, not of its public key, which is %x: block that", sum, found[0].ID, found[0].SPKISHA256)
}

// Block blocks a public key, and ends the use of whatever has it, as part of a
// change.
func (d *Desk) Block(tx Tx, spkiSHA256 []byte, reason string) (Blocked, error) {
	b := Blocked{SPKISHA256: spkiSHA256, Reason: reason, By: d.person.ID, At: d.now()}
	if err := tx.PutBlocked(b); err != nil {
		return b, err
	}
	certificates, err := tx.Certificates(CertificateQuery{Owner: Theirs, SPKISHA256: spkiSHA256, States: StatesAlive})
	if err != nil {
		return b, err
	}
	for _, c := range certificates {
		if err := d.MoveCertificate(tx, &c, Compromised); err != nil {
			return b, err
		}
		b.Ended = append(b.Ended, "certificate "+c.ID)
	}
	pairs, err := tx.KeyPairs(KeyPairQuery{SPKISHA256: spkiSHA256, States: StatesInUse})
	if err != nil {
		return b, err
	}
	for _, k := range pairs {
		if err := d.movePair(tx, &k, Compromised); err != nil {
			return b, err
		}
		b.Ended = append(b.Ended, "key pair "+k.ID)
	}
	return b, nil
}

// NotBlocked refuses a key that was blocked since it came in.
func NotBlocked(tx Tx, spkiSHA256 []byte) error {
	b, err := tx.Blocked(spkiSHA256)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("its public key was blocked on %s: %s", b.At.Format(time.DateOnly), b.Reason)
}

// Alarm records that somebody sent a private key, and blocks its public part,
// where that is known.
func (d *Desk) Alarm(ctx context.Context, partner, environment string, leak *cert.PrivateKeyError, spkiSHA256 []byte) (ended []string, err error) {
	err = d.Change(ctx, Entry{Action: "exchange.alarm", Subject: "partner/" + partner, Partner: partner, Environment: environment, Reason: leak.Error()}, func(tx Tx, e *Entry) error {
		if spkiSHA256 == nil {
			return nil // encrypted: nobody here knows which key it is
		}
		b, err := d.Block(tx, spkiSHA256, fmt.Sprintf("its private key came in a file from %s on %s", partner, d.now().Format(time.DateOnly)))
		e.After, ended = b, b.Ended
		return err
	})
	return ended, err
}
