// Package webhook posts events the way SendGrid's Event Webhook does: after a
// delay, gathered into JSON arrays whose lines end in CRLF, signed with ECDSA
// P-256 over the timestamp and the raw bytes, and again with growing pauses
// until the receiver answers 2xx.
//
// What an event says is the caller's affair (Event); when and how it travels
// is this package's:
//
//	Schedule ─▶ heap by due time ─▶ batch ─▶ sign ─▶ POST ─▶ 2xx: done
//	                 ▲                                 └─ else: back, later
package webhook
