package resp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestReplies(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("z", largeBulk)
	write := func(w *Writer) {
		w.Simple("OK")
		w.Error("ERR two\r\nlines")
		w.Int(-7)
		w.Array(2)
		w.Bulk([]byte("a\r\n"))
		w.BulkString("")
		w.Null()
		w.Bulk([]byte(large))
		w.Map(1)
		w.BulkString("k")
		w.Int(1)
	}
	head := "+OK\r\n-ERR two  lines\r\n:-7\r\n*2\r\n$3\r\na\r\n\r\n$0\r\n\r\n"
	middle := "$32768\r\n" + large + "\r\n"
	tail := "$1\r\nk\r\n:1\r\n"
	var dst bytes.Buffer
	w := NewWriter(&dst)
	for v3, want := range map[bool]string{
		false: head + "$-1\r\n" + middle + "*2\r\n" + tail,
		true:  head + "_\r\n" + middle + "%1\r\n" + tail,
	} {
		w.SetRESP3(v3)
		write(w)
		if w.Size() != len(want) {
			t.Errorf("RESP3 %v: size %d, want %d", v3, w.Size(), len(want))
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := dst.String(); got != want {
			t.Errorf("RESP3 %v:\n got %.200q\nwant %.200q", v3, got, want)
		}
		dst.Reset()
	}
	if err := w.Flush(); err != nil || dst.Len() > 0 {
		t.Errorf("an empty flush: %v, %q", err, dst.String())
	}
}

func TestRepliesOfAllSizesFollowOneAnother(t *testing.T) {
	t.Parallel()
	var dst bytes.Buffer
	w := NewWriter(&dst)
	for range 3 {
		var want strings.Builder
		for n := 1; n < 2*largeBulk; n += n/3 + 1 {
			bulk := strings.Repeat("x", n)
			w.Bulk([]byte(bulk))
			fmt.Fprintf(&want, "$%d\r\n%s\r\n", n, bulk)
		}
		if w.Size() != want.Len() {
			t.Errorf("size %d, want %d", w.Size(), want.Len())
		}
		if err := w.Flush(); err != nil || dst.String() != want.String() {
			t.Errorf("%v, %d bytes, want %d", err, dst.Len(), want.Len())
		}
		dst.Reset()
	}
}
