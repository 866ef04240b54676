package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/levenlabs/postmaster/internal/testenv"
)

// blob reads a blob of a layout, and checks that it is what its name says.
func blob(t *testing.T, dir string, d descriptor) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(d.Digest, "sha256:")))
	if err != nil {
		t.Fatal(err)
	}
	if got := digest(content); got != d.Digest || len(content) != d.Size {
		t.Fatalf("%v holds %s of %d bytes", d, got, len(content))
	}
	return content
}

// unpack lays the image's files out in a folder of their own, as a container runtime would.
func unpack(t *testing.T, dir string) (root string, config imageConfig) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var i index
	var m manifest
	for _, err := range []error{
		json.Unmarshal(text, &i), json.Unmarshal(blob(t, dir, i.Manifests[0]), &m), json.Unmarshal(blob(t, dir, m.Config), &config),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	z, err := gzip.NewReader(strings.NewReader(string(blob(t, dir, m.Layers[0]))))
	if err != nil {
		t.Fatal(err)
	}
	files, err := io.ReadAll(z)
	if err != nil || digest(files) != config.RootFS.DiffIDs[0] {
		t.Fatalf("the layer is %s, the config says %s: %v", digest(files), config.RootFS.DiffIDs[0], err)
	}
	root = t.TempDir()
	for r := tar.NewReader(strings.NewReader(string(files))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		path := filepath.Join(root, h.Name)
		if err == nil && h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, os.FileMode(h.Mode))
		} else if err == nil {
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, os.FileMode(h.Mode))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // the image's user must get there
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root, config
}

// inside runs a command with nothing but the image's files, as the image's user.
func inside(root string, config imageConfig, args ...string) ([]byte, error) {
	cmd := &exec.Cmd{
		Path: config.Config.Entrypoint[0], Args: append(config.Config.Entrypoint, args...), Dir: config.Config.WorkingDir, Env: []string{},
		SysProcAttr: &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}},
	}
	return cmd.CombinedOutput()
}

// tested are the images to build: by default two that are compiled soon, PM_IMAGE_PROGRAMS=okqd,pm-api,… for others.
func tested() string { return cmp.Or(os.Getenv("PM_IMAGE_PROGRAMS"), "okqd,pm-hooks") }

func TestHeavyImagesRunOnNothingAsNobody(t *testing.T) {
	testenv.Heavy(t)
	testenv.Root(t, "chroot")
	out := t.TempDir()
	o := options{out: out, version: "v9.8.7-test", platforms: "linux/" + runtime.GOARCH, programs: tested()}
	if err := o.run(); err != nil {
		t.Fatal(err)
	}
	for program := range strings.SplitSeq(tested(), ",") {
		root, config := unpack(t, filepath.Join(out, program))
		if config.Config.User != nobody {
			t.Errorf("%s runs as %q", program, config.Config.User)
		}
		got, err := inside(root, config, "--version")
		if want := program + " v9.8.7-test\n"; err != nil || string(got) != want {
			t.Errorf("%s --version: %q, %v", program, got, err)
		}
		bill, err := os.ReadFile(filepath.Join(out, program+".cdx.json"))
		if err != nil || !strings.Contains(string(bill), "pkg:golang/github.com/rs/zerolog@v") {
			t.Errorf("%s: its bill of materials lacks zerolog: %v", program, err)
		}
		certificates, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
		if err != nil || !x509.NewCertPool().AppendCertsFromPEM(certificates) {
			t.Errorf("%s: no certificates: %v", program, err)
		}
	}
}

func TestHeavyAnImageIsTheSameBytesAgain(t *testing.T) {
	testenv.Heavy(t)
	var indexes [2]string
	for i := range indexes {
		o := options{out: t.TempDir(), version: "v1", platforms: "linux/" + runtime.GOARCH, programs: "pm-hooks"}
		if err := o.run(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(o.out, "pm-hooks", "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		indexes[i] = string(text)
	}
	if indexes[0] != indexes[1] {
		t.Errorf("two builds differ:\n%s\n%s", indexes[0], indexes[1])
	}
}
