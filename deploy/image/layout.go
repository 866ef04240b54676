package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// A layout is an OCI image layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
type layout struct {
	dir, version string
	index        index
	size         int64 // of the compressed layers
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type index struct {
	Schema    int          `json:"schemaVersion"`
	MediaType string       `json:"mediaType"`
	Manifests []descriptor `json:"manifests"`
}

type manifest struct {
	Schema    int          `json:"schemaVersion"`
	MediaType string       `json:"mediaType"`
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
}

type imageConfig struct {
	platform
	Created time.Time `json:"created"`
	Config  struct {
		User       string            `json:"User"`
		Entrypoint []string          `json:"Entrypoint"`
		WorkingDir string            `json:"WorkingDir"`
		Labels     map[string]string `json:"Labels"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

const (
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// nobody is the user that the programs run as: distroless' "nonroot".
const nobody = "65532:65532"

// epoch is the time of everything in an image, so that the same content has the same digest.
var epoch = time.Unix(0, 0).UTC()

func newLayout(dir, version string) (*layout, error) {
	l := &layout{dir: dir, version: version, index: index{Schema: 2, MediaType: mediaIndex}}
	return l, os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755)
}

// add writes the image of a binary.
func (l *layout) add(program, arch, binary string) error {
	files, err := rootFS(program, binary)
	if err != nil {
		return err
	}
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(files)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return err
	}
	layer, err := l.blob(mediaLayer, zipped.Bytes())
	if err != nil {
		return err
	}
	l.size += int64(layer.Size)
	on := platform{Architecture: arch, OS: "linux"}
	c := imageConfig{platform: on, Created: epoch}
	c.Config.User, c.Config.Entrypoint, c.Config.WorkingDir = nobody, []string{"/" + program}, "/"
	c.Config.Labels = map[string]string{
		"org.opencontainers.image.version": l.version,
		"org.opencontainers.image.source":  "https://github.com/levenlabs/postmaster",
	}
	c.RootFS.Type, c.RootFS.DiffIDs = "layers", []string{digest(files)}
	config, err := l.jsonBlob(mediaConfig, c)
	if err != nil {
		return err
	}
	d, err := l.jsonBlob(mediaManifest, manifest{Schema: 2, MediaType: mediaManifest, Config: config, Layers: []descriptor{layer}})
	if err != nil {
		return err
	}
	d.Platform = &on
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": l.version}
	l.index.Manifests = append(l.index.Manifests, d)
	return nil
}

// close writes the index, which makes the folder a layout.
func (l *layout) close() error {
	text, err := json.Marshal(l.index)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(l.dir, "index.json"), text, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

func (l *layout) jsonBlob(mediaType string, v any) (descriptor, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	return l.blob(mediaType, text)
}

func (l *layout) blob(mediaType string, content []byte) (descriptor, error) {
	d := descriptor{MediaType: mediaType, Digest: digest(content), Size: len(content)}
	return d, os.WriteFile(filepath.Join(l.dir, "blobs", "sha256", d.Digest[len("sha256:"):]), content, 0o644)
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// authorities are those whose certificates are believed without a condition, which a file of certificates cannot tell.
func authorities() []byte {
	var roots []byte
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})...)
		}
	}
	return roots
}

// rootFS is the image's one layer: the binary, and the authorities.
func rootFS(program, binary string) ([]byte, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, dir := range []string{"etc/", "etc/ssl/", "etc/ssl/certs/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: epoch}); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct {
		name    string
		mode    int64
		content []byte
	}{{"etc/ssl/certs/ca-certificates.crt", 0o644, authorities()}, {program, 0o755, content}} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.content)), ModTime: epoch}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}
