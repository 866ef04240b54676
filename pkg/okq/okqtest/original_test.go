package okqtest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// The transcript was taken from the running original, in this order, over one connection.
func TestOriginalAnswersAsTheOriginal(t *testing.T) {
	t.Parallel()
	transcript := []struct{ command, reply string }{
		{"PING", "+PONG\r\n"},
		{"ping", "+PONG\r\n"},
		{"PING x", "+PONG\r\n"},
		{"QLPUSH probeq id1 one", "+OK\r\n"},
		{"QLPUSH probeq id1 dup", "-ERR duplicate event id1\r\n"},
		{"QLPUSH probeq id2 two NOBLOCK", "+OK\r\n"},
		{"QLPUSH probeq id2b x BOGUS", "+OK\r\n"},
		{"QRPUSH probeq id0 zero", "+OK\r\n"},
		{"QLPUSH probeq id3", "-ERR missing args\r\n"},
		{"QLPUSH probeq  emptyid", "+OK\r\n"},
		{"QLPUSH probeq id4 ", "+OK\r\n"},
		{"QRPEEK probeq", "*2\r\n$3\r\nid0\r\n$4\r\nzero\r\n"},
		{"QLPEEK probeq", "*2\r\n$3\r\nid4\r\n$0\r\n\r\n"},
		{"QRPEEK emptyq", "$-1\r\n"},
		{"QSTATUS probeq", "*1\r\n*4\r\n$6\r\nprobeq\r\n:6\r\n:0\r\n:0\r\n"},
		{"QINFO probeq", "*1\r\n$45\r\nprobeq  total: 6  processing: 0  consumers: 0\r\n"},
		{"QSTATUS never-seen", "*1\r\n*4\r\n$10\r\nnever-seen\r\n:0\r\n:0\r\n:0\r\n"},
		{"QRPOP probeq", "*2\r\n$3\r\nid0\r\n$4\r\nzero\r\n"},
		{"QACK probeq id0", ":1\r\n"},
		{"QACK probeq id0", ":0\r\n"},
		{"QRPOP probeq EX 5", "*2\r\n$3\r\nid1\r\n$3\r\none\r\n"},
		{"QACK probeq id1 REDO", ":1\r\n"},
		{"QACK probeq id1 REDO", ":0\r\n"},
		{"QRPOP probeq EX 0", "*2\r\n$3\r\nid1\r\n$3\r\none\r\n"},
		{"QACK probeq id1", ":0\r\n"},
		{"QRPOP probeq EX -1", "-ERR bad expires value: -1 < 0\r\n"},
		{"QRPOP probeq EX abc", "-ERR bad expires value: strconv.Atoi: parsing \"abc\": invalid syntax\r\n"},
		{"QRPOP probeq EX", "*2\r\n$3\r\nid2\r\n$3\r\ntwo\r\n"},
		{"QACK probeq id2 redo", ":1\r\n"},
		{"QACK probeq id2", ":1\r\n"},
		{"QRPOP emptyq", "$-1\r\n"},
		{"QACK probeq", "-ERR missing args\r\n"},
		{"QRPOP", "-ERR missing args\r\n"},
		{"QREGISTER probeq", "+OK\r\n"},
		{"QNOTIFY 1", "$6\r\nprobeq\r\n"},
		{"QSTATUS probeq", "*1\r\n*4\r\n$6\r\nprobeq\r\n:3\r\n:0\r\n:1\r\n"},
		{"QREGISTER", "+OK\r\n"},
		{"QNOTIFY 1", "$-1\r\n"},
		{"QNOTIFY abc", "-ERR bad timeout value: strconv.Atoi: parsing \"abc\": invalid syntax\r\n"},
		{"QNOTIFY -1", "-ERR bad timeout value: -1 < 0\r\n"},
		{"QNOTIFY", "-ERR missing args\r\n"},
		{"QREGISTER emptyq", "+OK\r\n"},
		{"QNOTIFY 0", "$-1\r\n"},
		{"QFLUSH probeq", "+OK\r\n"},
		{"QFLUSH probeq", "+OK\r\n"},
		{"QSTATUS probeq", "*1\r\n*4\r\n$6\r\nprobeq\r\n:0\r\n:0\r\n:0\r\n"},
		{"NOPE", "-ERR unknown command \"NOPE\"\r\n"},
		{"AUTH x", "-ERR unknown command \"AUTH\"\r\n"},
		{"HELLO 3", "-ERR unknown command \"HELLO\"\r\n"},
		{"QCAPS", "-ERR unknown command \"QCAPS\"\r\n"},
	}
	conn, err := net.Dial("tcp", RunOriginal(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(conn)
	for _, line := range transcript {
		args := strings.Split(line.command, " ")
		fmt.Fprintf(conn, "*%d\r\n", len(args))
		for _, arg := range args {
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(arg), arg)
		}
		got := make([]byte, len(line.reply))
		for i := range got {
			if got[i], err = r.ReadByte(); err != nil || got[i] != line.reply[i] {
				t.Fatalf("%s: %q %v, want %q", line.command, got[:i+1], err, line.reply)
			}
		}
	}
}
