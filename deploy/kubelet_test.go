package deploy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// A kubelet runs the pods of one workload as processes: by the manifest's arguments and variables, with its readiness
// probe, its preStop, its signal and its grace period. Only addresses, secrets and the folder are the test's own.
type kubelet struct {
	t        *testing.T
	spec     *pod
	program  *container
	values   map[string]string // of flags, over what the manifest says
	replicas int

	killed int // pods that did not end in time

	mu    sync.Mutex // protects the fields below
	ready []string   // addresses of the pods that get traffic
	pods  []*process.Process
}

// start runs one more pod and lets it have traffic once its readiness probe says so.
func (k *kubelet) start() {
	k.t.Helper()
	var args []string
	for _, arg := range k.program.Args {
		if name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "="); k.values[name] == "" {
			args = append(args, arg)
		}
	}
	listeners := 0
	for name, value := range k.values {
		args = append(args, "--"+name+"="+value)
		if strings.HasSuffix(name, "-addr") && strings.HasSuffix(value, ":0") {
			listeners++
		}
	}
	p := process.Start(k.t, listeners, k.program.Name, args...)
	probe := "http://" + p.Ops + k.program.ReadinessProbe.HTTPGet.Path
	process.Eventually(k.t, time.Minute, k.program.Name+" is ready", func() bool {
		resp, err := http.Get(probe)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pods = append(k.pods, p)
	k.ready = append(k.ready, p.Addr)
}

// stop ends the oldest pod as a kubelet does: no traffic any more, preStop, SIGTERM, and SIGKILL when the grace period,
// which preStop is part of, is over.
func (k *kubelet) stop() {
	k.t.Helper()
	k.mu.Lock()
	p := k.pods[0]
	k.pods, k.ready = k.pods[1:], k.ready[1:]
	k.mu.Unlock()
	grace := time.NewTimer(time.Duration(k.spec.TerminationGracePeriodSeconds) * time.Second)
	defer grace.Stop()
	time.Sleep(time.Duration(k.program.Lifecycle.PreStop.Sleep.Seconds) * time.Second)
	p.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { p.Cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-grace.C:
		k.killed++
		p.Kill()
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 0 {
		k.t.Errorf("%s ended with %d", k.program.Name, code)
	}
}

// roll replaces each pod, with one more than there are to be, as maxSurge 1 and maxUnavailable 0 say.
func (k *kubelet) roll() {
	k.t.Helper()
	for range k.replicas {
		k.start()
		k.stop()
	}
}

// restart replaces the only pod of a StatefulSet, which comes back at its address.
func (k *kubelet) restart() {
	k.t.Helper()
	k.stop()
	k.start()
}

// endpoint is a ready pod, each in its turn, as a Service finds them.
func (k *kubelet) endpoint(turn int) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.ready) == 0 {
		return "", fmt.Errorf("no %s is ready", k.program.Name)
	}
	return k.ready[turn%len(k.ready)], nil
}
