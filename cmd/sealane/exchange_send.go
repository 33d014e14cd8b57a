package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealane/sealane/internal/exchange"
)

// writeParcel writes the folders that are sent.
func writeParcel(dir string, p exchange.Parcel) error {
	files, err := p.Files()
	if err != nil {
		return err
	}
	covering, checksums, err := p.Letters()
	if err != nil {
		return err
	}
	for _, folder := range []string{"1-send", "2-send-separately"} {
		if err := ownFolder(filepath.Join(dir, folder), 0o755); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := writeNew(filepath.Join(dir, "1-send", name), data, 0o644); err != nil {
			return err
		}
	}
	if err := writeNew(filepath.Join(dir, "1-send", "letter.txt"), covering, 0o644); err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, "2-send-separately", "letter.txt"), checksums, 0o644)
}

// ownFolder makes a folder; a link in its place may lead elsewhere, and is refused.
func ownFolder(dir string, mode os.FileMode) error {
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a folder of its own (%v): choose another --out", dir, err)
	}
	return nil
}
