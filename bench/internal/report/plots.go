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
type Axes struct {
	Title, X, Y     string
	FallsToTheRight bool // there is room for the legend
}

// Plots are all of them, by stem.
var Plots = map[string]Axes{
	PlotPush:     {Title: "Durable pushes of 1 KiB onto okqd's disk", X: "connections", Y: "pushes per second"},
	PlotPushP99:  {Title: "Durable pushes of 1 KiB onto okqd's disk", X: "connections", Y: "99th of 100 is answered after (ms)"},
	PlotCall:     {Title: "Enqueue of 1 KiB through pm-api onto okqd's disk", X: "connections", Y: "calls per second"},
	PlotCallP99:  {Title: "Enqueue of 1 KiB through pm-api onto okqd's disk", X: "connections", Y: "99th of 100 is answered after (ms)"},
	PlotBacklog:  {Title: "What the events that wait cost those that come", X: "events queued", Y: "push, pop and ack, µs each"},
	PlotOutage:   {Title: "SendGrid is away for an hour", X: "hours since then", Y: "mails queued (millions)", FallsToTheRight: true},
	PlotSendGrid: {Title: "One pm-worker with 256 in flight, ledger in MongoDB", X: "SendGrid answers after (ms)", Y: "mails per second", FallsToTheRight: true},
}
