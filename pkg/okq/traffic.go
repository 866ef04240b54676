package okq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Traffic counts events since the server started.
type Traffic struct {
	Pushed float64
	Acked  float64
}

// Traffic tells, by queue, what the server at hand has done. Of several okqd on one Redis each counts its own. The
// original okq does not count: none.
func (c *Client) Traffic(ctx context.Context) (map[string]Traffic, error) {
	msg, err := c.do(ctx, "INFO", "")
	var refused *ServerError
	if errors.As(err, &refused) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask okq for its traffic: %w", err)
	}
	info, err := msg.ToString()
	if err != nil {
		return nil, fmt.Errorf("ask okq for its traffic: %w", badReply("INFO", err))
	}
	return parseTraffic(info), nil
}

// parseTraffic reads the lines "queue":name=number,… that follow the heading # Queues.
func parseTraffic(info string) map[string]Traffic {
	all := map[string]Traffic{}
	_, queues, _ := strings.Cut(info, "# Queues")
	for line := range strings.Lines(queues) {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			continue
		}
		queue, _ := strconv.Unquote(quoted) // it has just been found to be quoted
		numbers, _ := strings.CutPrefix(strings.TrimSpace(line[len(quoted):]), ":")
		all[queue] = Traffic{Pushed: number(numbers, "pushes"), Acked: number(numbers, "acks")}
	}
	return all
}

// number finds name's value in a list of name=number; 0 when it is not there: nothing was counted yet.
func number(list, name string) float64 {
	for entry := range strings.SplitSeq(list, ",") {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			n, _ := strconv.ParseFloat(value, 64)
			return n
		}
	}
	return 0
}
