// Package okqd is the server of the okq protocol: queues of events over RESP, the protocol of Redis.
//
// A connection's commands are read as they come, all that have arrived at once; those that concern events are handed
// to the engine as one slice, and all their replies leave in one write, in order.
//
//	conn ─resp.Reader─▶ command table ─[]engine.Op─▶ engine.Engine ─▶ resp.Writer ─▶ conn
//
// docs/okq.md has every command with a transcript.
package okqd
