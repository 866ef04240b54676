package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
	"github.com/levenlabs/postmaster/internal/okqd/journal/journaltest"
)

// A record of these tests is its length and its number, scattered, and then bytes that follow from the number: no two
// differ in one bit, which would pass for damage when one is half written over the other.
func fill(room []byte, n uint64) {
	binary.LittleEndian.PutUint32(room, uint32(len(room)))
	binary.LittleEndian.PutUint64(room[4:], n*scatter)
	pattern := fmt.Sprintf("%016x", n*scatter)
	for rest := room[minRecord:]; len(rest) > 0; {
		rest = rest[copy(rest, pattern):]
	}
}

const (
	minRecord = 12
	scatter   = 0x9e3779b97f4a7c15
	gather    = 0xf1de83e19937733d // scatter * gather = 1
)

func check(record []byte) (n uint64, err error) {
	n = binary.LittleEndian.Uint64(record[4:]) * gather
	want := make([]byte, len(record))
	if fill(want, n); !bytes.Equal(record, want) {
		return 0, fmt.Errorf("record %d is not what was written", n)
	}
	return n, nil
}

// book is a journal, and what the test knows of it.
type book struct {
	*journal.Journal
	fs     *journaltest.FS
	found  []uint64 // by Open
	places map[uint64]place
	next   uint64
}

type place struct {
	at   journal.Position
	size int
}

func open(fs *journaltest.FS) (*book, error) {
	b := &book{fs: fs, places: make(map[uint64]place)}
	var err error
	b.Journal, err = journal.Open(journal.Options{Dir: "log", FS: fs, Log: zerolog.Nop()}, func(at journal.Position, payload []byte) error {
		for len(payload) > 0 {
			size := int(binary.LittleEndian.Uint32(payload))
			n, err := check(payload[:size])
			if err != nil {
				return err
			}
			b.found = append(b.found, n)
			b.places[n] = place{at, size}
			b.next = max(b.next, n+1)
			at, payload = at+journal.Position(size), payload[size:]
		}
		return nil
	})
	return b, err
}

func (b *book) append(size int) {
	at, room := b.Filling().Append(size, 1)
	fill(room, b.next)
	b.places[b.next] = place{at, size}
	b.Keep(at)
	b.next++
}

func (b *book) write(t fatal) {
	batch, err := b.Place()
	if err == nil {
		err = b.Write(batch)
	}
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	b.Done(batch)
}

type fatal interface{ Fatalf(string, ...any) }

// Whatever is written in whatever batches, and whenever the power is cut: all records of each batch whose Write came
// back, from the oldest that is kept on, are there; and of the batch after it the first ones, or none.
func TestPowerCutsTakeNothingThatWasSynced(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, err := open(journaltest.New())
		if err != nil {
			t.Fatal(err)
		}
		oldest := uint64(0) // that is kept
		size := rapid.OneOf(rapid.IntRange(minRecord, 200), rapid.IntRange(minRecord, 100<<10))
		fillBatch := func(t *rapid.T) {
			for range rapid.IntRange(0, 6).Draw(t, "records") {
				b.append(size.Draw(t, "size"))
			}
		}
		synced := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				fillBatch(t)
				b.write(t)
				synced = b.next
			},
			"drop": func(t *rapid.T) {
				for n := rapid.Uint64Range(oldest, synced).Draw(t, "until"); oldest < n; oldest++ {
					b.Drop(b.places[oldest].at)
				}
			},
			"read": func(t *rapid.T) {
				if oldest == synced {
					return // nothing is kept
				}
				n := rapid.Uint64Range(oldest, synced-1).Draw(t, "record")
				record := make([]byte, b.places[n].size)
				if err := b.Read(b.places[n].at, record); err != nil {
					t.Fatalf("read %d: %v", n, err)
				}
				if got, err := check(record); err != nil || got != n {
					t.Fatalf("read %d: %d, %v", n, got, err)
				}
			},
			"crash": func(t *rapid.T) {
				left := cutWhileWriting(t, b, fillBatch)
				if b, err = open(left); err != nil {
					t.Fatalf("open after the crash: %v", err)
				}
				oldest, synced = resume(t, b, oldest, synced)
			},
			"kill": func(t *rapid.T) { // what was written can be read, synced or not; perhaps a sync failed and that was why
				disk := b.fs
				cutWhileWriting(t, b, fillBatch)
				for range rapid.IntRange(0, 3).Draw(t, "failed starts") {
					fine := rapid.IntRange(0, 2).Draw(t, "syncs that work")
					disk.BeforeSync(func() error {
						if fine--; fine < 0 {
							return errCut
						}
						return nil
					})
					if _, err := open(disk); err != nil && !errors.Is(err, errCut) {
						t.Fatalf("open with a failing sync: %v", err)
					}
				}
				disk.BeforeSync(nil)
				if b, err = open(disk); err != nil {
					t.Fatalf("open after the kill: %v", err)
				}
				oldest, synced = resume(t, b, oldest, synced)
			},
		})
	})
}

// cutWhileWriting writes one batch more, and returns the disk as a power cut somewhere in between leaves it.
func cutWhileWriting(t *rapid.T, b *book, fillBatch func(*rapid.T)) *journaltest.FS {
	fillBatch(t)
	batch, err := b.Place()
	if err != nil {
		t.Fatal(err)
	}
	seed := rapid.Uint64().Draw(t, "seed")
	b.fs.Seed(seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	cut, left := rapid.IntRange(0, 5).Draw(t, "cut"), b.fs.Crash(rng)
	b.fs.BeforeSync(func() error {
		if cut--; cut < 0 {
			return errCut
		}
		left = b.fs.Crash(rng)
		return nil
	})
	if err := b.Write(batch); err != nil && !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	return left
}

var errCut = errors.New("power cut")

// resume checks what Open found, and keeps what was kept.
func resume(t *rapid.T, b *book, oldest, synced uint64) (uint64, uint64) {
	for i, n := range b.found {
		if n != b.found[0]+uint64(i) {
			t.Fatalf("record %d after %d", n, b.found[i-1])
		}
	}
	if oldest < synced && (len(b.found) == 0 || b.found[0] > oldest || b.next < synced) {
		t.Fatalf("records %v, want at least %d to %d", b.found, oldest, synced-1)
	}
	if len(b.found) == 0 {
		return b.next, b.next
	}
	for _, n := range b.found {
		b.Keep(b.places[n].at)
	}
	return b.found[0], b.next
}

// A file that was used before is full of what were right frames.
func TestFilesAreUsedAgain(t *testing.T) {
	t.Parallel()
	b, err := open(journaltest.New())
	if err != nil {
		t.Fatal(err)
	}
	for range 400 { // 40 segments' worth
		b.append(25 << 10)
		b.write(t)
		b.Drop(b.places[b.next-1].at)
	}
	b.append(1000)
	b.write(t)
	if n := len(b.fs.Paths()); n > 12 {
		t.Errorf("%d files", n)
	}
	again, err := open(b.fs.Crash(nil))
	if err != nil || !slices.Contains(again.found, 400) {
		t.Errorf("found %v, %v", again.found, err)
	}
}

// TestTheCacheHasTheLogsEndOnly writes four times what the system is to have in memory.
func TestTheCacheHasTheLogsEndOnly(t *testing.T) {
	t.Parallel()
	b, err := open(journaltest.New())
	if err != nil {
		t.Fatal(err)
	}
	warm := 16 * int(b.SegmentSize())
	for b.Used() < int64(4*warm) {
		b.append(8 << 10)
		b.append(8 << 10)
		b.write(t)
		if most := warm + 2*int(b.SegmentSize()); b.fs.Cached() > most {
			t.Fatalf("%d bytes in memory with a log of %d, want %d at most", b.fs.Cached(), b.Used(), most)
		}
	}
	if least := warm * 3 / 4; b.fs.Cached() < least {
		t.Errorf("%d bytes in memory, want the newest %d at least", b.fs.Cached(), least)
	}
}

// What was read without a lock is the record that was asked for, while the files are used again and again, unless it was
// dropped meanwhile.
func TestReadersNeedNoLock(t *testing.T) {
	t.Parallel()
	b, err := open(journaltest.New())
	if err != nil {
		t.Fatal(err)
	}
	type kept struct {
		n uint64
		place
	}
	var newest atomic.Pointer[kept]
	var dropped atomic.Uint64 // records below it
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for ctx.Err() == nil {
			k := newest.Load()
			if k == nil {
				continue
			}
			record := make([]byte, k.size)
			err := b.Read(k.at, record)
			var n uint64
			if err == nil {
				n, err = check(record)
			}
			if (err != nil || n != k.n) && k.n >= dropped.Load() {
				t.Errorf("read %d: %d, %v", k.n, n, err)
				return
			}
		}
	})
	wg.Go(func() { // what is gone stays gone
		for gone := false; ctx.Err() == nil; {
			err := b.Read(headerSize, make([]byte, minRecord))
			if gone && !errors.Is(err, journal.ErrGone) {
				t.Errorf("read what was gone: %v", err)
				return
			}
			gone = errors.Is(err, journal.ErrGone)
		}
	})
	for range 2000 { // 100 segments' worth
		b.append(12 << 10)
		b.write(t)
		n := b.next - 1
		newest.Store(&kept{n, b.places[n]})
		if n > 0 {
			dropped.Store(n)
			b.Drop(b.places[n-1].at)
		}
	}
}

// Of a sector that was not written one bit elsewhere may be the explanation, by chance. It is torn all the same.
func TestTornFrameThatOneBitWouldExplainIsTorn(t *testing.T) {
	t.Parallel()
	b, err := open(journaltest.New())
	if err != nil {
		t.Fatal(err)
	}
	const sector, bit = 512, 100
	at, room := b.Filling().Append(2*sector, 1)
	fill(room, 1)
	missing := room[sector-int(at):][:sector]
	clear(missing)
	// What has the checksum that one bit has is that bit, shifted by a checksum up to there.
	one := make([]byte, sector-int(at)-bit)
	one[0] = 1
	binary.LittleEndian.PutUint32(missing, ^crc32.Update(^uint32(0), crc32.MakeTable(crc32.Castagnoli), one))
	b.Keep(at)
	b.write(t)
	left := b.fs.Crash(nil)
	clear(left.Content("log/000001.segment")[sector:][:sector])
	if again, err := open(left); err != nil || len(again.found) != 0 {
		t.Errorf("found %v, %v, want the write to be dropped", again.found, err)
	}
}

// No contents can pass for a frame: its checksums begin with what nobody outside knows.
func TestContentsThatLookLikeFramesAreContents(t *testing.T) {
	t.Parallel()
	b, err := open(journaltest.New())
	if err != nil {
		t.Fatal(err)
	}
	b.append(2000)
	b.write(t)
	segment := b.fs.Content("log/000001.segment")
	at, room := b.Filling().Append(minRecord+4000, 1)
	fill(room[:minRecord], b.next)
	copy(room[headerSize:], forge(at+headerSize, room[2*headerSize:][:1000])) // where a frame could begin
	b.write(t)
	segment[at] ^= 0xff // torn: the record's own frame is not right, so the search goes on behind its header
	segment[at+1] ^= 0xff
	again, err := open(b.fs.Crash(nil))
	if err != nil || len(again.found) != 1 {
		t.Errorf("found %v, %v, want the first record", again.found, err)
	}
}

// headerSize is of a frame.
const headerSize = 64

// forge is a frame's header as anybody could make it who knows the format, but not the secret.
func forge(at journal.Position, payload []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	h := make([]byte, headerSize)
	binary.LittleEndian.PutUint32(h[4:], crc32.Checksum(payload, table))
	binary.LittleEndian.PutUint32(h[8:], uint32(len(payload)))
	binary.LittleEndian.PutUint64(h[16:], uint64(at))
	binary.LittleEndian.PutUint32(h, crc32.Checksum(h[4:], table))
	return h
}
