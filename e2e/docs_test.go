package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Pages that promise something name the test that holds it.
func TestTestsThatPagesNameExist(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("git", "-C", "..", "grep", "-hoE", `^func Test[A-Za-z0-9_]+\(`, "--", "*_test.go").Output()
	if err != nil {
		t.Fatalf("list tests: %v", err)
	}
	for _, page := range []string{"../docs/security.md", "../docs/reliability.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bTest[A-Z0-9][A-Za-z0-9_]*[A-Za-z0-9]`).FindAllString(string(text), -1) {
			if !strings.Contains(string(out), "func "+name) { // TestCase02 stands for all that begin so
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
	}
}
