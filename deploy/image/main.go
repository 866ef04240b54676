// Command image builds container images of the programs without Docker: one static binary on nothing, with the
// certificates of the public authorities. The same source, Go version and flags give the same bytes.
//
//	go run ./deploy/image --version v1.0.0 --out dist
//
// writes an OCI layout to dist/pm-api and so on (push one with `crane push dist/pm-api …`, `skopeo copy oci:dist/pm-api …`
// or `buildah`), and beside it what is inside: dist/pm-api.cdx.json, a CycloneDX bill of materials.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// programs are what gets an image each.
var programs = []string{"okqd", "pm-api", "pm-hooks", "pm-worker", "postmaster"}

type options struct {
	out, version, platforms, programs string
}

func main() {
	var o options
	flag.StringVar(&o.out, "out", "dist", "folder of the images")
	flag.StringVar(&o.version, "version", "dev", "stamped into the programs, and the images' tag")
	flag.StringVar(&o.platforms, "platforms", "linux/"+runtime.GOARCH, "linux/amd64,linux/arm64")
	flag.StringVar(&o.programs, "programs", strings.Join(programs, ","), "which to build")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func (o options) run() error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	for program := range strings.SplitSeq(o.programs, ",") {
		if err := o.image(program); err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
	}
	return nil
}

// image builds a program for each platform and writes the layout anew.
func (o options) image(program string) (err error) {
	tmp, err := os.MkdirTemp("", "postmaster-image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	dir := filepath.Join(o.out, program)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	l, err := newLayout(dir, o.version)
	if err != nil {
		return err
	}
	for platform := range strings.SplitSeq(o.platforms, ",") {
		system, arch, ok := strings.Cut(platform, "/")
		if !ok || system != "linux" {
			return fmt.Errorf("--platforms: %q is not linux/ARCHITECTURE", platform)
		}
		binary := filepath.Join(tmp, arch)
		if err := build(program, arch, o.version, binary); err != nil {
			return err
		}
		if err := l.add(program, arch, binary); err != nil {
			return err
		}
		if err := writeBill(binary, filepath.Join(o.out, program+".cdx.json"), program, o.version); err != nil {
			return err
		}
	}
	if err := l.close(); err != nil {
		return err
	}
	fmt.Printf("%s %s: %.1f MB compressed\n", dir, o.version, float64(l.size)/1e6)
	return nil
}
