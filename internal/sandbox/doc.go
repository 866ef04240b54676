// Package sandbox is a SendGrid for tests and demonstrations: the strict half
// of POST /v3/mail/send, the signed Event Webhook, and an inbox to look at.
//
// It refuses what SendGrid refuses and answers in SendGrid's words (package
// mailsend). What it accepts it keeps, counts, and tells the webhook about
// after adjustable delays (package webhook). Recipients behave as their local
// part says: bounce@, spam@, defer@ and so on (behaviour.go). A fault menu
// makes it answer 429 and 5xx, hang, or reset connections (package faults).
//
//	worker ─POST /v3/mail/send─▶ faults ─▶ check ─▶ inbox + tally ─▶ 202
//	                                                    │
//	hooks  ◀────────── signed events, later ────────────┘
//
// Everything is reachable three ways: Go methods on Sandbox, a JSON API under
// /api/, and the inbox page at /. It never sends mail anywhere.
package sandbox
