// Command results makes bench/RESULTS.md of what `make bench` measured: a table of the targets of the project, met or
// not, plots as SVG, and what each program printed.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/levenlabs/postmaster/bench/internal/report"
)

func main() {
	figures := flag.String("figures", "", "file with the figures")
	printed := flag.String("printed", "", "file with what the programs printed, as Markdown")
	machine := flag.String("machine", "", "what it ran on")
	out := flag.String("out", "RESULTS.md", "file to write; the plots go into the folder plots beside it")
	flag.Parse()
	if err := run(*figures, *printed, *machine, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(figures, printed, machine, out string) error {
	all, err := report.Read(figures)
	if err != nil {
		return err
	}
	folder := filepath.Join(filepath.Dir(out), "plots")
	drawn, err := report.Draw(folder, all.Points)
	if err != nil {
		return err
	}
	rest, err := os.ReadFile(printed)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Results\n\nWritten by `make bench` on %s.\nWhat is measured, what measures it and the databases all run on these cores; ours and what it is held against take turns.\n\n", machine)
	writeTargets(&b, all.Lines)
	b.WriteString("\n## Plots\n")
	for _, stem := range drawn {
		fmt.Fprintf(&b, "\n![%s: %s](plots/%s.svg)\n", report.Plots[stem].Title, report.Plots[stem].Y, stem)
	}
	b.Write(rest)
	fmt.Print(tableText(all.Lines))
	if err := report.WriteCosts(filepath.Join(filepath.Dir(out), "costs.json"), all.Costs); err != nil {
		return err
	}
	return os.WriteFile(out, []byte(b.String()), 0o644)
}
