package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/levenlabs/postmaster/internal/testenv"
)

func TestEverythingFitsTheSchemasOfTheRealAPI(t *testing.T) {
	tools := testenv.DeployTools(t)
	schemas := t.TempDir()
	writeSchemas(t, tools, schemas)
	eachVariant(t, func(t *testing.T, text []byte, objects []*object) {
		out, err := conform(tools, schemas, text)
		if err != nil {
			t.Errorf("kubeconform: %v\n%s", err, out)
		}
		if want := fmt.Sprintf("Valid: %d,", len(objects)); !strings.Contains(string(out), want) {
			t.Errorf("kubeconform says %q, want %q", out, want)
		}
	})
}

// The check itself is checked: a schema that lets everything through would pass all manifests.
func TestMistakesAreFound(t *testing.T) {
	tools := testenv.DeployTools(t)
	schemas := t.TempDir()
	writeSchemas(t, tools, schemas)
	for what, manifest := range map[string]string{
		"a misspelt field":   "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {prots: []}}",
		"a wrong type":       "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: http}]}}",
		"a missing field":    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {}}}",
		"an unknown kind":    "{apiVersion: apps/v1, kind: Deploiment, metadata: {name: a}}",
		"KEDA, misspelt":     "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, triggers: [], maxReplicas: 2}}",
		"an alert, misspelt": "{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, metadata: {name: a}, spec: {groups: [{name: a, rules: [{alert: A, exp: '1'}]}]}}",
	} {
		if out, err := conform(tools, schemas, []byte(manifest)); err == nil {
			t.Errorf("%s is not found: %s", what, out)
		}
	}
}

func conform(tools testenv.Deploy, schemas string, manifests []byte) ([]byte, error) {
	cmd := exec.Command(tools.Kubeconform, "-strict", "-summary",
		"-schema-location", schemas+"/{{.Group}}_{{.ResourceKind}}_{{.ResourceAPIVersion}}.json", "-")
	cmd.Stdin = bytes.NewReader(manifests)
	return cmd.CombinedOutput()
}

// kinds are what deploy/ uses of the Kubernetes API, by OpenAPI document.
var kinds = map[string][]string{
	"api__v1":                     {"Namespace", "Service", "ServiceAccount", "ConfigMap", "Secret"},
	"apis__apps__v1":              {"Deployment", "StatefulSet"},
	"apis__policy__v1":            {"PodDisruptionBudget"},
	"apis__networking.k8s.io__v1": {"Ingress", "NetworkPolicy"},
	"apis__autoscaling__v2":       {"HorizontalPodAutoscaler"},
}

// crds are what it uses of others.
var crds = []string{"keda.sh_scaledobjects.yaml", "monitoring.coreos.com_podmonitors.yaml", "monitoring.coreos.com_prometheusrules.yaml"}

// writeSchemas writes a strict JSON schema for each kind: strict is that a field which is not in it is a fault.
func writeSchemas(t *testing.T, tools testenv.Deploy, dir string) {
	t.Helper()
	for group, wanted := range kinds {
		text, err := os.ReadFile(filepath.Join(tools.OpenAPI, group+"_openapi.json"))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Components struct{ Schemas map[string]any }
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		definitions := strict(doc.Components.Schemas).(map[string]any)
		for name, schema := range doc.Components.Schemas {
			gvks, _ := schema.(map[string]any)["x-kubernetes-group-version-kind"].([]any)
			for _, k := range gvks {
				gvk := k.(map[string]any)
				kind := gvk["kind"].(string)
				if !slices.Contains(wanted, kind) {
					continue
				}
				top := copyOf(definitions[name])
				top["definitions"] = definitions
				writeSchema(t, dir, top, gvk["group"].(string), gvk["version"].(string), kind)
			}
		}
	}
	for _, folder := range tools.CRDs {
		for _, name := range crds {
			if file := filepath.Join(folder, name); exists(file) {
				writeCRD(t, dir, file)
			}
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func writeCRD(t *testing.T, dir, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, v := range crd.Spec.Versions {
		top := strict(v.Schema.OpenAPIV3Schema).(map[string]any)
		writeSchema(t, dir, top, crd.Spec.Group, v.Name, crd.Spec.Names.Kind)
	}
}

func writeSchema(t *testing.T, dir string, top map[string]any, group, version, kind string) {
	t.Helper()
	groupVersion := version
	if group != "" {
		groupVersion = group + "/" + version
	}
	if properties, ok := top["properties"].(map[string]any); ok {
		properties = copyOf(properties)
		properties["apiVersion"] = map[string]any{"const": groupVersion}
		properties["kind"] = map[string]any{"const": kind}
		top["properties"] = properties
	}
	text, err := json.Marshal(top)
	if err != nil {
		t.Fatal(err)
	}
	if group == "" {
		group = version // so kubeconform fills in {{.Group}} for the core API
	}
	name := fmt.Sprintf("%s_%s_%s.json", group, strings.ToLower(kind), version)
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyOf(m any) map[string]any {
	c := map[string]any{}
	for k, v := range m.(map[string]any) {
		c[k] = v
	}
	return c
}

// strict makes JSON schema of OpenAPI's: what has properties has no others, null stands for what is not set (as the API
// server takes it), and references point to "definitions".
func strict(schema any) any {
	switch s := schema.(type) {
	case []any:
		list := make([]any, len(s))
		for i, v := range s {
			list[i] = strict(v)
		}
		return list
	case map[string]any:
		return strictObject(s)
	}
	return schema
}

func strictObject(s map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range s {
		switch {
		case k == "$ref":
			out[k] = strings.Replace(fmt.Sprint(v), "#/components/schemas/", "#/definitions/", 1)
		case k == "nullable", k == "default", strings.HasPrefix(k, "x-kubernetes"):
		default:
			out[k] = strict(v)
		}
	}
	if properties, isSchema := s["properties"].(map[string]any); isSchema {
		named := map[string]any{}
		for name, p := range properties { // a property may well be called "default"
			named[name] = strict(p)
		}
		out["properties"] = named
		if out["additionalProperties"] == nil && s["x-kubernetes-preserve-unknown-fields"] == nil {
			out["additionalProperties"] = false
		}
	}
	if s["x-kubernetes-int-or-string"] != nil {
		delete(out, "type")
		out["oneOf"] = []any{map[string]any{"type": "string"}, map[string]any{"type": "integer"}}
	}
	if kind, ok := out["type"].(string); ok {
		out["type"] = []any{kind, "null"}
	}
	return out
}
