// Package connlimit is the one policy by which all listeners treat connections of strangers: clients that have not yet
// shown who they are, or whose request has not yet arrived. A stranger costs little, has a short time, and gives way to
// the next one.
//
//	ln := connlimit.Listen(inner, connlimit.Policy{Max: 512}, connlimit.NewMetrics("pm_hooks"))
//	ln.Attach(srv)                                  // HTTP: srv.Serve(ln), or ServeTLS
//
// In the handler of an HTTP server:
//
//	c := connlimit.Of(r)                            // never nil
//	if !passwordGood(r) {
//		c.Wrong(r.Context())                        // waits a little, longer each time
//		connlimit.Refuse(w)                         // closes after the answer; the body is not read
//		http.Error(w, "…", http.StatusUnauthorized)
//		return
//	}
//	c.Admit()                                       // no stranger until this request has ended
//	r = connlimit.PaceBody(w, r, connlimit.Pace{})  // a body that is slower is cut off
//
// A server that demands no credential calls Admit once the request has arrived. A server of another protocol finds the
// Conn with ConnOf, calls Admit once per connection, and closes the connection when Wrong returns true.
//
// More connections than Policy allows are not refused: they wait until a connection ends, or take the place of a
// stranger. The one that goes is idle, or else the slowest of those that had a second, of the peer that has most. So
// nobody who sends at the pace of a network is closed, and nobody waits for strangers longer than that second.
// Where memory for requests is short, Reclaim closes the slowest stranger in the same way.
package connlimit
