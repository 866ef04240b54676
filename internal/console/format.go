package console

import (
	"fmt"
	"html/template"
	"strconv"
	"time"
)

// functions are what the templates call.
var functions = template.FuncMap{
	"count": count, "perSecond": perSecond, "ago": ago, "clock": clock, "stamp": stamp, "unix": unix, "outcomes": newOutcomes,
}

// count groups digits: 1,234,567.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// perSecond is a rate in as many digits as matter; – is not known.
func perSecond(rate float64) string {
	switch {
	case rate < 0:
		return "–"
	case rate == 0:
		return "0"
	case rate < 10:
		return strconv.FormatFloat(rate, 'f', 1, 64)
	}
	return count(int(rate + .5))
}

// ago is a length of time in its two largest units.
func ago(d time.Duration) string {
	switch s := int(d.Seconds()); {
	case d <= 0:
		return "–"
	case s < 1:
		return "< 1 s"
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%d d %d h", s/86400, s/3600%24)
	}
}

// clock is a time for people, in the console's own time zone.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// stamp is a time for programs.
func stamp(t time.Time) string { return t.Format(time.RFC3339) }

func unix(seconds int64) time.Time { return time.Unix(seconds, 0) }
