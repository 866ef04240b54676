package report

// The plots, each of a file name's stem.
const (
	PlotPush     = "okqd-connections" // durable pushes per second
	PlotPushP99  = "okqd-latency"     // milliseconds
	PlotCall     = "api-connections"  // Enqueue per second
	PlotCallP99  = "api-latency"      // milliseconds
	PlotBacklog  = "backlog"          // microseconds an event
	PlotSendGrid = "sendgrid-latency" // mails per second
	PlotOutage   = "outage"           // millions of mails; of bench/sim
)

// Axes are what a plot is of.
type Axes struct{ Title, X, Y string }

// Plots are all of them, by stem.
var Plots = map[string]Axes{
	PlotPush:     {"Durable pushes of 1 KiB onto okqd's disk", "connections", "pushes per second"},
	PlotPushP99:  {"Durable pushes of 1 KiB onto okqd's disk", "connections", "99th of 100 is answered after (ms)"},
	PlotCall:     {"Enqueue of 1 KiB through pm-api onto okqd's disk", "connections", "calls per second"},
	PlotCallP99:  {"Enqueue of 1 KiB through pm-api onto okqd's disk", "connections", "99th of 100 is answered after (ms)"},
	PlotBacklog:  {"What the events that wait cost those that come", "events queued", "push, pop and ack, µs each"},
	PlotOutage:   {"SendGrid is away for an hour", "hours since then", "mails queued (millions)"},
	PlotSendGrid: {"One pm-worker with 256 in flight, ledger in MongoDB", "SendGrid answers after (ms)", "mails per second"},
}
