// Package worker takes email jobs from okq and has SendGrid send them, each once, and folds SendGrid's webhook events
// into the records of the mails they are about.
//
//	          ┌──────────────── batch ────────────────┐ ┌────────── mail by mail ──────────┐
//	okq ─pop─▶ recall ─▶ decode ─▶ judge ─▶ permit ────▶ begin ─▶ POST ─▶ settle ─▶ ack
//	           ledger,   limits,   what the  prefs,      ledger            ledger
//	           one query times     ledger    one query   (in groups)       (in groups)
//	                               proves
//
// Every step may be the last one before a kill -9: the job then comes again, and the ledger says how far it got. A mail
// leaves its queue by one of few doors: accepted, opted out, expired, or a dead letter with its reason.
//
// While a store does not answer nothing is sent and nothing dropped: what is in hand is held, and nothing more is
// taken. docs/design/worker.md says why things are as they are.
package worker
