package filekind_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/filekind"
)

func TestOfFiles(t *testing.T) {
	for name, want := range map[string]filekind.Kind{
		"12-outlook-msg/certificate.msg": filekind.Outlook, "13-zip/certificate.zip": filekind.ZIP,
		"13-zip/certificate.cer.gz": filekind.Gzip, "31-bks-key-store/store.bks": filekind.BouncyCastle,
		"25-pem-begin-missing/x509certificate.xml": filekind.XML, "common/customer.cer": filekind.Unknown,
		"common/customer.pem": filekind.Unknown, "30-pkipath/jdk.pkipath": filekind.Unknown,
		"32-pkcs12-ber/bc.p12": filekind.Unknown, "46-challenge-by-mail/plain.txt": filekind.Token,
		"46-challenge-by-mail/letter.txt": filekind.Unknown, "35-python-bytes/body.json": filekind.Unknown,
	} {
		data, err := os.ReadFile("../../testdata/reports/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := filekind.Of(data); got != want {
			t.Errorf("%s: %d (%s), want %s", name, got, got, want)
		}
	}
}

func TestOfText(t *testing.T) {
	for text, want := range map[string]filekind.Kind{
		"": filekind.Unknown, "Dear all": filekind.Unknown, "{}": filekind.Unknown, "<": filekind.Unknown,
		" \r\n<!DOCTYPE HTML>": filekind.HTML, "\ufeff<html>": filekind.HTML, "<p class=x>hello</p>": filekind.HTML,
		"<?xml version='1.0'?><svg>": filekind.Image, "<RSAKeyValue>": filekind.XML, "<ds:KeyInfo >": filekind.XML,
		"BEGIN:VCARD\r\n": filekind.BusinessCard, "ssh-rsa AAAAB3": filekind.SSHPublic,
		"PK\x03\x04" + strings.Repeat("\x00", 26) + "[Content_Types].xml": filekind.Office,
		"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":                                filekind.OldOffice,
		"%PDF-1.7\n":                                                      filekind.PDF,
		"\x89PNG\r\n\x1a\n":                                               filekind.Image,
		"RIFF\x00\x00\x00\x00WEBPVP8":                                     filekind.Image,
		"1234\nFrom: a@b.example\n":                                       filekind.AppleMail,
		"From a@b Sun Nov 29 10:00:00 2026\nFrom: a@b\n":                  filekind.Mailbox,
		"SQLite format 3\x00":                                             filekind.SQLite,
		"<table><tr><td>partner</td></tr></table>":                        filekind.HTML,
		"version https://git-lfs.github.com/spec/v1\n":                    filekind.Pointer,
		`{"url": "https://docs.google.com/open?id=1", "doc_id": "1", "email": "a@b.example"}`: filekind.Pointer,
		`{"":"WARNING! DO NOT EDIT","doc_id":"1","resource_key":"","email":"a@b"}` + "\n":     filekind.Pointer,
		`{"url": "https://docs.google.com/document/d/1", "resource_id": "document:1"}`:        filekind.Pointer,
		`{"url":"https://risk.example/api","body":"eyJ"}`:                                     filekind.Unknown,
		`{"url":"https://risk.example/api"}`:                                                  filekind.Unknown,
		`{"doc_id":"1","x5c":["MII"]}`:                                                        filekind.Unknown,
		`{"doc_id":1}`:                                                                        filekind.Unknown,
		"Our key: ssh-rsa AAAAB3NzaC1yc2E, and our certificate is below":                      filekind.Unknown,
		`{"key":"a ssh-rsa AAAAB3NzaC1yc2E"}`:                                                 filekind.Unknown,
		"2026-11-29 10:00:00 accepted ssh-rsa AAAAB3NzaC1yc2E":                                filekind.Unknown,
		`command="ls -l",no-pty ssh-rsa AAAAB3NzaC1yc2E me@host`:                              filekind.SSHPublic,
		"@revoked *.example ssh-rsa AAAAB3NzaC1yc2E":                                          filekind.SSHPublic,
		"|1|abc=|def= ecdsa-sha2-nistp256 AAAAE2VjZHNh":                                       filekind.SSHPublic,
		"[Desktop Entry]\nType=Link\n":                                                        filekind.WebShortcut,
		"Certificate:\n    Data:\n        Version: 3":                                         filekind.Printed,
		"Alias name: acme\nCreation date: Nov 29, 2026":                                       filekind.Printed,
		"acme.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5":                                       filekind.SSHPublic,
		"SQLite format 3\x00 CREATE TABLE nssPrivate":                                         filekind.NSS,
	} {
		got := filekind.Of([]byte(text))
		if got != want {
			t.Errorf("%.40q: %d (%s), want %s", text, got, got, want)
		}
		if got != filekind.Unknown && (got.String() == "" || got.Advice() == "") {
			t.Errorf("%d has no text", got)
		}
	}
}
