package conformance

import (
	_ "embed"
	"strings"
)

//go:embed original.txt
var originalTranscript string

// original is what the original server was seen to answer. Commands that it does not know and okqd does are not in it.
func original(s *suite) {
	c := s.dial()
	for _, exchange := range strings.Split(originalTranscript, "\n> ")[1:] {
		command, reply, _ := strings.Cut(exchange, "\n< ")
		reply, _, _ = strings.Cut(reply, "\n")
		want := strings.ReplaceAll(reply, `\r\n`, "\r\n")
		got := c.do(strings.Split(command, " ")...)
		if strings.HasPrefix(command, "QSTATUS") {
			got = originalRow(got)
		}
		if got != want {
			s.Errorf("%s\n got %q\nwant %q", command, got, want)
		}
	}
}

// originalRow is a reply of QSTATUS for one queue without what the original does not have.
func originalRow(reply string) string {
	lines := strings.SplitAfter(strings.Replace(reply, "*6", "*4", 1), "\r\n")
	return strings.Join(lines[:min(len(lines), 7)], "")
}
