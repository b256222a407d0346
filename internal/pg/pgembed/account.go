package pgembed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// account is who the server runs as. PostgreSQL refuses root, so root hands it to another account.
type account struct {
	uid, gid int
	name     string
	drop     bool // whether children must change to the account
}

// serverAccount is this process's own account, or for root "postgres", else "nobody".
func serverAccount() (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{uid: uid, gid: os.Getegid(), name: accountName(uid)}, nil
	}
	return dropTo("postgres", "nobody")
}

// dropTo is the first of the named accounts that exists, for root to run the server as.
func dropTo(names ...string) (account, error) {
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 != nil || err2 != nil || uid == 0 {
			continue
		}
		return account{uid: uid, gid: gid, name: name, drop: true}, nil
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is no account " + strings.Join(names, " or ") + " to run it: start this program as an ordinary user, or set DATABASE_URL")
}

// ownerAccount is the account that owns existing data, which must run them: this process's own, or for root any other
// than root.
func ownerAccount(clusterDir string, acct account) (account, error) {
	fi, err := os.Stat(clusterDir)
	if err != nil {
		return account{}, err
	}
	if acct.owns(fi) {
		return acct, nil
	}
	uid, gid := owner(fi)
	switch {
	case uid == 0:
		return account{}, fmt.Errorf("%s belongs to root, as whom PostgreSQL does not run: give it to another account (chown -R %s %s)", clusterDir, acct.name, clusterDir)
	case !acct.drop:
		return account{}, fmt.Errorf("%s belongs to user %s and this is user %s: run as the owner, or give another --data-dir", clusterDir, accountName(uid), acct.name)
	}
	return account{uid: uid, gid: gid, name: accountName(uid), drop: true}, nil
}

func accountName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// own gives a file or folder to the account, which only root needs to do.
func (a account) own(name string) error {
	if !a.drop {
		return nil
	}
	return os.Chown(name, a.uid, a.gid)
}

// owns says whether the account owns the file.
func (a account) owns(fi fs.FileInfo) bool {
	uid, _ := owner(fi)
	return uid == a.uid
}

// reachable says why the account can't get to dir, naming the folder above it that is closed. It looks at the
// permission bits alone, and only where this process and the server are different accounts.
func reachable(dir string, a account) error {
	if !a.drop {
		return nil
	}
	for d := dir; ; d = filepath.Dir(d) {
		fi, err := os.Stat(d)
		if err != nil {
			return err
		}
		uid, gid := owner(fi)
		need := fs.FileMode(0o001)
		switch {
		case uid == a.uid:
			need = 0o100
		case gid == a.gid:
			need = 0o010
		}
		if fi.Mode()&need == 0 {
			return fmt.Errorf("PostgreSQL runs as user %s here, who can't enter %s: open it (chmod o+x) or give a --data-dir elsewhere, such as /var/lib/collegium", a.name, d)
		}
		if d == filepath.Dir(d) {
			return nil
		}
	}
}
