// Package okq is a client of okq: named queues of events on a server, where nothing that was acknowledged is lost and
// an event that was popped comes back unless it is acked. It takes the place of okq-go and keeps its words.
//
//	producer ──Push──▶ [ back … queue … front ] ──Pop, with a lease──▶ consumer ──Ack──▶ gone
//	                                   ▲                                  │
//	                                   └── Redo, or the lease runs out ───┘
//
// An event has an ID, which its producer gives it. While an event is in a queue, waiting or leased, a second one of the
// same ID is refused with ErrDuplicate. That makes a push that failed safe to repeat.
//
// Delivery is at least once: a consumer that dies, or whose lease runs out, has the event delivered again, to itself or
// to another. Handlers have to bear that.
//
// # Client
//
// A [Client] is safe for use by many goroutines. Their commands share a few connections, in pipelines. It connects when
// it is first used, goes on to the next of its addresses when one is away, and fails calls with [ErrUnavailable] at once
// while none can be reached, trying again at growing intervals, a second at most. All addresses must lead to the same
// queues.
//
// # Consumer
//
// A [Consumer] pops batches of events from several queues, by weight, and hands them to a handler, with a bound on how
// many are unfinished at a time. A slot is free again as soon as its [Delivery] is acked or redone, so popping goes on
// while the rest of the batch is worked on. While all queues are empty it waits for the server's word, with a poll each
// second as a net.
//
//	Gate ─▶ free slots ─▶ Pop ─▶ Handle ─▶ Ack, or Redo with a delay
//	                        │
//	                        └─ leases are extended until each delivery is finished
//
// A delivery's Context ends when its lease is lost. What was begun with it should end then too, because the event may
// be with another consumer.
//
// # Servers
//
// The client works with the original okq of 2016 and with okqd, which has delays, batched pops with a count of
// deliveries, and extension of leases. It asks each server what it can ([Client.Caps]) and does without:
//
//	               okqd                       the original okq
//	Pop of n       one command                n commands in one pipeline
//	Deliveries     counted from 1             0
//	Redo, delay d  visible after d            the lease runs out
//	Push, delay d  visible after d            ErrNoDelay
//	lease          extended while unfinished  Context has its deadline
//	Find, Scan     any event, left in place   ErrNoFind, ErrNoScan
//	Delivery.Ack   acts on its own lease      removes the event, even if it was put back
//	Move           in one step                ErrNoMove
//	Remove         of what is not leased      ErrNoRemove, and ErrNoReplace for Replace
//
// The original does not restart a lease at Redo without a delay: the next consumer has what is left of the old one.
package okq
