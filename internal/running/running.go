// Package running is how the operator's commands find the postmaster serve or demo that runs on this machine: it leaves a
// note in its data folder, and another where its user's commands look.
package running

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// An Instance is a serve or demo that runs. It holds no secrets.
type Instance struct {
	PID     int    `json:"pid"`
	DataDir string `json:"dataDir"`
	OkqAddr string `json:"okqAddr"`
	SQLite  string `json:"sqlite,omitempty"` // empty: its store is elsewhere
}

const (
	fileName    = "running.json"
	dialTimeout = 500 * time.Millisecond
)

// defaultDir is that of serve's --data-dir.
const defaultDir = "postmaster-data"

// Announce lets Find find i until the returned function is called. The note outlives a kill; Find sees that nobody
// listens then.
func Announce(i Instance) (withdraw func(), err error) {
	if i.DataDir, err = filepath.Abs(i.DataDir); err != nil {
		return nil, err
	}
	if i.SQLite != "" {
		if i.SQLite, err = filepath.Abs(i.SQLite); err != nil {
			return nil, err
		}
	}
	i.PID = os.Getpid()
	if err := write(i.DataDir, i); err != nil {
		return nil, fmt.Errorf("--data-dir: %w", err)
	}
	dirs := []string{i.DataDir}
	if dir, err := userDir(); err == nil && write(dir, i) == nil { // without it --data-dir has to be given
		dirs = append(dirs, dir)
	}
	return func() {
		for _, dir := range dirs {
			if last, err := read(dir); err == nil && last.PID == i.PID {
				os.Remove(filepath.Join(dir, fileName)) // a note that stays does no harm
			}
		}
	}, nil
}

// Find returns the instance that runs with a data folder. Without one it returns that of serve's default folder below the
// working directory, or else the one that the user started last.
func Find(dataDir string) (Instance, error) {
	if dataDir != "" {
		i, err := alive(dataDir)
		if err != nil {
			return i, fmt.Errorf("--data-dir: no serve or demo runs with %s: %w", dataDir, err)
		}
		return i, nil
	}
	i, err := alive(defaultDir)
	if err == nil {
		return i, nil
	}
	dir, err := userDir()
	if err != nil {
		return Instance{}, err
	}
	return alive(dir)
}

func alive(dir string) (Instance, error) {
	i, err := read(dir)
	if err != nil {
		return Instance{}, err
	}
	conn, err := net.DialTimeout("tcp", i.OkqAddr, dialTimeout)
	if err != nil {
		return Instance{}, err
	}
	return i, conn.Close()
}

func userDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "postmaster"), err
}

func read(dir string) (Instance, error) {
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		return Instance{}, err
	}
	var i Instance
	if err := json.Unmarshal(b, &i); err != nil || i.OkqAddr == "" {
		return Instance{}, errors.Join(fmt.Errorf("%s is damaged", fileName), err)
	}
	return i, nil
}

// write replaces the note as a whole, so that nobody reads half of one.
func write(dir string, i Instance) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b, err := json.Marshal(i)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, fileName+".*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, fileName))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
