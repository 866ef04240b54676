package redis

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	// failoverWait is how long a command waits for a Redis that cannot serve now. Sentinel and Cluster need some
	// seconds to agree on a new master; a client should not have to know.
	failoverWait = 12 * time.Second
	retryEvery   = 50 * time.Millisecond
)

// refusals are the errors with which Redis refuses a script before its first write: nothing was done.
var refusals = [...]string{"READONLY", "MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "LOADING", "NOREPLICAS", "BUSY"}

// notDone tells whether what failed with err was surely not carried out, so that it may be sent again. A connection
// that was lost after the command had gone tells neither.
func notDone(err error) bool {
	if err == nil {
		return false
	}
	if redis, ok := rueidis.IsRedisErr(err); ok {
		text := redis.Error()
		for _, word := range refusals {
			// Redis before 7 says in which line of the script first.
			if strings.HasPrefix(text, word+" ") || strings.Contains(text, ": -"+word+" ") {
				return true
			}
		}
		return false
	}
	var network *net.OpError
	return errors.Is(err, rueidis.ErrNoSlot) || errors.As(err, &network) && network.Op == "dial"
}

// patiently does what may be done twice until it works, or ctx or failoverWait ends.
func patiently(ctx context.Context, do func(context.Context) error) error {
	for giveUp := time.Now().Add(failoverWait); ; {
		doing, cancel := context.WithTimeout(context.WithoutCancel(ctx), waitTimeout+replyTimeout)
		err := do(doing)
		cancel()
		if err == nil || time.Now().After(giveUp) || !sleep(ctx, retryEvery) {
			return err
		}
	}
}
