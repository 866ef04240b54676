package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

// queueSetName is the file with the identity of the directory's queues, in one line: "okqd queue set 1 ID".
const (
	queueSetName   = "queue-set"
	queueSetFormat = "okqd queue set 1 %s\n"
)

// QueueSet implements engine.Engine.
func (e *Engine) QueueSet() string { return e.queueSet }

// openQueueSet returns the identity of the directory's queues. It makes one that is durable before it is told if the
// directory has none: it is new, or of an okqd from before. A directory without room for it has none until the next start.
func (e *Engine) openQueueSet(dir string, fs journal.FS) {
	id, err := readQueueSet(dir, fs)
	if err == nil && id == "" {
		id, err = createQueueSet(dir, fs)
	}
	if err != nil {
		e.log.Warn().Err(err).Msg("the queues have no identity that clients could check")
		return
	}
	e.queueSet = id
}

// readQueueSet returns "" if there is no file, or one that a crash cut short.
func readQueueSet(dir string, fs journal.FS) (string, error) {
	names, err := fs.List(dir)
	if err != nil || !slices.Contains(names, queueSetName) {
		return "", err
	}
	path := filepath.Join(dir, queueSetName)
	f, err := fs.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text := make([]byte, len(queueSetText(rand.Text())))
	n, err := f.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	var id string
	if _, err := fmt.Sscanf(string(text[:n]), queueSetFormat, &id); err == nil && string(text) == queueSetText(id) {
		_, err := f.WriteAt(text, 0) // if a sync failed before, what can be read need not be on the disk
		return id, errors.Join(err, f.Sync())
	}
	if strings.Trim(string(text[:n]), "\x00") != "" && n == len(text) {
		return "", fmt.Errorf("%s: damaged, or written by another version of okqd", path)
	}
	return "", fs.Remove(path)
}

func createQueueSet(dir string, fs journal.FS) (string, error) {
	id := rand.Text()
	f, err := fs.Create(filepath.Join(dir, queueSetName), 0)
	if err != nil {
		return "", err
	}
	_, err = f.WriteAt([]byte(queueSetText(id)), 0)
	if err == nil {
		err = f.Sync()
	}
	return id, errors.Join(err, f.Close())
}

func queueSetText(id string) string { return fmt.Sprintf(queueSetFormat, id) }
