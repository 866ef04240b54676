package hooks

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/archive"
	"github.com/levenlabs/postmaster/internal/browserguard"
	"github.com/levenlabs/postmaster/internal/connlimit"
)

// handler answers the webhook's POSTs, at any path but that of the unsubscribe link.
type handler struct {
	linkPath string       // of link
	link     http.Handler // nil: mails carry no unsubscribe link

	passHash *[sha256.Size]byte // nil: no password
	guard    browserguard.Guard
	keys     *keyring
	window   time.Duration
	filter   filter
	envs     *envWatch
	budget   budget
	pace     connlimit.Pace // of a body
	pusher   Pusher
	presence presence
	archive  *archive.Writer // nil: none
	metrics  *metrics
	log      zerolog.Logger
	refusals zerolog.Logger // log, for what strangers do
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = connlimit.PaceBody(w, r, h.pace)
	if h.link != nil && r.URL.Path == h.linkPath {
		h.link.ServeHTTP(w, r)
		return
	}
	ref := h.receive(r)
	if ref == nil {
		h.metrics.answered(http.StatusOK, "")
		return
	}
	h.metrics.answered(ref.status, ref.reason)
	h.refusals.Warn().Err(ref.err).Int("status", ref.status).Str("reason", ref.reason).Str("addr", r.RemoteAddr).
		Int64("bytes", r.ContentLength).Msg("webhook refused")
	switch ref.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="postmaster"`)
		connlimit.Of(r).Wrong(r.Context())
	}
	if ref.unread {
		connlimit.Refuse(w)
	}
	http.Error(w, ref.Error(), ref.status)
}

// receive returns nil once everything of the POST that concerns us is on disk. The order of the checks is part of the
// contract, and what costs little comes first.
func (h *handler) receive(r *http.Request) *refusal {
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, reasonMethod).before()
	}
	if err := h.guard.Check(r); err != nil {
		return refuse(http.StatusForbidden, reasonBrowser).because(err).before()
	}
	if !h.passwordGood(r) {
		return refuse(http.StatusUnauthorized, reasonPassword).before()
	}
	conn := connlimit.Of(r)
	if h.passHash != nil {
		conn.Admit()
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return refuse(http.StatusUnsupportedMediaType, reasonEncoding).before()
	}
	body, held, ref := h.budget.read(r)
	defer held.letGo()
	if ref != nil {
		return ref
	}
	h.metrics.bodyBytes.Observe(float64(len(body)))
	digest, ref := h.signatureGood(r.Header, body)
	if ref != nil {
		return ref
	}
	conn.Admit()
	a := arrival{at: time.Now(), digest: digest, signed: digest != nil}
	b, err := readBatch(body, a, h.filter)
	if err != nil {
		return refuse(http.StatusBadRequest, reasonJSON).because(err)
	}
	if ref := h.keep(r.Context(), b, held); ref != nil {
		return ref
	}
	h.file(archive.Post{At: a.at, Body: body, Signed: a.signed})
	return nil
}

// file archives a POST that was accepted. What is durable is in okq already, so an archive that cannot be written
// stops nobody.
func (h *handler) file(p archive.Post) {
	if h.archive == nil {
		return
	}
	if err := h.archive.Write(p); err != nil {
		h.metrics.unarchived.Inc()
		h.log.Error().Err(err).Msg("post not archived")
	}
}

// passwordGood compares hashes, which have one length: the time it takes says nothing about the password.
func (h *handler) passwordGood(r *http.Request) bool {
	if h.passHash == nil {
		return true
	}
	_, pass, _ := r.BasicAuth()
	hash := sha256.Sum256([]byte(pass))
	return subtle.ConstantTimeCompare(hash[:], h.passHash[:]) == 1
}

// signatureGood returns what was signed, if a signature is required.
func (h *handler) signatureGood(header http.Header, body []byte) (digest []byte, ref *refusal) {
	if !h.keys.required() {
		return nil, nil
	}
	start := time.Now()
	digest, ref = verify(h.keys.keys(start), header, body)
	h.metrics.verifySecs.Observe(time.Since(start).Seconds())
	if ref != nil {
		return nil, ref
	}
	age := start.Sub(signedAt(header))
	if h.window > 0 && age > h.window {
		return nil, refuse(http.StatusForbidden, reasonWindow)
	}
	h.metrics.signatureAge.Observe(age.Seconds())
	return digest, nil
}

// keep pushes a batch, which was made of a body of that share.
func (h *handler) keep(ctx context.Context, b *batch, body *share) *refusal {
	for _, status := range b.statuses {
		h.log.Error().Str("sg_event", "account_status_change").Str("account_status", status).
			Msg("sendgrid changed the status of the account")
	}
	start := time.Now()
	if len(b.events)+len(b.optOuts) > 0 {
		body.hold()
		err := push(ctx, h.pusher, b, body.pushed)
		h.metrics.pushSecs.Observe(time.Since(start).Seconds())
		if err != nil {
			h.presence.suspend()
			return refuse(http.StatusServiceUnavailable, reasonOkq).because(err)
		}
	}
	h.metrics.counted(b, start)
	if d := h.envs.add(len(b.times), b.otherEnvs); d != nil {
		h.tell(ctx, d)
	}
	return nil
}
