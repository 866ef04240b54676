//go:build !linux

package journal

import (
	"errors"
	"os"
)

func allocate(f *os.File, size int64) error { return zeros(f, size) }

func datasync(f *os.File) error { return f.Sync() }

func uncache(*os.File) {}

func usage(string) (available, total int64, err error) { return 0, 0, errors.ErrUnsupported }
