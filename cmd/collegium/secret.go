package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/collegium/collegium/internal/identity"
)

// secretKeyFile holds the key of a private PostgreSQL, in its data folder.
const secretKeyFile = "secret.key"

// seal returns what keeps the secrets in the database: by the keys that are set, and, with
// the private PostgreSQL, by that of its folder, which is made if there is none at all.
func (c *serveCmd) seal(db *database) (*identity.Seal, error) {
	var keys [][]byte
	for i, text := range c.SecretKey {
		key, err := identity.ParseSecretKey(text)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--secret-key, key %d: %w", i+1, err)}
		}
		keys = append(keys, key)
	}
	if db.embedded != nil {
		own, err := folderKey(filepath.Join(db.embedded.DataDir(), secretKeyFile), len(keys) == 0)
		if err != nil {
			return nil, err
		}
		keys = append(keys, own...)
	}
	return identity.NewSeal(keys...)
}

// folderKey reads the key in a file. If there is none it makes one, or returns none.
func folderKey(file string, create bool) ([][]byte, error) {
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		key, err := identity.ParseSecretKey(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w; put the file back from a backup, or remove it and have people set up their authenticators anew", file, err)
		}
		return [][]byte{key}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case !create:
		return nil, nil
	}
	key := make([]byte, identity.SecretKeySize)
	_, _ = rand.Read(key)
	return [][]byte{key}, writeWhole(file, base64.StdEncoding.EncodeToString(key)+"\n")
}

// writeWhole writes a file that only its owner reads: all of it or nothing, also if the
// machine stops.
func writeWhole(file, text string) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// sealSecrets seals what is not sealed by the first key, and says what is left.
func sealSecrets(ctx context.Context, accounts *identity.Store, log *slog.Logger) error {
	done, err := accounts.SealSecrets(ctx)
	if err != nil {
		return err
	}
	if done.Sealed > 0 {
		log.Info("secrets of authenticators were sealed by the first secret key", "secrets", done.Sealed)
	}
	if done.Clear > 0 {
		log.Warn("secrets of authenticators stand in the database in clear; set COLLEGIUM_SECRET_KEY", "secrets", done.Clear)
	}
	if done.Lost > 0 {
		log.Warn("secrets of authenticators are sealed by a key that is not in COLLEGIUM_SECRET_KEY; their owners can sign in with a recovery code only", "secrets", done.Lost)
	}
	return nil
}
