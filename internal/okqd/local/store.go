package local

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/rs/zerolog"
)

// Memory that the store may take. Contents are read back soon after they were written, from the memtable, or in the
// order they were pushed, so a larger cache would not be hit more often.
const (
	cacheSize    = 16 << 20
	memTableSize = 16 << 20
	blockBytes   = 32 << 10
)

// lockDir makes the directory this process's own.
func lockDir(dir string, fs vfs.FS) (*pebble.Lock, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--data-dir: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, fs)
	var path *os.PathError
	switch {
	case errors.As(err, &path): // the file cannot be opened
		return nil, fmt.Errorf("lock --data-dir %s: %w", dir, err)
	case err != nil:
		return nil, fmt.Errorf("--data-dir %s is in use by another process: %w", dir, err)
	}
	return lock, nil
}

// openStore opens the directory's key-value store and checks its format.
func openStore(dir string, fs vfs.FS, lock *pebble.Lock, log zerolog.Logger, f *failure) (*pebble.DB, error) {
	if err := checkFiles(dir, fs, log); err != nil {
		return nil, err
	}
	db, err := pebble.Open(dir, storeOptions(dir, fs, log, f, lock))
	if err != nil {
		return nil, err
	}
	if err := checkFormat(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func storeOptions(dir string, fs vfs.FS, log zerolog.Logger, f *failure, lock *pebble.Lock) *pebble.Options {
	logger := storeLogger{log: log.With().Str("component", "store").Logger(), failure: f}
	opts := &pebble.Options{
		FS:                          newFiles{fs},
		FormatMajorVersion:          pebble.FormatNewest, // its log tells a torn tail from damage in the middle
		CacheSize:                   cacheSize,
		MemTableSize:                memTableFor(dir, fs),
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                500,
		Lock:                        lock,
		Logger:                      logger,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { logger.log.Error().Err(err).Msg("store error") },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				logger.log.Error().Str("path", info.Path).Err(info.Details).Msg("damaged data")
			},
		},
	}
	for i := range opts.Levels {
		opts.Levels[i].BlockSize = blockBytes
	}
	opts.EnsureDefaults()
	return opts
}

// newFiles never writes a log into the file of an old one. It costs a little, and without it nothing could tell the end
// of the log from damage: behind the end there would be old records.
type newFiles struct{ vfs.FS }

func (f newFiles) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.Remove(old); err != nil {
		return nil, err
	}
	return f.Create(name, category)
}

// checkFormat stamps an empty store and refuses one that something else, or a newer okqd, has written.
func checkFormat(db *pebble.DB) error {
	v, closer, err := db.Get([]byte(formatKey))
	if err == nil {
		defer closer.Close()
		if string(v) != formatNumber {
			return fmt.Errorf("format %q is not known, want %q", v, formatNumber)
		}
		return nil
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return err
	}
	return db.Set([]byte(formatKey), []byte(formatNumber), pebble.Sync)
}
