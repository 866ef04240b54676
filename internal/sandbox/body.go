package sandbox

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

const (
	maxBody = 30_000_000 // SendGrid's 30 MB, compressed and expanded

	// smallBody is what may be read by any number of requests at once;
	// larger bodies wait until the others' sum leaves room.
	smallBody    = 256 << 10
	bodiesAtOnce = 4 * maxBody
)

var (
	errTooLarge  = errors.New("body too large")
	errMediaType = errors.New("unsupported media type")
)

// readBody reads a request's body within the limits. release gives its room
// back once the body was dealt with.
func (s *Sandbox) readBody(ctx context.Context, r *http.Request) (body []byte, release func(), err error) {
	release = func() {}
	if r.ContentLength > maxBody {
		return nil, release, errTooLarge
	}
	encoding := strings.ToLower(r.Header.Get("Content-Encoding"))
	if encoding != "" && encoding != "identity" && encoding != "gzip" {
		return nil, release, errMediaType
	}
	var src io.Reader = io.LimitReader(r.Body, maxBody+1)
	if r.ContentLength < 0 || r.ContentLength > smallBody || encoding == "gzip" {
		if err := s.bodies.Acquire(ctx, maxBody); err != nil {
			return nil, release, err
		}
		release = func() { s.bodies.Release(maxBody) }
	}
	if encoding == "gzip" {
		unzipped, err := gzip.NewReader(src)
		if err != nil {
			return nil, release, err
		}
		src = io.LimitReader(unzipped, maxBody+1)
	}
	body, err = io.ReadAll(src)
	if err == nil && len(body) > maxBody {
		err = errTooLarge
	}
	return body, release, err
}

// isJSON takes application/json, in UTF-8 if it says anything about that.
func isJSON(r *http.Request) bool {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return false
	}
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}
