package okq

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// errOtherQueues is an address that leads to other queues than the client uses: events in one set would never be looked
// at by clients of the other.
var errOtherQueues = errors.New("other queues")

// queueSets sees to it that all addresses of a client lead to the same queues. The first server that tells its queue set
// decides which.
type queueSets struct {
	log zerolog.Logger

	mu    sync.Mutex // protects the fields below
	set   string
	addr  string // which told it
	mute  map[string]bool
	known chan struct{} // closed once set is
}

func newQueueSets(log zerolog.Logger) *queueSets {
	return &queueSets{log: log, mute: make(map[string]bool), known: make(chan struct{})}
}

// admit refuses a server of another queue set. One that tells none is taken as it always was, and said so of once.
func (s *queueSets) admit(addr, set string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case set == "":
		if !s.mute[addr] {
			s.mute[addr] = true
			s.log.Warn().Str("addr", addr).Msg("this okq does not tell its queue set: it is trusted to have the same queues as the others")
		}
	case s.set == "":
		s.set, s.addr = set, addr
		close(s.known)
	case s.set != set:
		return fmt.Errorf("%w: %s has queue set %s, but %s has %s; all addresses must lead to the same queues "+
			"(restart this process if the queues were replaced on purpose)", errOtherQueues, addr, set, s.addr, s.set)
	}
	return nil
}

// replaced notes the set of a client's only server, which there is no choice about.
func (s *queueSets) replaced(addr, set string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set == "" {
		return
	}
	if s.set != "" && s.set != set {
		s.log.Error().Str("addr", addr).Str("queue_set", set).Str("queue_set_before", s.set).
			Msg("okq has other queues than before: events that were in those are not looked at here")
	}
	s.set, s.addr = set, addr
}

// checkEvery is how often all addresses are asked for their queue set.
const checkEvery = time.Minute

// watchQueueSets says at the start, and as long as it is so, that an address leads elsewhere: before it is needed.
func (c *Client) watchQueueSets() {
	select {
	case <-c.dialer.sets.known:
	case <-c.ctx.Done():
		return
	}
	for c.ctx.Err() == nil {
		for _, addr := range c.opts.Addrs {
			ctx, cancel := context.WithTimeout(c.ctx, c.opts.DialTimeout)
			conn, err := c.dialer.dialOne(ctx, addr, 1)
			cancel()
			if err == nil {
				conn.Close()
			}
			if errors.Is(err, errOtherQueues) {
				c.opts.Log.Error().Err(err).Str("addr", addr).Msg("okq addresses lead to different queues")
			}
		}
		select {
		case <-time.After(checkEvery):
		case <-c.ctx.Done():
		}
	}
}

var errNotLetIn = errors.New("not let in")

// askQueueSet asks a server for its queue set before anything else is done with the connection. "" is a server that
// tells none: an okqd from before, or the original okq. A wrong password is errNotLetIn.
func askQueueSet(ctx context.Context, conn net.Conn, password string) (string, error) {
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	set, err := exchangeCaps(conn, password)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil && !errors.Is(err, errNotLetIn) {
		return "", fmt.Errorf("ask for its queue set: %w", err)
	}
	return set, errors.Join(err, conn.SetDeadline(time.Time{}))
}

func exchangeCaps(conn net.Conn, password string) (string, error) {
	replies, greeting := 1, ""
	if password != "" {
		replies, greeting = 2, encode("AUTH", password)
	}
	if _, err := io.WriteString(conn, greeting+encode("QCAPS")); err != nil {
		return "", err
	}
	var words []string
	var err error
	r := bufio.NewReader(conn)
	for range replies {
		if words, err = readWords(r); err != nil {
			return "", err
		}
	}
	if r.Buffered() > 0 {
		return "", badReply("QCAPS", errors.New("more than one"))
	}
	return queueSetOf(words), nil
}

// queueSetOf finds the queue set among the words of QCAPS.
func queueSetOf(words []string) string {
	const begin = "QUEUE-SET="
	for _, word := range words {
		if len(word) > len(begin) && strings.EqualFold(word[:len(begin)], begin) {
			return word[len(begin):]
		}
	}
	return ""
}

// encode writes a command as RESP has it.
func encode(words ...string) string {
	var cmd strings.Builder
	fmt.Fprintf(&cmd, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&cmd, "$%d\r\n%s\r\n", len(word), word)
	}
	return cmd.String()
}

// readWords reads an array of strings. Any other reply, an error too, has no words.
func readWords(r *bufio.Reader) ([]string, error) {
	const most = 1000
	first, err := r.Peek(1)
	if err != nil {
		return nil, err
	}
	if first[0] != '*' && first[0] != '-' {
		_, err := readString(r)
		return nil, err
	}
	line, err := r.ReadString('\n')
	switch {
	case err != nil:
		return nil, err
	case strings.HasPrefix(line, "-NOAUTH"):
		return nil, errNotLetIn
	case first[0] == '-':
		return nil, nil
	}
	n, err := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	if err != nil || n > most {
		return nil, badReply("QCAPS", errors.New(strconv.Quote(line)))
	}
	var words []string
	for range n {
		word, err := readString(r)
		if err != nil {
			return nil, err
		}
		words = append(words, word)
	}
	return words, nil
}
