package journal_test

import (
	"errors"
	"io"
	"testing"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
	"github.com/levenlabs/postmaster/internal/okqd/journal/journaltest"
)

// Whatever a directory's files hold: Open fails, or hands over bytes that have the checksum of a frame, and the journal
// works from there on.
func FuzzOpen(f *testing.F) {
	b, err := open(journaltest.New())
	if err != nil {
		f.Fatal(err)
	}
	for range 3 {
		b.append(50)
		b.append(200)
		batch, err := b.Place()
		if err != nil {
			f.Fatal(err)
		}
		if err := b.Write(batch); err != nil {
			f.Fatal(err)
		}
		b.Done(batch)
	}
	disk := b.fs.Crash(nil)
	used := disk.Content("log/000001.segment")[:1024]
	f.Add(used, 0, byte(0))
	f.Add(used[:500], 40, byte(1))
	f.Add([]byte{}, 0, byte(0))
	f.Fuzz(func(t *testing.T, head []byte, at int, flip byte) {
		left := disk.Crash(nil)
		content := left.Content("log/000001.segment")
		clear(content[:1024])
		n := copy(content, head)
		if n > 0 {
			content[(at%n+n)%n] ^= flip
		}
		records := 0
		j, err := journal.Open(journal.Options{Dir: "log", FS: left, Log: zerolog.Nop()}, func(_ journal.Position, payload []byte) error {
			records += len(payload)
			return nil
		})
		if err != nil {
			if !errors.Is(err, journal.ErrDamaged) && !errors.Is(err, io.EOF) {
				t.Errorf("neither opened nor called damaged: %v", err)
			}
			return
		}
		if records > n {
			t.Errorf("%d bytes of records in a log of %d", records, n)
		}
		_, room := j.Filling().Append(10, 1)
		copy(room, "0123456789")
		batch, err := j.Place()
		if err == nil {
			err = j.Write(batch)
		}
		if err != nil {
			t.Errorf("write after opening: %v", err)
		}
	})
}
