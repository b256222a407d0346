package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestFolderKey makes the key of a folder once, for its owner only.
func TestFolderKey(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), secretKeyFile)
	if keys, err := folderKey(file, false); err != nil || len(keys) != 0 {
		t.Errorf("a key that is not to be made: %d, %v", len(keys), err)
	}
	made, err := folderKey(file, true)
	if err != nil || len(made) != 1 {
		t.Fatalf("%d keys, %v", len(made), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, create := range []bool{true, false} {
		again, err := folderKey(file, create)
		if err != nil || len(again) != 1 || !bytes.Equal(again[0], made[0]) {
			t.Errorf("the next time it is another key: %v", err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("%d files in the folder, %v", len(left), err)
	}
	if err := os.WriteFile(file, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := folderKey(file, true); err == nil {
		t.Error("a file that holds no key was taken, or written over")
	}
}
