// Package process runs postmaster's programs as their users do: built binaries, each a process of its own, with
// signals for commands and the log for news.
package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binaries is the folder that Main built the programs into.
var binaries string

// Main builds the programs, or all of cmd/, runs the tests and returns their exit status. It is called by TestMain.
// The binaries are the product's, without the race detector, which takes several times the memory.
// PM_BIN names a folder of binaries to test instead, such as those of an older version.
func Main(m *testing.M, programs ...string) int {
	if dir := os.Getenv("PM_BIN"); dir != "" {
		binaries = dir
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "postmaster-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if len(programs) == 0 {
		programs = []string{"..."}
	}
	args := []string{"build", "-o", dir + "/"}
	for _, p := range programs {
		args = append(args, "github.com/levenlabs/postmaster/cmd/"+p)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	binaries = dir
	return m.Run()
}

// Path is where a program was built.
func Path(program string) string { return filepath.Join(binaries, program) }

// Command is a program with an environment of its own: nothing of POSTMASTER_ or OKQ_ leaks in.
func Command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(Path(program), args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "POSTMASTER_") && !strings.HasPrefix(kv, "OKQ_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	return cmd
}
