package stats

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A document is a record in MongoDB. Those of 0.4.0 end with err.
type document struct {
	ID         bson.ObjectID        `bson:"_id"`
	Recipient  string               `bson:"r"`
	Key        string               `bson:"rk,omitempty"` // recipientKey
	EmailFlags int64                `bson:"ef"`
	StateFlags int64                `bson:"s"`
	UniqueID   string               `bson:"uid"`
	Env        string               `bson:"se"`
	Created    time.Time            `bson:"tc"`
	Updated    time.Time            `bson:"ts"`
	Error      string               `bson:"err,omitempty"` // of the latest bounce or drop
	ErrorAt    time.Time            `bson:"ea,omitempty"`  // when that was
	State      State                `bson:"st"`
	Attempts   int                  `bson:"at"`
	Free       int                  `bson:"fr,omitempty"`
	Failed     int                  `bson:"nf,omitempty"`
	Failing    int64                `bson:"fd,omitempty"` // milliseconds
	Attempted  time.Time            `bson:"ta,omitempty"`
	Token      string               `bson:"tok,omitempty"`
	MessageID  string               `bson:"mid,omitempty"`
	Reason     string               `bson:"why,omitempty"`
	Evidence   map[string]time.Time `bson:"ev,omitempty"`
	Fold       string               `bson:"pf,omitempty"`
}

func (d *document) entry() *entry {
	e := &entry{
		Record: Record{
			ID: job.ID(d.ID.Hex()), Recipient: d.Recipient, EmailFlags: d.EmailFlags, StateFlags: d.StateFlags,
			UniqueID: d.UniqueID, Env: d.Env, Created: d.Created, Updated: d.Updated, Error: d.Error,
			State: d.State, Attempts: d.Attempts, Free: d.Free, Failed: d.Failed, Failing: time.Duration(d.Failing) * time.Millisecond, Attempted: d.Attempted, Token: d.Token,
			MessageID: d.MessageID, Reason: d.Reason, Evidence: d.Evidence, Fold: d.Fold,
		},
		reasonAt: d.ErrorAt,
	}
	if e.State == "" {
		e.State = Accepted // 0.4.0 wrote its records as it sent
	}
	return e
}

// newDocument is the document of a first attempt.
func newDocument(id bson.ObjectID, a Attempt) *document {
	return &document{
		ID: id, Recipient: a.Recipient, Key: recipientKey(a.Recipient), EmailFlags: a.EmailFlags, UniqueID: a.UniqueID, Env: a.Env,
		Created: a.Created, Updated: later(a.Created, a.At),
		State: Attempting, Attempts: a.Number, Attempted: a.At, Token: a.Token, Fold: a.Fold,
	}
}

func objectID(id job.ID) (bson.ObjectID, error) {
	if err := checkIDs(id); err != nil {
		return bson.NilObjectID, err
	}
	return bson.ObjectIDFromHex(string(id))
}

func objectIDs(ids []job.ID) ([]bson.ObjectID, error) {
	oids := make([]bson.ObjectID, len(ids))
	for i, id := range ids {
		oid, err := objectID(id)
		if err != nil {
			return nil, err
		}
		oids[i] = oid
	}
	return oids, nil
}
