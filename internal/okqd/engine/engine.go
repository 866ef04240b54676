// Package engine says what okqd asks of the thing that keeps its queues. The server turns commands into ops, an
// engine carries them out; internal/okqd/local is one, on this machine's disk.
//
// Of every event an engine holds, exactly one is true at any time: it is ready, delayed, or leased. An event that is
// none of these is gone.
package engine

import (
	"context"
	"errors"
	"time"
)

// Engine keeps queues of events.
type Engine interface {
	// Run serves until ctx ends, then releases everything. It returns early, with an error, when the engine can no
	// longer keep its promises; the process must end then.
	Run(ctx context.Context) error

	// Exec carries out ops in order, as if nothing else happened between them, and puts the outcome into each.
	// When it returns, whatever the results tell is durable, and stays so after kill -9.
	// It waits no longer than ctx lasts; then each Err is ErrUnconfirmed, and what was popped is ready again.
	// It returns how many it did: at least one, and fewer than all when the contents that it gives back
	// reach room.Budget bytes.
	Exec(ctx context.Context, ops []Op, room *Room) int

	// Scan returns ids of a queue's events, whatever they are at the moment, and the cursor to go on with. It begins
	// with "0" and is over when the cursor is "0" again. Each event that stays as it is for as long as the scan takes is
	// in it; one that becomes ready, delayed or leased meanwhile may be in it twice, or not at all. About count ids come
	// at a time. A cursor that is none is ErrCursor.
	Scan(ctx context.Context, queue, cursor string, count int) (ids [][]byte, next string, err error)

	// NewConsumer returns a consumer that is registered for no queue yet.
	NewConsumer() Consumer

	// QueueSet is the identity of the queues that the engine keeps: the same for all that serve the same queues, another
	// one for any others. "" is not known.
	QueueSet() string

	// Ready says why the engine cannot serve now, if so.
	Ready(ctx context.Context) error
}

// Consumer is one connection's interest in queues. It is used by one goroutine at a time.
type Consumer interface {
	// Register replaces the queues that this consumer is counted for.
	Register(ctx context.Context, queues []string) error

	// Notify returns a registered queue that has a ready event, waiting for one if need be until ctx ends;
	// then it returns "". A push between the look and the wait wakes it.
	Notify(ctx context.Context) (queue string, err error)

	// Close takes the consumer off all queues.
	Close()
}

// Kind is what an Op does.
type Kind uint8

// The kinds of Op, with the fields that matter to each. Flags left out count as false.
const (
	None    Kind = iota // nothing; Result is set already
	Push                // Queue ID Contents Front NoBlock Delay
	Peek                // Queue Front
	Find                // Queue ID
	Pop                 // Queue Lease Count
	Ack                 // Queue ID Token, or with Redo: Queue ID Token Delay Release
	Touch               // Queue ID Token Lease
	Flush               // Queue
	Status              // Queues
	Move                // Queue ID Token To NewID Contents, or with Keep no Contents; Delay
	Remove              // Queue ID
	Replace             // Queue ID Contents Delay
)

// Room is for the contents that are given back.
type Room struct {
	Budget int
	// Buf is appended to. What results tell may lie in it, so its owner must not use it again before they are done with.
	Buf []byte
	// Left tells whether the caller has left. An engine that had to wait for long asks before it gives events, and keeps
	// them if so. nil: it has not.
	Left func() bool
	// Reserve waits for memory for contents of this size. An engine that knows the size calls it before it reads them,
	// and answers ErrNoRoom for what it gives if that fails. nil: there is room for any.
	Reserve func(ctx context.Context, size int) error
}

// Op is one thing to do, and then its outcome. The byte slices are the caller's: an engine copies what it keeps.
type Op struct {
	Kind     Kind
	Front    bool // Push: as the next to pop; Peek: the next to pop
	NoBlock  bool // Push: rather ErrBusy than wait for room
	Redo     bool // Ack: not gone, but to the front of the queue
	Release  bool // Redo: the delivery does not count
	Keep     bool // Move: with the contents as they are
	Queue    []byte
	ID       []byte
	Contents []byte
	Token    []byte        // Ack, Touch, Move: only the lease that has this token; empty for the event in any state
	To       []byte        // Move: the queue to move to
	NewID    []byte        // Move: the event's id there
	Delay    time.Duration // Push, Redo, Move, Replace: not ready before it has passed
	Lease    time.Duration // Pop: 0 means that no ack is needed, the event is gone
	Count    int           // Pop: at most so many, 0 for one
	Queues   [][]byte      // Status: nil means all
	Result
}

// Result is the outcome of an Op.
type Result struct {
	Err    error
	OK     bool    // Ack, Touch, Move, Remove, Replace: there was such an event, and it was done
	Events []Event // Peek, Find, Pop
	Found  Found   // Find, of the event in Events
	Rows   []Row   // Status
}

// Found is how an event stands.
type Found struct {
	State State
	Due   time.Duration // until the lease or the delay ends
}

// State is what an event is at the moment.
type State uint8

// The states of an event.
const (
	Ready State = iota
	Leased
	Delayed
)

func (s State) String() string { return [...]string{"ready", "leased", "delayed"}[s] }

// Event is an event as a consumer sees it. The bytes belong to the receiver.
type Event struct {
	ID         []byte
	Contents   []byte
	Deliveries int    // this one included, so 1 for the first
	Token      string // Pop with a lease: names this lease, so that a later lease of the event is told from it
}

// Row is the state of one queue.
type Row struct {
	Queue                  string
	Ready, Leased, Delayed int
	Consumers              int
	OldestReady            time.Duration // how long the longest waiting ready event has been ready
}

// Total is the number of events that are not gone.
func (r Row) Total() int { return r.Ready + r.Leased + r.Delayed }

// What an Op's Err may be, besides an internal error whose text is for the log.
var (
	ErrDuplicate = errors.New("an event with this id is in the queue")
	ErrBusy      = errors.New("too busy")
	ErrNoRoom    = errors.New("no memory for the contents")
	ErrDiskFull  = errors.New("disk full")
	ErrEvicts    = errors.New("the store may evict events")
	ErrCursor    = errors.New("not a cursor")

	// The store took too long: perhaps done, perhaps not, but no event was given.
	ErrUnconfirmed = errors.New("not confirmed by the store in time")
)
