package resp

import (
	"strings"
	"testing"
)

func scanAll(stream []byte, step int) (values int, err error) {
	s := Scanner{Begin: func() error { values++; return nil }}
	for len(stream) > 0 && err == nil {
		n := min(step, len(stream))
		err = s.Scan(stream[:n])
		stream = stream[n:]
	}
	return values, err
}

func TestScannerTellsWhatCannotBeAReply(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in     string
		values int
		ok     bool
	}{
		{"+OK\r\n-ERR x\r\n:-1\r\n$-1\r\n*-1\r\n*0\r\n", 6, true},
		{"*2\r\n$3\r\na\r\n\r\n*1\r\n:1\r\n+OK\r\n", 2, true},
		{"$0\r\n\r\n*3\r\n*0\r\n$-1\r\n$1\r\n*\r\n+\r\n", 3, true},
		{"+OK\n", 0, false},
		{"OK\r\n", 0, false},
		{"H", 0, false},
		{"$-2\r\n", 1, false},
		{"$+1\r\n", 1, false},
		{"$\r\n", 1, false},
		{"$99999999999\r\n", 1, false},
		{"*-2\r\n", 1, false},
		{"*9999999\r\n", 1, false},
		{":x\r\n", 1, false},
		{strings.Repeat("*1\r\n", 7), 1, false},
		{"+" + strings.Repeat("x", 1<<17), 0, false},
	}
	for _, test := range tests {
		for _, step := range []int{1, 3, 1 << 20} {
			values, err := scanAll([]byte(test.in), step)
			if values != test.values || (err == nil) != test.ok {
				t.Errorf("%.30q by %d: %d values, %v, want %d and ok=%v", test.in, step, values, err, test.values, test.ok)
			}
		}
	}
}

// However a stream is cut, the verdict is the same.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{"*2\r\n$1\r\na\r\n:1\r\n", "+OK\r\n$-1\r\n", "-ERR x\r\n*-1\r\n", "*1\r\n*1\r\n+x\r\n", "$1\r\n\n\r\n", "*1000000\r\n+"} {
		f.Add([]byte(seed), 1)
	}
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		step = max(step%64, 1)
		whole, wholeErr := scanAll(stream, len(stream))
		parts, partsErr := scanAll(stream, step)
		if whole != parts || (wholeErr == nil) != (partsErr == nil) {
			t.Errorf("whole: %d, %v; by %d: %d, %v", whole, wholeErr, step, parts, partsErr)
		}
	})
}
