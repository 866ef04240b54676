package deploy

import (
	"slices"
	"strings"
	"testing"
)

// A workload is what a Deployment and a StatefulSet have in common.
type workload struct {
	Replicas *int
	Selector labelSelector
	Template struct {
		Metadata struct{ Labels map[string]string }
		Spec     pod
	}
}

type labelSelector struct {
	MatchLabels      map[string]string `yaml:"matchLabels"`
	MatchExpressions []struct {
		Key, Operator string
		Values        []string
	} `yaml:"matchExpressions"`
}

// matches tells whether labels are selected. Only In is used.
func (s labelSelector) matches(labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if labels[k] != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		if e.Operator != "In" || !slices.Contains(e.Values, labels[e.Key]) {
			return false
		}
	}
	return true
}

type pod struct {
	ServiceAccountName            string `yaml:"serviceAccountName"`
	AutomountServiceAccountToken  *bool  `yaml:"automountServiceAccountToken"`
	EnableServiceLinks            *bool  `yaml:"enableServiceLinks"`
	TerminationGracePeriodSeconds int    `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
		RunAsUser      int                   `yaml:"runAsUser"`
		SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	TopologySpreadConstraints []struct {
		LabelSelector labelSelector `yaml:"labelSelector"`
	} `yaml:"topologySpreadConstraints"`
	Containers []*container
	Volumes    []map[string]any
}

type container struct {
	Name, Image string
	Args        []string
	EnvFrom     []struct {
		ConfigMapRef struct{ Name string } `yaml:"configMapRef"`
	} `yaml:"envFrom"`
	Env []struct {
		Name, Value string
		ValueFrom   struct {
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	Lifecycle      struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
	VolumeMounts []struct {
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
	Resources struct {
		Requests, Limits map[string]string
	}
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Add, Drop []string }
	} `yaml:"securityContext"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// port returns the number of a named port, 0 for none.
func (c *container) port(name string) int {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

// env returns a variable's value.
func (c *container) env(name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// subcommand is what stands before the flags.
func (c *container) subcommand() []string {
	if len(c.Args) > 0 && !strings.HasPrefix(c.Args[0], "-") {
		return c.Args[:1]
	}
	return nil
}

// workloads returns the Deployments and StatefulSets by name.
func workloads(t *testing.T, objects []*object) map[string]*workload {
	t.Helper()
	found := map[string]*workload{}
	for _, o := range objects {
		if o.Kind == "Deployment" || o.Kind == "StatefulSet" {
			if found[o.Metadata.Name] != nil {
				t.Errorf("two workloads %s", o.Metadata.Name)
			}
			w := &workload{}
			o.spec(t, w)
			found[o.Metadata.Name] = w
		}
	}
	for _, name := range []string{"pm-api", "pm-hooks", "pm-worker-send", "pm-worker-fold", "okqd"} {
		if found[name] == nil {
			t.Fatalf("no %s", name)
		}
	}
	return found
}

// ours are the containers that run our programs.
func ours(all map[string]*workload) map[string]*container {
	found := map[string]*container{}
	for name, w := range all {
		if c := w.Template.Spec.Containers[0]; strings.Contains(c.Image, "postmaster/") {
			found[name] = c
		}
	}
	return found
}

// dataOf returns the ConfigMaps.
func dataOf(objects []*object) map[string]map[string]string {
	found := map[string]map[string]string{}
	for _, o := range objects {
		if o.Kind == "ConfigMap" {
			found[o.Metadata.Name] = o.Data
		}
	}
	return found
}
