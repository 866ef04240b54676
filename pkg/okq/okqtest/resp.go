package okqtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const maxBulk = 64 << 20

// readCommand reads one array of bulk strings. Anything else ends the connection, as it did in the original.
func readCommand(r *bufio.Reader) ([]string, error) {
	n, err := readLength(r, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, 0, min(n, 16))
	for range n {
		size, err := readLength(r, '$')
		if err != nil {
			return nil, err
		}
		arg := make([]byte, size+2)
		if _, err := io.ReadFull(r, arg); err != nil {
			return nil, err
		}
		args = append(args, string(arg[:size]))
	}
	return args, nil
}

func readLength(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 4 || line[0] != kind {
		return 0, errors.New("not RESP")
	}
	n, err := strconv.Atoi(string(line[1 : len(line)-2]))
	if err != nil || n < 0 || n > maxBulk {
		return 0, errors.New("bad length")
	}
	return n, nil
}

func writeSimple(w *bufio.Writer, s string) { fmt.Fprintf(w, "+%s\r\n", s) }
func writeError(w *bufio.Writer, s string)  { fmt.Fprintf(w, "-%s\r\n", s) }
func writeBulk(w *bufio.Writer, s string)   { fmt.Fprintf(w, "$%d\r\n%s\r\n", len(s), s) }
func writeNil(w *bufio.Writer)              { w.WriteString("$-1\r\n") }

func writeEvent(w *bufio.Writer, id, contents string) {
	w.WriteString("*2\r\n")
	writeBulk(w, id)
	writeBulk(w, contents)
}

func writeBool(w *bufio.Writer, yes bool) {
	n := 0
	if yes {
		n = 1
	}
	fmt.Fprintf(w, ":%d\r\n", n)
}
