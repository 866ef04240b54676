// Package local is the engine of okqd that needs nothing else: one process, one directory.
//
// Order, leases, delays and counts live in memory; contents and what is needed to rebuild the rest live in a log on
// disk, see package journal.
//
//	connection ─Exec─▶ lock: change memory, add records to the batch ─▶ wait ─▶ read contents ─▶ reply
//	                                      │                              ▲
//	committer:                    takes the batch ──── write + fsync ────┘   while the next batch fills
//
// What holds at every instant, and why kill -9 loses and doubles nothing:
//
//  1. Memory and batches change together, under one lock, so the batches, in order, tell the same story as memory.
//  2. After a crash the disk has the changes from the first up to some one, and no later one.
//  3. No reply leaves before the batch that was last when the reply was decided is on disk. So nobody outside
//     knows of anything that a crash could take back: not a push, a lease, an ack, not even that an id is taken.
//  4. A lease is never shorter than asked, counted from the reply. In memory its deadline is moved when it is told.
//     On disk it is later by a margin, and no lease is told when the margin is over; see margin and settle.
//  5. What happens by the clock (a lease or a delay ends) goes into the batches too, so order survives a restart;
//     nobody waits for it, for a start works it out again from the deadlines.
package local
