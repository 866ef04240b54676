package okqdtest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// The transcripts of docs/okq.md are true, with either engine, and there is one for each command that okqd knows.
func TestManual(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/okq.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := transcript.FindAllStringSubmatch(string(page), -1)
	t.Run("Local", func(t *testing.T) {
		t.Parallel()
		shown := map[string]bool{}
		for _, b := range blocks {
			srv := okqdtest.RunT(t, okqdtest.WithPassword(b[1]))
			follow(t, dial(t, srv.Addr), b[2], shown)
		}
		w := dial(t, okqdtest.RunT(t).Addr)
		w.want(fmt.Sprint(":", len(shown)-1), "COMMAND", "COUNT") // one of those shown is not known
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		redis := testenv.StartRedis(t).Addr
		for _, b := range blocks {
			srv := okqdtest.RunT(t, okqdtest.WithRedis(redis), okqdtest.WithPassword(b[1]))
			follow(t, dial(t, srv.Addr), b[2], map[string]bool{})
		}
	})
}

var (
	transcript = regexp.MustCompile("(?ms)^```redis(?: password=(\\w+))?\n(.*?)^```$")
	exchange   = regexp.MustCompile(`(?m)^> (.*)\n((?:[^>].*\n)*)`)
)

// follow sends what stands behind "> " and compares the replies.
func follow(t *testing.T, w *wire, block string, shown map[string]bool) {
	t.Helper()
	for _, e := range exchange.FindAllStringSubmatch(block, -1) {
		words := strings.Fields(e[1])
		shown[words[0]] = true
		w.send(words...)
		got, err := printed(w.r, "")
		if err != nil {
			t.Fatalf("%s: %v", e[1], err)
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(e[2], "\n")), "…", ".*")
		if !regexp.MustCompile("(?s)^" + pattern + "$").MatchString(got) {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", e[1], got, e[2])
		}
	}
}

// printed reads a reply and returns it as redis-cli shows it.
func printed(r *bufio.Reader, indent string) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(line[1:])
	n, _ := strconv.Atoi(text)
	switch line[0] {
	case '+':
		return text, nil
	case '-':
		return "(error) " + text, nil
	case ':':
		return "(integer) " + text, nil
	case '$':
		return printedBulk(r, n)
	case '*':
		return printedArray(r, n, indent)
	}
	return "", errors.New("odd reply " + line)
}

func printedBulk(r *bufio.Reader, n int) (string, error) {
	if n < 0 {
		return "(nil)", nil
	}
	b := make([]byte, n+2)
	_, err := io.ReadFull(r, b)
	s := string(b[:n])
	if strings.Contains(s, "\n") {
		return strings.TrimSpace(strings.ReplaceAll(s, "\r", "")), err // INFO
	}
	return strconv.Quote(s), err
}

func printedArray(r *bufio.Reader, n int, indent string) (string, error) {
	if n == 0 {
		return "(empty array)", nil
	}
	width := len(strconv.Itoa(n))
	lines := make([]string, n)
	for i := range n {
		number := fmt.Sprintf("%*d) ", width, i+1)
		element, err := printed(r, indent+strings.Repeat(" ", len(number)))
		if err != nil {
			return "", err
		}
		lines[i] = number + element
	}
	return strings.Join(lines, "\n"+indent), nil
}
