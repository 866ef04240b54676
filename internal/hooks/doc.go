// Package hooks receives SendGrid's Event Webhook. It checks that a POST is SendGrid's, picks out the events that are
// about mails of this postmaster, and answers 200 only once okq has them on disk. It does not read what the events say:
// pm-worker folds them into the ledger.
//
//	POST ──▶ password ──▶ body, within the budget ──▶ signature ──▶ scan and filter ──▶ push ──▶ 200
//
// Any other answer than 2xx makes SendGrid send the same POST again, for 24 hours. So a fault on our side is a 503, a
// POST that will never be good is a 4xx, and a single odd event is counted and left out. A POST that comes twice
// makes the same okq events, by ID and by contents.
package hooks
