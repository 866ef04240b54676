// Package redis keeps okqd's queues in a Redis (or Valkey) that somebody operates already: one server, one behind
// Sentinel, or a Cluster. okqd itself keeps no state then, so any number of them may serve the same queues.
//
// A queue is a handful of keys in one hash slot (see keys). Whatever an okqd does to a queue is one script, script.lua,
// which Redis carries out atomically: a crash of okqd at any point leaves each event ready, delayed, leased or gone.
// All times are Redis' own, so the clocks of the okqd do not matter.
//
//	conn ──ops──▶ Exec ──one EVALSHA per run of ops on the same queue──▶ Redis
//	conn ◀─woken── waiters ◀──pub/sub: a queue that was empty has an event──┘
//
// What an answered push survives is what the server's appendfsync and replication give, and --redis-wait asks for.
package redis
