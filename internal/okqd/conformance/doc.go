// Package conformance is what every engine of okqd must do, tested through a TCP connection as clients see it:
//
//	conformance.Run(t, func(tb testing.TB) conformance.Target { … })
//
// Each case gets a server with empty queues. The only things that a case may know are the protocol and the promises.
package conformance

import "testing"

// Target is a running server.
type Target interface {
	Addr() string

	// Restart stops the server and starts it again on the same data.
	Restart()
}

// Run runs all cases, each on a target of its own.
func Run(t *testing.T, start func(testing.TB) Target) { run(t, cases(), start) }

// RunUnordered runs those that a queue must pass which gives its events in any order.
func RunUnordered(t *testing.T, start func(testing.TB) Target) { run(t, unordered(), start) }

func run(t *testing.T, cases []testCase, start func(testing.TB) Target) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &suite{T: t, target: start(t)}
			c.test(s)
			s.checkInvariants()
		})
	}
}

type testCase struct {
	name string
	test func(*suite)
}

// suite is one case's world.
type suite struct {
	*testing.T
	target Target
}
