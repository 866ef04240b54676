package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A fingerprint is the same for two bodies that ask for the same email, however they are spaced and ordered. Fields that
// this version does not know do not count.
//
// While pm-api is upgraded, calls with one key reach versions that know different fields. So a fingerprint has a part for
// the fields of each version, and two are compared by the parts that both have: by the fields of the older version.
//
//	32 bytes: version 1, all that pm-api reads that knows no versions
//	1 byte: the version that made it, and 16 bytes for each version from 2 on
type fingerprint []byte

// fingerprintFields are the fields that each version counts first, by their names in JSON. A released version never
// changes: a new field of job.Email begins another, or the next one.
var fingerprintFields = [][]string{
	{
		"to", "toName", "from", "fromName", "subject", "html", "text", "replyTo", "uniqueArgs", "flags", "uniqueID", "cc", "bcc", "headers",
		"categories", "attachments", "templateID", "templateData", "asmGroupID", "ipPool", "priority", "sendAt", "sendBefore", "onUnknown",
	},
}

// uncounted are no part of what an email says.
var uncounted = []string{"id", "idempotencyKey", "traceparent"}

const (
	firstPart = sha256.Size
	laterPart = 16
)

// matches reports whether two fingerprints are of the same email, as far as both versions know its fields.
func (f fingerprint) matches(other fingerprint) bool {
	n := min(len(f), len(other))
	if n < firstPart || !bytes.Equal(f[:firstPart], other[:firstPart]) {
		return false
	}
	return n <= firstPart || bytes.Equal(f[firstPart+1:n], other[firstPart+1:n])
}

func newFingerprint(e *job.Email) (fingerprint, error) {
	first, err := firstFingerprint(keepFields(*e, fingerprintFields[0]))
	if err != nil {
		return nil, err
	}
	return laterFingerprints(first, *e, fingerprintFields)
}

// firstFingerprint is version 1. Attachments are hashed where they are.
func firstFingerprint(e job.Email) (fingerprint, error) {
	lean := e
	lean.Attachments, lean.TemplateData = nil, nil
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(lean); err != nil {
		return nil, fmt.Errorf("hash email: %w", err)
	}
	if e.HasTemplateData() {
		if err := hashData(h, e.TemplateData); err != nil {
			return nil, err
		}
	}
	for _, a := range e.Attachments {
		for _, s := range [...]string{a.Content, a.Filename, a.Type, a.Disposition, a.ContentID} {
			_ = binary.Write(h, binary.LittleEndian, int64(len(s))) // a hash never fails
			_, _ = io.WriteString(h, s)
		}
	}
	return h.Sum(nil), nil
}

// laterFingerprints appends the parts of the versions after the first.
func laterFingerprints[T any](f fingerprint, v T, versions [][]string) (fingerprint, error) {
	if len(versions) == 1 {
		return f, nil
	}
	f = append(f, byte(len(versions)))
	for _, fields := range versions[1:] {
		h := sha256.New()
		if err := json.NewEncoder(h).Encode(keepFields(v, fields)); err != nil {
			return nil, fmt.Errorf("hash email: %w", err)
		}
		f = append(f, h.Sum(nil)[:laterPart]...)
	}
	return f, nil
}

// keepFields returns v with all fields but those zeroed.
func keepFields[T any](v T, names []string) T {
	value := reflect.ValueOf(&v).Elem()
	for i := range value.NumField() {
		name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		if !slices.Contains(names, name) {
			value.Field(i).SetZero()
		}
	}
	return v
}

// hashData hashes JSON with its members sorted and its numbers as they are written.
func hashData(h io.Writer, data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return fmt.Errorf("hash templateData: %w", err)
	}
	if err := json.NewEncoder(h).Encode(v); err != nil {
		return fmt.Errorf("hash templateData: %w", err)
	}
	return nil
}
