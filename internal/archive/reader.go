package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A Post is one POST of an archive.
type Post struct {
	At   time.Time
	Body []byte // valid until the next
	File string // name of the file that it is in; Write ignores it

	Signed   bool // by SendGrid, and checked. Older versions did not note it.
	OneClick bool // Body is a pm_unsubscribe of pm-hooks' own
}

// Read calls each for every POST in dir, file by file in the order they were begun, the file called from or all if that
// is empty being the first, and ends with each's first error.
// Half a POST at the end of a file is skipped. A file that is damaged anywhere else is read up to there; Read goes on
// with the others and returns what it found wrong at the end.
func Read(dir, from string, each func(Post) error) error {
	names, err := files(dir)
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	if len(names) == 0 {
		return fmt.Errorf("read archive: no %s*%s in %s", prefix, suffix, dir)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBody))
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	defer dec.Close()
	var faults []error
	for _, name := range names {
		if filepath.Base(name) < from {
			continue
		}
		fault, err := readFile(name, dec, each)
		if err != nil {
			return err
		}
		if fault != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, fault))
		}
	}
	return errors.Join(faults...)
}

// readFile tells what is wrong with the file apart from what each returned.
func readFile(name string, dec *zstd.Decoder, each func(Post) error) (fault, err error) {
	f, fault := os.Open(name)
	if fault != nil {
		return fault, nil
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for n := 0; ; n++ {
		p, fault := readFrame(r, dec)
		switch {
		case fault == io.EOF, errors.Is(fault, errTorn):
			return nil, nil
		case fault != nil:
			return fmt.Errorf("after %d POSTs: %w", n, fault), nil
		}
		p.File = filepath.Base(name)
		if err := each(p); err != nil {
			return nil, err
		}
	}
}
