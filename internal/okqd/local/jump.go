package local

import "time"

// jumpLocked deals with a machine's clock that has jumped forward: the machine was suspended, or its clock was set; the two
// cannot be told apart. The engine's clock stood still meanwhile or went on as ever. ahead is how far the machine's clock is
// ahead of it now.
//
// A delay ends when it has passed by either clock, so that an email that was due while the machine was suspended goes out
// when it is back. A lease goes by the engine's clock alone, for a consumer may have been suspended with us; it is written
// down again, since a start after a crash would otherwise find it over by the machine's clock. A clock that is set back, and
// forward again up to where it was, changes nothing.
func (e *Engine) jumpLocked(now, ahead int64) {
	jump := ahead - e.ahead
	if jump < int64(jumpLeast) {
		return
	}
	e.ahead = ahead
	for _, ev := range e.due {
		if ev.state == delayed {
			ev.at -= jump
		} else {
			e.saveLocked(ev, now, time.Duration(ev.at-now))
		}
	}
	e.due.sort()
	e.log.Warn().Dur("jump_ms", time.Duration(jump)).Msg("machine's clock has jumped: delays end so much earlier")
}
