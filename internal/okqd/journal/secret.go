package journal

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
)

// The file that says what a directory is: its format, the secret of its checksums, and a checksum of both. A directory
// that okqd from before cannot read gets a higher format; the line begins the same way in every one.
const (
	secretName   = "journal"
	formatLine   = "okqd journal %d "
	format       = 2
	secretFormat = "okqd journal 2 %08x %08x\n"
)

var errNewer = errors.New("it needs a newer okqd")

func secretText(s secret) string {
	return fmt.Sprintf(secretFormat, uint32(s), s.sum([]byte(secretFormat)))
}

// openSecret reads the directory's, or makes one if there is nothing yet that it would be for.
func openSecret(opts Options, names []string, fresh bool) (secret, error) {
	if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "MANIFEST-") }) {
		return 0, fmt.Errorf("the directory is of an okqd from before its first release, which kept its queues in Pebble; no release " +
			"did. Empty the queues with that okqd, and begin with a new directory")
	}
	path := filepath.Join(opts.Dir, secretName)
	switch found := slices.Contains(names, secretName); {
	case found && !fresh:
		return readSecret(opts.FS, path)
	case !fresh:
		return 0, fmt.Errorf("%w: %s is missing", ErrDamaged, secretName)
	case found: // the very first start was cut short, and what can be read need not be on the disk
		if err := opts.FS.Remove(path); err != nil {
			return 0, err
		}
	}
	s := secret(rand.Uint32N(math.MaxUint32) + 1)
	f, err := opts.FS.Create(path, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(secretText(s)), 0); err != nil {
		return 0, err
	}
	return s, f.Sync()
}

func readSecret(fs FS, path string) (secret, error) {
	f, err := fs.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	text := make([]byte, len(secretText(0)))
	n, err := f.ReadAt(text, 0)
	if err != nil && err != io.EOF {
		return 0, err
	}
	var found int
	if _, err := fmt.Sscanf(string(text[:n]), formatLine, &found); err == nil && found > format {
		return 0, fmt.Errorf("the directory is of format %d, and this okqd knows up to format %d: %w", found, format, errNewer)
	}
	if size, err := f.Size(); err != nil || size != int64(len(text)) {
		n = 0
	}
	var s secret
	var sum uint32
	if _, err := fmt.Sscanf(string(text[:n]), secretFormat, &s, &sum); err != nil || string(text) != secretText(s) {
		return 0, fmt.Errorf("%s: %w, or written by another version of okqd", secretName, ErrDamaged)
	}
	return s, nil
}
