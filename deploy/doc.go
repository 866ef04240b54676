// Package deploy holds the Kubernetes manifests, and the tests that check them against the programs' own flags, ports
// and metrics, and against the schemas of the Kubernetes API. See README.md.
package deploy
