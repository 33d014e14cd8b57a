package interop

import (
	"context"
	"crypto/rsa"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
)

// theirs reads files that other programs made: every file named private… holds one key, and
// every other one its public half. Certificates must pass the policy of RDX, and a lane
// must work with them.
func theirs(t *testing.T, folder string) (read int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var private *rsa.PrivateKey
	for _, file := range files {
		if !strings.HasPrefix(filepath.Base(file), "private") {
			continue
		}
		key, info, err := keyfile.ParsePrivate(load(t, file), []byte(passphrase))
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		if private == nil {
			private = key
		}
		if !key.Equal(private) || len(info.Certificates) > 0 && !key.PublicKey.Equal(info.Certificates[0].PublicKey) {
			t.Errorf("%s (%s): another key", filepath.Base(file), info.Format)
		}
		read++
	}
	if private == nil {
		t.Fatal("no private key was read")
	}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "private") {
			continue
		}
		f, err := keyfile.Parse(load(t, file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !private.PublicKey.Equal(f.PublicKey) {
			t.Errorf("%s (%s): another key", name, f.Format)
		}
		public := keyring.Key{State: keyring.Active, ID: alias, Public: f.PublicKey}
		if len(f.Certificates) > 0 {
			public.Certificate = f.Certificates[0]
			if v := cert.Check(f.Certificates[0], testlane.Profile(t, "rdx").Certificate, time.Now()); v.Refused() ||
				v.Warned() {
				t.Errorf("%s does not fit: %+v", name, v)
			}
		}
		carries(t, name, public, keyring.Key{State: keyring.Active, ID: alias, Private: private})
		read++
	}
	return read
}

// carries sends a message on an RDX lane: sealed to the public key, opened by the private
// one.
func carries(t *testing.T, name string, public, private keyring.Key) {
	t.Helper()
	to, err := keyring.New(public)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	own, err := keyring.New(private)
	if err != nil {
		t.Fatal(err)
	}
	lane := func(side sealane.Side, ours, theirs *keyring.Ring) *sealane.Lane {
		l, err := sealane.New(sealane.Config{
			Profile:     testlane.Profile(t, "rdx"),
			Side:        side,
			Environment: "STAG",
			Ours:        ours,
			Theirs:      theirs,
			SenderAuth:  sealane.SenderUnauthenticated,
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return l
	}
	token, err := lane(sealane.ClientSide, nil, to).Seal(context.Background(), []byte(`{"n":1.10}`))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if m, err := lane(sealane.ServerSide, own, nil).OpenMessage(context.Background(), token); err != nil ||
		string(m.Payload()) != `{"n":1.10}` {
		t.Errorf("%s: what is sealed to it does not open: %v", name, err)
	}
}

// TestCertificatesOfTheirs: we read what OpenSSL, keytool, Node and Python make,
// self-signed and signed by an authority, and a lane works with it.
func TestCertificatesOfTheirs(t *testing.T) {
	t.Parallel()
	for _, bits := range []string{"2048", "3072", "4096"} {
		for _, in := range []struct {
			language
			files int
		}{{node, 9}, {python, 15}} {
			t.Run(in.folder+"-"+bits, func(t *testing.T) {
				t.Parallel()
				folder := t.TempDir()
				if out, err := foreign(limited(t), t, in.language, "certificate", "make", folder, passphrase,
					bits).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if n := theirs(t, folder); n != in.files {
					t.Errorf("%d files were read, not %d", n, in.files)
				}
			})
		}
	}
	t.Run("openssl", func(t *testing.T) {
		t.Parallel()
		folder, authority := t.TempDir(), t.TempDir()
		run := tool(t, "openssl", folder)
		root, rootKey := filepath.Join(authority, "root.pem"), filepath.Join(authority, "root.key")
		run("req", "-x509", "-newkey", "rsa:3072", "-noenc", "-days", "3650", "-subj", "/O=OpenSSL/CN=Root", "-keyout",
			rootKey, "-out", root)
		run("req", "-new", "-newkey", "rsa:3072", "-noenc", "-subj",
			"/O=OpenSSL Bank/OU=Keys/CN=openssl.example/emailAddress=keys@openssl.example",
			"-keyout", "private.pem", "-out", filepath.Join(authority, "request.pem"))
		write(t, filepath.Join(authority, "extensions"),
			[]byte("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyEncipherment\n"))
		run("x509", "-req", "-in", filepath.Join(authority, "request.pem"), "-CA", root, "-CAkey", rootKey, "-days",
			"730",
			"-extfile", filepath.Join(authority, "extensions"), "-out", "signed.pem")
		run("crl2pkcs7", "-nocrl", "-certfile", root, "-certfile", "signed.pem", "-out", "signed.p7b")
		run("pkcs12", "-export", "-inkey", "private.pem", "-in", "signed.pem", "-certfile", root, "-passout",
			"pass:"+passphrase, "-out", "private.p12")
		if n := theirs(t, folder); n != 4 {
			t.Errorf("%d files were read, not 4", n)
		}
	})
	t.Run("keytool", func(t *testing.T) {
		t.Parallel()
		folder, authority := t.TempDir(), t.TempDir()
		run := tool(t, "keytool", folder)
		root := filepath.Join(authority, "root.p12")
		store := func(file string, args ...string) {
			run(append(args, "-keystore", file, "-storetype", "PKCS12", "-storepass", passphrase)...)
		}
		request, signed, rootPEM := filepath.Join(authority, "request.pem"), "signed.pem", filepath.Join(authority,
			"root.pem")
		store(root, "-genkeypair", "-alias", "root", "-keyalg", "RSA", "-keysize", "3072", "-dname", "CN=Root, O=Java",
			"-ext", "BC:critical=ca:true", "-ext", "KU:critical=keyCertSign")
		store(root, "-exportcert", "-rfc", "-alias", "root", "-file", rootPEM)
		store("private.p12", "-genkeypair", "-alias", "leaf", "-keyalg", "RSA", "-keysize", "4096", "-dname",
			"CN=java.example, OU=Keys, O=Java Bank")
		store("private.p12", "-certreq", "-alias", "leaf", "-file", request)
		store(root, "-gencert", "-rfc", "-alias", "root", "-validity", "730", "-ext", "KU:critical=keyEncipherment",
			"-ext", "SAN=email:keys@java.example", "-infile", request, "-outfile", signed)
		store("private.p12", "-importcert", "-noprompt", "-alias", "root", "-file", rootPEM)
		store("private.p12", "-importcert", "-noprompt", "-alias", "leaf", "-file", signed)
		if n := theirs(t, folder); n != 2 {
			t.Errorf("%d files were read, not 2", n)
		}
	})
}
