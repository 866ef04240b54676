// Package testenv gives tests the real services they talk to: Redis, a MongoDB server and a browser.
//
// The addresses come from the environment, so the same tests run against the throwaway services that
// `make services` starts, against the containers of compose.yaml, or against any server you name:
//
//	PM_TEST_REDIS         host:port
//	PM_TEST_MONGO         mongodb:// URI
//	PM_TEST_REDIS_SERVER  path of redis-server
//	PM_TEST_CHROMIUM      path of a Chromium
//
// A test whose service is missing is skipped with a hint. With CI=true it fails instead: a green run in CI
// means that nothing was left out.
package testenv

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// Heavy skips the calling test unless PM_HEAVY=1, which `make test-heavy` sets. It is for tests that take minutes.
func Heavy(tb testing.TB) {
	tb.Helper()
	if on, err := strconv.ParseBool(os.Getenv("PM_HEAVY")); err != nil || !on {
		tb.Skip("takes minutes: run it with `make test-heavy` or PM_HEAVY=1")
	}
}

// Redis returns the host:port of a Redis server that appends to disk. All tests share its one keyspace:
// put a name of your own in front of every key.
func Redis(tb testing.TB) string {
	tb.Helper()
	return require(tb, "PM_TEST_REDIS", "a Redis server, host:port", serverHint)
}

// RedisServer returns the path of the redis-server program, for tests that start, kill and restart their own.
func RedisServer(tb testing.TB) string {
	tb.Helper()
	return require(tb, "PM_TEST_REDIS_SERVER", "the redis-server program", programHint)
}

// Chromium returns the path of a browser to drive.
func Chromium(tb testing.TB) string {
	tb.Helper()
	return require(tb, "PM_TEST_CHROMIUM", "a Chromium browser's program", programHint)
}

const (
	serverHint  = "`make services` starts one (root on Debian), compose.yaml does with Docker"
	programHint = "`make services` installs it (root on Debian)"
)

// require returns the variable's value, or ends the test.
func require(tb testing.TB, name, what, hint string) string {
	tb.Helper()
	value := os.Getenv(name)
	if value != "" {
		return value
	}
	missing(tb, "%s (%s) is not set: %s", name, what, hint)
	return ""
}

// Program returns the path of a program that tests run as people have it, such as redis-cli or node.
func Program(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(tb, "%v: %s", err, programHint)
	}
	return path
}

// Root is for tests that need a right of root's, such as chroot.
func Root(tb testing.TB, why string) {
	tb.Helper()
	if os.Getuid() != 0 {
		missing(tb, "%s needs root", why)
	}
}

// missing ends a test that lacks something.
func missing(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if ci, err := strconv.ParseBool(os.Getenv("CI")); err == nil && ci {
		tb.Fatalf(format, args...)
	}
	tb.Skipf(format, args...)
}
