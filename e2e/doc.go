// Package e2e tests postmaster as its users run it: the built binaries, as processes of their own, against real
// services, with only SendGrid played by the sandbox. It also holds the tests of the tree itself.
package e2e
