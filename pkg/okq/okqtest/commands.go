package okqtest

import (
	"bufio"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Original) do(w *bufio.Writer, name string, args []string) {
	need := map[string]int{"QLPUSH": 3, "QRPUSH": 3, "QLPEEK": 1, "QRPEEK": 1, "QRPOP": 1, "QACK": 2, "QFLUSH": 1}
	if len(args) < need[name] {
		writeError(w, "ERR missing args")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case "PING":
		writeSimple(w, "PONG")
	case "QLPUSH", "QRPUSH":
		s.push(w, args, name == "QRPUSH")
	case "QLPEEK", "QRPEEK":
		s.queue(args[0]).peek(w, name == "QRPEEK")
	case "QRPOP":
		s.pop(w, args)
	case "QACK":
		redo := len(args) > 2 && strings.EqualFold(args[2], "REDO")
		writeBool(w, s.queue(args[0]).ack(args[1], redo))
	case "QFLUSH":
		consumers := s.queue(args[0]).consumers
		s.queues[args[0]] = newQueue(consumers)
		writeSimple(w, "OK")
	case "QSTATUS", "QINFO":
		s.status(w, args, name == "QINFO")
	default:
		writeError(w, fmt.Sprintf("ERR unknown command %q", name))
	}
}

// queue returns the queue of that name; the caller holds s.mu.
func (s *Original) queue(name string) *queue {
	q := s.queues[name]
	if q == nil {
		q = newQueue(0)
		s.queues[name] = q
	}
	return q
}

func (s *Original) push(w *bufio.Writer, args []string, front bool) {
	q, id := s.queue(args[0]), args[1]
	if _, ok := q.contents[id]; ok {
		writeError(w, "ERR duplicate event "+id)
		return
	}
	q.contents[id] = args[2]
	if front {
		q.ready = append(q.ready, id)
	} else {
		q.ready = slices.Insert(q.ready, 0, id)
	}
	close(s.wake)
	s.wake = make(chan struct{})
	writeSimple(w, "OK")
}

func (s *Original) pop(w *bufio.Writer, args []string) {
	seconds := 30
	if len(args) > 2 && strings.EqualFold(args[1], "EX") {
		n, ok := parseSeconds(w, "expires", args[2])
		if !ok {
			return
		}
		seconds = n
	}
	q := s.queue(args[0])
	if len(q.ready) == 0 {
		writeNil(w)
		return
	}
	id, contents := q.pop(time.Duration(seconds) * time.Second)
	writeEvent(w, id, contents)
}

func (s *Original) status(w *bufio.Writer, names []string, info bool) {
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(s.queues))
	}
	fmt.Fprintf(w, "*%d\r\n", len(names))
	for _, name := range names {
		q := s.queue(name)
		if info {
			writeBulk(w, fmt.Sprintf("%s  total: %d  processing: %d  consumers: %d", name, len(q.contents), len(q.claimed), q.consumers))
			continue
		}
		fmt.Fprintf(w, "*4\r\n")
		writeBulk(w, name)
		fmt.Fprintf(w, ":%d\r\n:%d\r\n:%d\r\n", len(q.contents), len(q.claimed), q.consumers)
	}
}

// register moves a connection's registration from the old queues to the new ones.
func (s *Original) register(from, to []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range from {
		s.queue(name).consumers--
	}
	for _, name := range to {
		s.queue(name).consumers++
	}
}

// notify answers the first registered queue that has events, now or after a push. As with the original, an event that
// comes back by REDO or by its lease wakes nobody.
func (s *Original) notify(w *bufio.Writer, registered, args []string, stop chan struct{}) {
	if len(args) < 1 {
		writeError(w, "ERR missing args")
		return
	}
	seconds, ok := parseSeconds(w, "timeout", args[0])
	if !ok {
		return
	}
	timeout := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		wake := s.wake
		name, found := s.firstReady(registered)
		s.mu.Unlock()
		if found {
			writeBulk(w, name)
			return
		}
		select {
		case <-wake:
		case <-timeout.C:
			writeNil(w)
			return
		case <-stop:
			return
		}
	}
}

func (s *Original) firstReady(names []string) (string, bool) {
	for _, name := range names {
		if len(s.queue(name).ready) > 0 {
			return name, true
		}
	}
	return "", false
}

func parseSeconds(w *bufio.Writer, what, arg string) (int, bool) {
	n, err := strconv.Atoi(arg)
	if err != nil {
		writeError(w, fmt.Sprintf("ERR bad %s value: %v", what, err))
		return 0, false
	}
	if n < 0 {
		writeError(w, fmt.Sprintf("ERR bad %s value: %d < 0", what, n))
		return 0, false
	}
	return n, true
}
