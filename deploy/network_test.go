package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestServicesLeadToPorts(t *testing.T) {
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		all := workloads(t, objects)
		services := map[string][]string{}
		for _, o := range objects {
			if o.Kind != "Service" {
				continue
			}
			var spec struct {
				Selector map[string]string
				Type     string
				Ports    []struct {
					Port       int
					TargetPort string `yaml:"targetPort"`
				}
			}
			o.spec(t, &spec)
			w := all[spec.Selector["app.kubernetes.io/name"]]
			if w == nil || spec.Type != "" {
				t.Errorf("%v selects %v, type %q", o, spec.Selector, spec.Type)
				continue
			}
			for _, p := range spec.Ports {
				if got := w.Template.Spec.Containers[0].port(p.TargetPort); got != p.Port {
					t.Errorf("%v: port %d leads to %d", o, p.Port, got)
				}
				services[o.Metadata.Name] = append(services[o.Metadata.Name], fmt.Sprintf("%s:%d", o.Metadata.Name, p.Port))
			}
		}
		for name, c := range ours(all) {
			if addr, ok := settings(t, c, dataOf(objects))["okq-addr"]; ok && !slices.Contains(services["okqd"], addr) {
				t.Errorf("%s: --okq-addr is %q, okqd's Service has %v", name, addr, services["okqd"])
			}
		}
	})
}

func TestEveryPodHasAnAccountABudgetAndIsSpread(t *testing.T) {
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		accounts, budgets := map[string]bool{}, map[string]labelSelector{}
		for _, o := range objects {
			switch o.Kind {
			case "ServiceAccount":
				accounts[o.Metadata.Name] = true
			case "PodDisruptionBudget":
				var spec struct{ Selector labelSelector }
				o.spec(t, &spec)
				budgets[o.Metadata.Name] = spec.Selector
			}
		}
		for name, w := range workloads(t, objects) {
			labels := w.Template.Metadata.Labels
			if !w.Selector.matches(labels) {
				t.Errorf("%s does not select its pods", name)
			}
			if name == "sandbox" || name == "mongodb" {
				continue // one each, for development
			}
			if !accounts[w.Template.Spec.ServiceAccountName] {
				t.Errorf("%s: no ServiceAccount %q", name, w.Template.Spec.ServiceAccountName)
			}
			if budget, ok := budgets[name]; !ok || !budget.matches(labels) {
				t.Errorf("%s: no PodDisruptionBudget", name)
			}
			spread := w.Template.Spec.TopologySpreadConstraints
			for _, c := range spread {
				if !c.LabelSelector.matches(labels) {
					t.Errorf("%s is spread from others", name)
				}
			}
			if len(spread) == 0 && (w.Replicas == nil || *w.Replicas > 1) {
				t.Errorf("%s is not spread", name)
			}
		}
	})
}

// A policy is a NetworkPolicy.
type policy struct {
	PodSelector labelSelector `yaml:"podSelector"`
	PolicyTypes []string      `yaml:"policyTypes"`
	Ingress     []struct {
		From  []peer
		Ports []struct{ Port any }
	}
	Egress []struct {
		To    []peer
		Ports []struct{ Port any }
	}
}

type peer struct {
	PodSelector       *labelSelector `yaml:"podSelector"`
	NamespaceSelector *labelSelector `yaml:"namespaceSelector"`
}

func (p peer) String() string {
	var parts []string
	for kind, s := range map[string]*labelSelector{"pods": p.PodSelector, "namespaces": p.NamespaceSelector} {
		if s == nil {
			continue
		}
		var words []string
		for _, k := range slices.Sorted(maps.Keys(s.MatchLabels)) {
			words = append(words, k+"="+s.MatchLabels[k])
		}
		for _, e := range s.MatchExpressions {
			words = append(words, e.Key+" in "+strings.Join(e.Values, ","))
		}
		parts = append(parts, kind+" "+strings.Join(words, " "))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func policies(t *testing.T, objects []*object) map[string]policy {
	t.Helper()
	found := map[string]policy{}
	for _, o := range objects {
		if o.Kind == "NetworkPolicy" {
			var p policy
			o.spec(t, &p)
			found[o.Metadata.Name] = p
		}
	}
	return found
}

// reach returns who may connect to a port of pods with the labels: "*" is everybody.
func reach(all map[string]policy, labels map[string]string, port string) []string {
	var who []string
	for _, p := range all {
		if !p.PodSelector.matches(labels) || !slices.Contains(p.PolicyTypes, "Ingress") {
			continue
		}
		for _, rule := range p.Ingress {
			if len(rule.Ports) > 0 && !slices.ContainsFunc(rule.Ports, func(q struct{ Port any }) bool { return q.Port == port }) {
				continue
			}
			if len(rule.From) == 0 {
				who = append(who, "*")
			}
			for _, from := range rule.From {
				who = append(who, from.String())
			}
		}
	}
	slices.Sort(who)
	return who
}

func TestNobodyReachesWhatIsNotTheirs(t *testing.T) {
	const (
		callers    = "namespaces postmaster.levenlabs.com/caller=true"
		ingress    = "namespaces kubernetes.io/metadata.name=ingress-nginx"
		prometheus = "namespaces kubernetes.io/metadata.name=monitoring"
		keda       = "namespaces kubernetes.io/metadata.name=keda"
		sandbox    = "pods app.kubernetes.io/name=sandbox"
		own        = "pods app.kubernetes.io/name in pm-api,pm-hooks,pm-worker-send,pm-worker-fold"
	)
	may := map[string][]string{"rpc": {callers}, "webhook": {ingress, sandbox}, "okq": {own}, "ops": {prometheus, keda}}
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		all := policies(t, objects)
		deny := all["default-deny"]
		if len(deny.PodSelector.MatchLabels)+len(deny.PodSelector.MatchExpressions)+len(deny.Ingress)+len(deny.Egress) > 0 || len(deny.PolicyTypes) != 2 {
			t.Errorf("default-deny is %+v", deny)
		}
		for name, w := range workloads(t, objects) {
			for _, p := range w.Template.Spec.Containers[0].Ports {
				for _, who := range reach(all, w.Template.Metadata.Labels, p.Name) {
					if allowed, ok := may[p.Name]; ok && !slices.Contains(allowed, who) {
						t.Errorf("%s port %s is reached by %s", name, p.Name, who)
					}
				}
			}
		}
		labels := workloads(t, objects)["pm-api"].Template.Metadata.Labels
		if got := reach(all, labels, "rpc"); !slices.Equal(got, []string{callers}) {
			t.Errorf("pm-api's port is reached by %q", got)
		}
	})
}

// Every process finds what it needs: a policy that is forgotten is an outage only in a cluster that enforces them.
func TestOursReachWhatTheyNeed(t *testing.T) {
	needs := map[string][]any{ // ports out, besides DNS
		"pm-api":         {"okq", 27017},
		"pm-hooks":       {"okq"},
		"pm-worker-send": {"okq", 27017, 443},
		"pm-worker-fold": {"okq", 27017},
	}
	eachVariant(t, func(t *testing.T, _ []byte, objects []*object) {
		all := policies(t, objects)
		for name, ports := range needs {
			labels := workloads(t, objects)[name].Template.Metadata.Labels
			for _, port := range append(ports, 53) {
				found := false
				for _, p := range all {
					for _, rule := range p.Egress {
						found = found || p.PodSelector.matches(labels) &&
							slices.ContainsFunc(rule.Ports, func(q struct{ Port any }) bool { return q.Port == port })
					}
				}
				if !found {
					t.Errorf("%s cannot reach port %v", name, port)
				}
			}
		}
	})
}
