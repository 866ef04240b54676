package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// canTrace reports whether okqd has a disk of its own here and strace can change what its syncs do.
func canTrace(r *row) bool {
	_, err := exec.LookPath("strace")
	return err == nil && r.sys.program("redis") == nil
}

// trace has strace inject something into each fdatasync of okqd, as its manual names it, until it is mended.
// An error leaves what was written in the system's cache, so what a failed sync loses only shows in tests of the journal.
func (r *row) trace(what, inject string) (string, func() error, error) {
	pid := r.pick(r.sys.all("okqd")).pid()
	if pid == 0 {
		return what + " (it is down)", func() error { return nil }, nil
	}
	cmd := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-p", strconv.Itoa(pid), "-e", "trace=fdatasync", "-e", "inject=fdatasync:"+inject)
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("strace: %w", err)
	}
	return what, func() error {
		cmd.Process.Signal(syscall.SIGINT) //nolint:errcheck // it ends by itself when okqd does
		done := make(chan struct{})
		go func() {
			defer close(done)
			cmd.Wait() //nolint:errcheck // it was interrupted
		}()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill() //nolint:errcheck // the same
			<-done
		}
		return nil
	}, nil
}

// delaying are the faults after which an attempt that began in time may reach SendGrid late.
var delaying = map[string]bool{"SIGSTOP": true, "black hole": true, "slow network": true, "SendGrid hangs": true}

// delayed reports whether such a fault lasted at a time, or ended shortly before.
func (r *row) delayed(at time.Time) bool {
	const after = 15 * time.Second
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		begin := r.began.Add(e.at)
		if at.Before(begin) || at.After(begin.Add(e.lasted+after)) {
			continue
		}
		for _, kind := range e.kinds {
			if delaying[kind] {
				return true
			}
		}
	}
	return false
}
