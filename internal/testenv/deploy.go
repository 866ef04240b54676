package testenv

import (
	"path/filepath"
	"strings"
	"testing"
)

// Deploy is what the tests of deploy/ look at manifests and alert rules with.
type Deploy struct {
	Kustomize, Kubeconform string   // programs
	Promtool, Prometheus   string   // programs
	OpenAPI                string   // folder of the Kubernetes API's OpenAPI documents
	CRDs                   []string // folders of the CustomResourceDefinitions in use
}

// DeployTools returns the tools of `scripts/services deploy`.
func DeployTools(tb testing.TB) Deploy {
	tb.Helper()
	const hint = "`make test-deploy` installs and sets it (Debian)"
	get := func(name, what string) string {
		tb.Helper()
		return require(tb, name, what, hint)
	}
	prometheus := get("PM_TEST_PROMETHEUS", "the folder of prometheus and promtool")
	return Deploy{
		Kustomize:   get("PM_TEST_KUSTOMIZE", "the kustomize program"),
		Kubeconform: get("PM_TEST_KUBECONFORM", "the kubeconform program"),
		Promtool:    filepath.Join(prometheus, "promtool"),
		Prometheus:  filepath.Join(prometheus, "prometheus"),
		OpenAPI:     get("PM_TEST_KUBERNETES_OPENAPI", "the folder of the Kubernetes API's OpenAPI documents"),
		CRDs:        strings.Split(get("PM_TEST_CRDS", "the folders of CustomResourceDefinitions"), ":"),
	}
}
