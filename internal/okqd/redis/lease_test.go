package redis_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// slowness stands between okqd and Redis, and holds back replies for as long as delay says.
type slowness struct {
	addr  string
	delay atomic.Int64
}

func startSlowness(t *testing.T, redis string) *slowness {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	s := &slowness{addr: ln.Addr().String()}
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go s.carry(client, redis)
		}
	}()
	return s
}

func (s *slowness) carry(client net.Conn, redis string) {
	defer client.Close()
	server, err := net.Dial("tcp", redis)
	if err != nil {
		return
	}
	defer server.Close()
	go forward(server, client, func([]byte) bool { return true })
	forward(client, server, func([]byte) bool {
		time.Sleep(time.Duration(s.delay.Load()))
		return true
	})
}

// checkLease checks that the lease that the command began for event id in q was as long as asked when it was told.
func checkLease(t *testing.T, c *redis.Client, command string, told time.Time, lease time.Duration) {
	t.Helper()
	found, err := c.Do(t.Context(), "QPEEK", "q", "id").Slice()
	if err != nil || len(found) != 4 || found[0] != "leased" {
		t.Fatalf("%s: the event is %v, %v", command, found, err)
	}
	left := time.Duration(found[3].(int64)) * time.Millisecond
	if short := lease - time.Since(told) - left; short > 0 {
		t.Errorf("%s: the lease was %v too short when it was told", command, short)
	}
}

func TestLeaseIsAsLongAsAskedWhenReplicasAreLate(t *testing.T) {
	t.Parallel()
	master := testenv.StartRedis(t)
	replica := testenv.StartReplica(t, master)
	awaitReplicas(t, master, 1)
	c := dial(t, okqdtest.RunT(t, okqdtest.WithRedis(master.Addr), waiting(1)).Addr)
	want(t, c, "OK", "QLPUSH q id x")
	for _, step := range [][2]string{{"QRPOP q EX 10", "[id x]"}, {"QTOUCH q id EX 10", "1"}} {
		command, reply := step[0], step[1]
		replica.Pause()
		resume := time.AfterFunc(1500*time.Millisecond, replica.Resume)
		want(t, c, reply, command)
		told := time.Now()
		resume.Stop()
		checkLease(t, c, command, told, 10*time.Second)
	}
	want(t, c, "1", "QACK q id")
}

func TestLeaseIsAsLongAsAskedWhenRedisAnswersLate(t *testing.T) {
	t.Parallel()
	slow := startSlowness(t, testenv.StartRedis(t).Addr)
	c := dial(t, okqdtest.RunT(t, okqdtest.WithRedis(slow.addr)).Addr)
	want(t, c, "OK", "QLPUSH q id x")
	want(t, c, "OK", "QLPUSH q second y")
	for _, command := range []string{"QRPOP q EX 10 COUNT 9", "QTOUCH q id EX 10"} {
		slow.delay.Store(int64(500 * time.Millisecond))
		reply := do(t, c, command)
		told := time.Now()
		slow.delay.Store(0)
		if reply != "[[id x 1] [second y 1]]" && reply != "1" {
			t.Errorf("%s: %s", command, reply)
		}
		checkLease(t, c, command, told, 10*time.Second)
	}
	want(t, c, "1", "QACK q second")
}

// A lease that ended before it could be told is somebody else's, and so are its events.
func TestLeaseThatEndedBeforeItIsToldIsNotTold(t *testing.T) {
	t.Parallel()
	slow := startSlowness(t, testenv.StartRedis(t).Addr)
	c := dial(t, okqdtest.RunT(t, okqdtest.WithRedis(slow.addr)).Addr)
	want(t, c, "OK", "QLPUSH q id x")
	slow.delay.Store(int64(1500 * time.Millisecond))
	want(t, c, "[]", "QRPOP q EX 1 COUNT 1")
	slow.delay.Store(0)
	want(t, c, "[[id x 2]]", "QRPOP q EX 10 COUNT 1")
	want(t, c, "1", "QACK q id")
}
