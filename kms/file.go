package kms

import (
	"context"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/keyfile"
)

// openFile opens "file:PATH" or "PATH".
func openFile(_ context.Context, uri string, o Options) (*Key, error) {
	path := uri
	if scheme, rest, found := strings.Cut(uri, ":"); found && strings.EqualFold(scheme, "file") {
		path = rest
	}
	data, err := readlimit.File(path, keyfile.MaxSize)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	private, info, err := keyfile.ParsePrivateAsk(data, o.Passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Key{Private: private, KeyID: info.KeyID, Certificates: info.Certificates}, nil
}
