package deploy

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m)) }

// flagLine is a flag in --help: "      --drain-wait duration   how long … (default 20s)".
var flagLine = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)(?: \w+)? {2,}.*?(?:\(default "?([^")]*)"?\))?$`)

var helps sync.Map // of the programs, by command line: flags, each asked for once

// flags returns the flags of a program, as its --help tells them, with their defaults.
func flags(t *testing.T, program string, args ...string) map[string]string {
	t.Helper()
	line := fmt.Sprint(program, args)
	found, ok := helps.Load(line)
	if !ok {
		found = askFlags(t, program, args)
		helps.Store(line, found)
	}
	return maps.Clone(found.(map[string]string))
}

func askFlags(t *testing.T, program string, args []string) map[string]string {
	t.Helper()
	out, err := process.Command(program, append(slices.Clone(args), "--help")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s --help: %v\n%s", program, err, out)
	}
	found := map[string]string{}
	for _, m := range flagLine.FindAllStringSubmatch(string(out), -1) {
		found[m[1]] = m[2]
	}
	if found["ops-addr"] == "" {
		t.Fatalf("%s --help has no --ops-addr with a default:\n%s", program, out)
	}
	return found
}

// envPrefix is of the variables that set a program's flags.
func envPrefix(program string) string {
	if program == "okqd" {
		return "OKQ_"
	}
	return "POSTMASTER_"
}

// flagOf returns the flag that a variable sets.
func flagOf(program, variable string) (flag string, ours bool) {
	name, ours := strings.CutPrefix(variable, envPrefix(program))
	return strings.ToLower(strings.ReplaceAll(name, "_", "-")), ours
}

// settings are the values that a container's process runs with: flags, else variables, else defaults.
func settings(t *testing.T, c *container, configMaps map[string]map[string]string) map[string]string {
	t.Helper()
	program, subcommand := c.Name, c.subcommand()
	known := flags(t, program, subcommand...)
	for _, from := range c.EnvFrom {
		for variable, value := range configMaps[from.ConfigMapRef.Name] {
			if flag, _ := flagOf(program, variable); hasKey(known, flag) {
				known[flag] = value // others of a shared ConfigMap are for other programs
			}
		}
	}
	for _, e := range c.Env {
		flag, ours := flagOf(program, e.Name)
		switch {
		case ours && !hasKey(known, flag):
			t.Errorf("%s: variable %s is none of its flags", program, e.Name)
		case ours:
			known[flag] = e.Value
		case e.Name != "GOMEMLIMIT":
			t.Errorf("%s: variable %s", program, e.Name)
		}
	}
	for _, arg := range c.Args[len(subcommand):] {
		flag, value, isFlag := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !isFlag || !hasKey(known, flag) {
			t.Errorf("%s: %q is none of its flags, as --flag=value", program, arg)
		}
		known[flag] = value
	}
	return known
}

func hasKey(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
