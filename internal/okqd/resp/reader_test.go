package resp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var testLimits = Limits{MaxBulk: 8 << 20, MaxArgs: 1000, MaxBytes: 9 << 20}

// readAll reads commands until the end of src. Arguments are copied as soon as they are handed out.
func readAll(src io.Reader, lim Limits) (commands [][]string, err error) {
	r := NewReader(src, lim)
	defer r.Release()
	for {
		args, err := r.Next()
		switch {
		case errors.Is(err, ErrNotBulk):
			commands = append(commands, []string{"not bulk"})
		case err != nil:
			return commands, err
		case args != nil:
			command := []string{}
			for _, arg := range args {
				command = append(command, string(arg))
			}
			commands = append(commands, command)
		default:
			if err := r.Fill(); err != nil {
				return commands, err
			}
		}
	}
}

func encode(commands ...[]string) string {
	var b strings.Builder
	for _, command := range commands {
		fmt.Fprintf(&b, "*%d\r\n", len(command))
		for _, arg := range command {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
		}
	}
	return b.String()
}

// However the bytes are cut up on the way, the commands are the same.
func TestCommandsArriveHoweverTheBytesDo(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	var want [][]string
	for range 60 {
		command := []string{}
		for range rng.IntN(6) {
			size := rng.IntN(40)
			if rng.IntN(10) == 0 {
				size = rng.IntN(300 << 10)
			}
			command = append(command, strings.Repeat(string(rune('a'+rng.IntN(26))), size))
		}
		want = append(want, command)
	}
	want = append(want, []string{"BIG", strings.Repeat("x", 5<<20)}, []string{"PING"})
	raw := encode(want...)
	for name, src := range map[string]io.Reader{
		"at once":      strings.NewReader(raw),
		"in halves":    iotest.HalfReader(strings.NewReader(raw)),
		"with the end": iotest.DataErrReader(strings.NewReader(raw)),
		"in pieces":    &pieces{strings.NewReader(raw), rng},
	} {
		got, err := readAll(src, testLimits)
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s (seed %d): %v", name, seed, err)
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s (seed %d): other commands than were sent", name, seed)
		}
	}
}

// pieces reads a few bytes, or many, at a time.
type pieces struct {
	src io.Reader
	rng *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	size := 1 + p.rng.IntN(20)
	if p.rng.IntN(2) == 0 {
		size = 1 + p.rng.IntN(100<<10)
	}
	return p.src.Read(b[:min(len(b), size)])
}

func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]error{
		"PING\r\n":                     ErrProtocol,
		"*1\n$4\r\nPING\r\n":           ErrProtocol,
		"*1\r\n$4\r\nPINGG\r\n":        ErrProtocol,
		"*\r\n":                        ErrProtocol,
		"*1x\r\n":                      ErrProtocol,
		"*99999\r\n":                   ErrProtocol,
		"*1\r\n$99999999999\r\n":       ErrProtocol,
		"*1\r\n$999999999999999\r\n":   ErrProtocol,
		"*1\r\n*1\r\n$4\r\nPING\r\n":   ErrProtocol,
		strings.Repeat("*", 100):       ErrProtocol,
		"*" + strings.Repeat("1", 200): ErrProtocol,
		"*-1\r\n":                      io.EOF,
		"*1\r\n$4\r\nPI":               io.EOF,
		"*2\r\n$8000000\r\n" + strings.Repeat("x", 8000000) + "\r\n$8000000\r\n": ErrProtocol, // too large together
	} {
		commands, err := readAll(strings.NewReader(raw), testLimits)
		if len(commands) != 0 || !errors.Is(err, want) {
			t.Errorf("%.40q: %v, %v; want %v", raw, commands, err, want)
		}
	}
	got, err := readAll(strings.NewReader("*1\r\n:5\r\n*1\r\n$-1\r\n*1\r\n$4\r\nPING\r\n*0\r\n"), testLimits)
	want := [][]string{{"not bulk"}, {"not bulk"}, {"PING"}, {}}
	if !errors.Is(err, io.EOF) || !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, %v", got, err)
	}
}

// Memory follows what has arrived, not what was announced.
func TestAnnouncedSizesAreNotAllocated(t *testing.T) {
	lim := Limits{MaxBulk: 1 << 30, MaxArgs: 1 << 20, MaxBytes: 1<<30 + 1<<20}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readAll(strings.NewReader("*3\r\n$1073741824\r\nfew bytes"), lim); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

// A connection that has been answered keeps a small buffer only.
func TestIdleReaderIsSmall(t *testing.T) {
	t.Parallel()
	raw := encode([]string{"PUSH", strings.Repeat("x", 1<<20)}, []string{"PING"})
	r := NewReader(io.MultiReader(strings.NewReader(raw), strings.NewReader("*")), testLimits)
	for n := 0; n < 2; {
		args, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if args != nil {
			n++
			continue
		}
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := r.Fill(); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	if len(r.buf) != idleSize {
		t.Errorf("an idle reader has a buffer of %d bytes", len(r.buf))
	}
}

func FuzzReader(f *testing.F) {
	for _, raw := range []string{
		"*1\r\n$4\r\nPING\r\n", "*-1\r\n*0\r\n", "*2\r\n:5\r\n+x\r\n", "*3\r\n$1\r\na\r\n$0\r\n\r\n$2\r\n\r\n\r\n",
		"*1\r\n$10000000000\r\n", "PING\r\n", encode([]string{"QLPUSH", "q", "id", strings.Repeat("y", 5000)}),
	} {
		f.Add([]byte(raw), uint64(1))
	}
	lim := Limits{MaxBulk: 10000, MaxArgs: 20, MaxBytes: 20000}
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		whole, wholeErr := readAll(bytes.NewReader(raw), lim)
		cut, cutErr := readAll(&pieces{bytes.NewReader(raw), rand.New(rand.NewPCG(seed, 2))}, lim)
		if !slices.EqualFunc(whole, cut, slices.Equal) {
			t.Fatalf("at once %q, in pieces %q", whole, cut)
		}
		if errors.Is(wholeErr, ErrProtocol) != errors.Is(cutErr, ErrProtocol) {
			t.Fatalf("at once %v, in pieces %v", wholeErr, cutErr)
		}
		for _, command := range whole {
			if len(command) > lim.MaxArgs {
				t.Fatalf("%d arguments", len(command))
			}
		}
	})
}
