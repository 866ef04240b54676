// Package api is pm-api: the JSON-RPC 2.0 server that callers give mails to, and ask about them.
//
//	HTTP ──▶ ServeHTTP: method, token, type, size ──▶ calls: one, or a batch side by side ──▶ a method of the table
//	                                                                                          │ decode, validate
//	                                                         okq ◀── Enqueue ─────────────────┤
//	                                                       store ◀── prefs, lookups, keys ────┘
//
// A mail that is answered with success is in okq, where it survives. It is queued as the bytes it came in, with its id
// put in, so that fields of a later version go through. What has no answer may or may not have happened: the caller
// tries again, with an idempotencyKey if it must be one mail.
//
// The package knows JSON-RPC, and which method does what. The limits of a mail are pkg/job's, and what became of it is
// pkg/stats'. docs/api.md is its manual, docs/design/api.md says why it is as it is.
package api
