// Package faulttest holds the worker's hardest test and nothing else: 20,000 mails through real processes, while SendGrid
// answers with a mix of faults, the worker is killed -9 every few seconds, and okqd and the database go away. It takes
// minutes: run it with `make fault-worker`.
//
//	test ─push─▶ okqd ─▶ pm-worker ─▶ sandbox (faults) ─events─▶ pm-hooks ─▶ okqd ─▶ pm-worker
//	             kill -9  kill -9 │
//	                              └─▶ proxy (cut) ─▶ MongoDB
package faulttest
