package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Options say when a file is full and how long it is kept.
type Options struct {
	MaxBytes int64         // a file that has grown to this is followed by another
	MaxAge   time.Duration // and so is one that was begun this long ago
	Keep     time.Duration // files untouched for this long are removed; 0 keeps all
}

// Names of files sort by the time they were begun.
const (
	prefix     = "posts-"
	suffix     = ".zst"
	timeLayout = "20060102T150405.000000000Z"
)

// Writer appends POSTs to the files of a folder. It is safe for concurrent use, and so are several processes' on one
// folder.
type Writer struct {
	dir  string
	opts Options
	enc  *zstd.Encoder

	mu    sync.Mutex // protects the fields below
	file  *os.File   // nil before the first POST
	size  int64
	begun time.Time
}

// NewWriter makes dir if need be. It writes nothing yet.
func NewWriter(dir string, opts Options) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make archive folder: %w", err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &Writer{dir: dir, opts: opts, enc: enc}, nil
}

// Write appends a POST.
func (w *Writer) Write(p Post) error {
	frame := appendFrame(nil, w.enc, p)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.rotateLocked(p.At, int64(len(frame))); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	n, err := w.file.Write(frame)
	w.size += int64(n)
	if err != nil {
		// Half a frame is where readers stop, so nothing may follow it.
		return fmt.Errorf("archive: %w", errors.Join(err, w.closeLocked()))
	}
	return nil
}

// Close writes the last file out to the disk. A Write after it begins a new file.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closeLocked()
}

func (w *Writer) closeLocked() error {
	if w.file == nil {
		return nil
	}
	err := errors.Join(w.file.Sync(), w.file.Close())
	w.file = nil
	return err
}

// rotateLocked makes w.file a file that has room for n more bytes.
func (w *Writer) rotateLocked(now time.Time, n int64) error {
	if w.file != nil && (w.size == 0 || w.size+n <= w.opts.MaxBytes) && now.Sub(w.begun) < w.opts.MaxAge {
		return nil
	}
	if err := w.closeLocked(); err != nil {
		return err
	}
	if err := w.removeOld(now); err != nil {
		return err
	}
	name := filepath.Join(w.dir, prefix+now.UTC().Format(timeLayout)+suffix)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if errors.Is(err, os.ErrExist) { // another process began one in the same nanosecond
		f, err = os.CreateTemp(w.dir, strings.TrimSuffix(filepath.Base(name), suffix)+"-*"+suffix)
	}
	if err != nil {
		return err
	}
	w.file, w.size, w.begun = f, 0, now
	return nil
}

func (w *Writer) removeOld(now time.Time) error {
	if w.opts.Keep == 0 {
		return nil
	}
	names, err := files(w.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil && now.Sub(info.ModTime()) > w.opts.Keep {
			err = os.Remove(name)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) { // another process may have been faster
			return err
		}
	}
	return nil
}

// files returns the archive's files, oldest first.
func files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && strings.HasSuffix(e.Name(), suffix) {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names, nil
}
