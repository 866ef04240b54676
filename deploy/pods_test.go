package deploy

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stopsWithin is what a program needs after SIGTERM besides --drain-wait: the constants named drainTimeout of internal/api,
// internal/hooks and internal/okqd, and a second to close the rest.
var stopsWithin = map[string]time.Duration{
	"pm-api": 16 * time.Second, "pm-hooks": 16 * time.Second, "okqd": 6 * time.Second, "pm-worker": time.Second, "postmaster": 16 * time.Second,
}

func TestAPodIsNotKilledWhileItDrains(t *testing.T) {
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		all := workloads(t, objects)
		for name, c := range ours(all) {
			set := settings(t, c, dataOf(objects))
			needs := stopsWithin[c.Name] + time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second
			if wait, ok := set["drain-wait"]; ok {
				needs += duration(t, wait)
			}
			grace := all[name].Template.Spec.TerminationGracePeriodSeconds
			if grace == 0 {
				grace = 30 // Kubernetes' default
			}
			if needs == 0 || time.Duration(grace)*time.Second <= needs {
				t.Errorf("%s: terminationGracePeriodSeconds is %d, its end may take %v", name, grace, needs)
			}
		}
	})
}

// A pod that is being stopped is still sent new connections until every node knows; what serves others waits for that.
func TestServersGoOnUntilNobodyComes(t *testing.T) {
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		for name, c := range ours(workloads(t, objects)) {
			if (name == "pm-api" || name == "pm-hooks") && c.Lifecycle.PreStop.Sleep.Seconds < 5 {
				t.Errorf("%s: preStop sleeps %d s", name, c.Lifecycle.PreStop.Sleep.Seconds)
			}
		}
	})
}

func TestPortsAndProbesAreThoseOfTheFlags(t *testing.T) {
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		for name, c := range ours(workloads(t, objects)) {
			set := settings(t, c, dataOf(objects))
			for _, flag := range []string{"listen-addr", "webhook-addr", "ops-addr"} {
				if addr, ok := set[flag]; ok {
					listens(t, name, c, flag, addr)
				}
			}
			if c.LivenessProbe.HTTPGet.Path != "/healthz" || c.LivenessProbe.HTTPGet.Port != "ops" {
				t.Errorf("%s: livenessProbe %+v", name, c.LivenessProbe)
			}
			if c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.ReadinessProbe.HTTPGet.Port != "ops" {
				t.Errorf("%s: readinessProbe %+v", name, c.ReadinessProbe)
			}
		}
	})
}

// listens checks that an address is that of a port of the container, and reachable from outside the pod.
func listens(t *testing.T, name string, c *container, flag, addr string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host != "" {
		t.Errorf("%s: --%s is %q: only the pod itself would reach it", name, flag, addr)
	}
	number, _ := strconv.Atoi(port)
	declared := slices.ContainsFunc(c.Ports, func(p struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}) bool {
		return p.ContainerPort == number
	})
	if !declared || flag == "ops-addr" && c.port("ops") != number {
		t.Errorf("%s: --%s is %q, and the ports are %v", name, flag, addr, c.Ports)
	}
}

func TestSecretsComeFromSecrets(t *testing.T) {
	secret := []string{"KEY", "PASSWORD", "PASS", "TOKEN", "SECRET", "MONGO_ADDR", "WEBHOOK_URL"}
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		for name, c := range ours(workloads(t, objects)) {
			for _, e := range c.Env {
				isSecret := slices.ContainsFunc(secret, func(end string) bool { return strings.HasSuffix(e.Name, end) })
				if isSecret && e.ValueFrom.SecretKeyRef.Name == "" && e.Value != "never-used" {
					t.Errorf("%s: %s stands in the manifest", name, e.Name)
				}
			}
		}
		for name, data := range dataOf(objects) {
			for key := range data {
				if slices.ContainsFunc(secret, func(end string) bool { return strings.HasSuffix(key, end) }) {
					t.Errorf("ConfigMap %s holds %s", name, key)
				}
			}
		}
	})
}

func TestEveryPodIsRestricted(t *testing.T) {
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		for name, w := range workloads(t, objects) {
			p := w.Template.Spec
			if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
				t.Errorf("%s has a token", name)
			}
			if p.EnableServiceLinks == nil || *p.EnableServiceLinks {
				t.Errorf("%s is given variables of Services", name)
			}
			if !p.SecurityContext.RunAsNonRoot || p.SecurityContext.RunAsUser == 0 || p.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
				t.Errorf("%s: %+v", name, p.SecurityContext)
			}
			for _, c := range p.Containers {
				s := c.SecurityContext
				if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem ||
					!slices.Equal(s.Capabilities.Drop, []string{"ALL"}) || len(s.Capabilities.Add) > 0 {
					t.Errorf("%s: %+v", name, s)
				}
			}
		}
	})
}

func TestEveryPodHasItsShareAndItsBounds(t *testing.T) {
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		for name, w := range workloads(t, objects) {
			c := w.Template.Spec.Containers[0]
			if c.Resources.Requests["cpu"] == "" || c.Resources.Requests["memory"] == "" {
				t.Errorf("%s requests %v", name, c.Resources.Requests)
			}
			limit := bytesOf(t, c.Resources.Limits["memory"])
			if _, isOurs := ours(map[string]*workload{name: w})[name]; !isOurs {
				continue
			}
			// Go collects harder near GOMEMLIMIT; what it does not count (cgo has none here, stacks of the kernel) needs the rest.
			if soft := bytesOf(t, strings.TrimSuffix(c.env("GOMEMLIMIT"), "B")); soft > limit*95/100 || soft < limit*80/100 {
				t.Errorf("%s: GOMEMLIMIT %s with a limit of %s", name, c.env("GOMEMLIMIT"), c.Resources.Limits["memory"])
			}
		}
	})
}

// bytesOf reads 384Mi and 1Gi.
func bytesOf(t *testing.T, quantity string) int64 {
	t.Helper()
	for unit, size := range map[string]int64{"Mi": 1 << 20, "Gi": 1 << 30} {
		if number, ok := strings.CutSuffix(quantity, unit); ok {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n * size
		}
	}
	t.Fatalf("%q is no number of Mi or Gi", quantity)
	return 0
}
