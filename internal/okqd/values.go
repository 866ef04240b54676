package okqd

import (
	"fmt"
	"strconv"
	"time"
)

// parseInt is strconv.Atoi, whose words the original's clients know, for a number of at least least.
func parseInt(arg []byte, what string, least int) (int, error) {
	const longest = 64 // the error repeats it
	n, err := strconv.Atoi(string(arg[:min(len(arg), longest)]))
	if err != nil {
		return 0, badValue(what, err.Error())
	}
	if n < least {
		return 0, badValue(what, fmt.Sprintf("%d < %d", n, least))
	}
	return n, nil
}

// parseSpan parses a number of units of time.
func parseSpan(arg []byte, what string, unit time.Duration, least int) (time.Duration, error) {
	n, err := parseInt(arg, what, least)
	if err != nil {
		return 0, err
	}
	if n > int(maxSpan/unit) {
		return maxSpan, nil
	}
	return time.Duration(n) * unit, nil
}

func parseSeconds(arg []byte, what string, least int) (time.Duration, error) {
	return parseSpan(arg, what, time.Second, least)
}

// parseDelay parses "DELAY ms" at the head of args and returns what follows. Unlike the original's words it may not
// lack its value: the event would be seen too early.
func parseDelay(args [][]byte) (time.Duration, [][]byte, error) {
	if len(args) < 2 {
		return 0, nil, errArgs
	}
	d, err := parseSpan(args[1], "delay", time.Millisecond, 0)
	return d, args[2:], err
}

// parseCount parses "COUNT n" at the head of args and returns what follows.
func parseCount(args [][]byte) (int, [][]byte, error) {
	if len(args) < 2 {
		return 0, nil, errArgs
	}
	n, err := parseInt(args[1], "count", 1)
	return min(n, maxCount), args[2:], err
}

// parseWord returns the value of the word at the head of args and what follows. A command that lacks it would do more
// than its client meant.
func parseWord(args [][]byte) (value []byte, rest [][]byte, err error) {
	if len(args) < 2 || len(args[1]) == 0 {
		return nil, nil, errArgs
	}
	return args[1], args[2:], nil
}
