// Package sendgrid posts mails to SendGrid and says what became of each. It is the only package that knows SendGrid's
// wire: the body of /v3/mail/send, its answers, and what a broken connection proves.
//
//	job.Email ──body──▶ bytes ──POST, watched──▶ SendGrid
//	                                 │
//	Result ◀──classify── answer, or error and how much was written
//
// It decides nothing: whether to send again is the caller's. It never retries, follows no redirect, and sends no
// Idempotency-Key, which SendGrid ignores but net/http would take as leave to send the mail again by itself.
package sendgrid
