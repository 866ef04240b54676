// Package job defines what travels through okq between postmaster's processes: emails to send, batches of
// SendGrid's webhook events, and dead letters. It holds their JSON, their limits and their validation, and nothing
// that talks to anything.
//
//	pm-api ──Email──▶ email-high, email-normal ──▶ pm-worker ──DeadLetter──▶ email-dead
//	pm-hooks ──[]Event──▶ stats-normal ──▶ pm-worker ──DeadLetter──▶ stats-dead
//
// The JSON is a contract with postmaster 0.4.0, which wrote the same queues: a job of its making decodes here.
// A job that is moved between queues is moved as the bytes it arrived in, so fields unknown to this version survive.
package job
