// Package k8s holds the tests that apply the manifests of deploy/ to a real Kubernetes API server with its controllers
// and simulated nodes: `make test-k8s`. They have a build tag of their own, because the server takes minutes to build.
package k8s
