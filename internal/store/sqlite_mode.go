package store

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// checkWriters refuses a file that everybody can change, or replace because its folder is open
// to everybody. On Windows nothing is checked.
func checkWriters(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("%s: everybody can change it (%v): chmod 600 it, and compare its rows with the audit log",
			path, info.Mode().Perm())
	}
	folder := filepath.Dir(path)
	if info, err = os.Stat(folder); err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("%s: everybody can replace it, because its folder is open to everybody (%v): chmod 700 %s",
			path, info.Mode().Perm(), folder)
	}
	return nil
}
