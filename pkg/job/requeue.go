package job

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
)

// A job remembers how often it died, so that each of its dead letters has an id of its own: an operator who acts on one
// letter never means the next. The job's number of deaths is a member of it, "deaths". A job that is no JSON object, such
// as a batch of events, has it in the id of its event instead: <id>.2 has died once.

var (
	ownDeaths = regexp.MustCompile(`,"deaths":\d+}\s*$`)
	numbered  = regexp.MustCompile(`^(.+)\.([1-9]\d{0,8})$`)
)

// Deaths is how often the job of an event has died and was requeued.
func Deaths(eventID string, contents []byte) int {
	if isObject(contents) {
		var j struct {
			Deaths int `json:"deaths"`
		}
		if json.Unmarshal(contents, &j) != nil {
			return 0
		}
		return max(j.Deaths, 0)
	}
	_, n := splitNumber(eventID)
	return max(n-1, 0)
}

// LetterID is the id of a job's nth dead letter: that of the job for the first, <id>.<n> after.
func LetterID(eventID string, contents []byte, n int) string {
	if !isObject(contents) {
		eventID, _ = splitNumber(eventID)
	}
	if n <= 1 {
		return eventID
	}
	return eventID + "." + strconv.Itoa(n)
}

// EmailID is the id of the email or batch of events that a letter is about.
func EmailID(letterID string) string {
	id, _ := splitNumber(letterID)
	return id
}

// Requeued returns the id and contents of the event that a requeue of the letter makes.
func (d *DeadLetter) Requeued() (eventID string, contents []byte) {
	deaths := max(d.Deaths, 1)
	contents = d.Contents()
	if !isObject(contents) {
		return LetterID(d.ID, contents, deaths+1), contents
	}
	if own := ownDeaths.FindIndex(contents); own != nil {
		contents = append(bytes.Clone(contents[:own[0]]), '}')
	}
	end := bytes.LastIndexByte(contents, '}')
	head := bytes.TrimRight(contents[:end], " \t\r\n")
	comma := ","
	if bytes.HasSuffix(head, []byte("{")) && len(bytes.TrimSpace(head)) == 1 {
		comma = ""
	}
	return d.ID, []byte(string(head) + comma + `"deaths":` + strconv.Itoa(deaths) + "}")
}

func isObject(contents []byte) bool {
	trimmed := bytes.TrimLeft(contents, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(contents)
}

func splitNumber(id string) (string, int) {
	m := numbered.FindStringSubmatch(id)
	if m == nil {
		return id, 0
	}
	n, _ := strconv.Atoi(m[2]) // digits, few enough
	return m[1], n
}
