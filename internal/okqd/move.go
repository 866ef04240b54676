package okqd

import "github.com/levenlabs/postmaster/internal/okqd/engine"

// parseMove parses QMOVE from id to newid [CONTENTS c] [DELAY ms] [LEASE token].
func parseMove(op *engine.Op, args [][]byte) (err error) {
	op.Kind, op.Queue, op.ID, op.To, op.NewID, op.Keep = engine.Move, args[0], args[1], args[2], args[3], true
	if err := checkNames(op); err != nil {
		return err
	}
	for rest := args[4:]; len(rest) > 0 && err == nil; {
		switch word := rest[0]; {
		case is(word, "CONTENTS"):
			if len(rest) < 2 {
				return errArgs
			}
			op.Contents, op.Keep, rest = rest[1], false, rest[2:]
		case is(word, "DELAY"):
			op.Delay, rest, err = parseDelay(rest)
		case is(word, "LEASE"):
			op.Token, rest, err = parseWord(rest)
		default:
			rest = rest[1:]
		}
	}
	return err
}

// parseRemove parses QREMOVE queue id.
func parseRemove(op *engine.Op, args [][]byte) error {
	op.Kind, op.Queue, op.ID = engine.Remove, args[0], args[1]
	return nil
}

// parseReplace parses QREPLACE queue id contents [DELAY ms].
func parseReplace(op *engine.Op, args [][]byte) (err error) {
	op.Kind, op.Queue, op.ID, op.Contents = engine.Replace, args[0], args[1], args[2]
	for rest := args[3:]; len(rest) > 0 && err == nil; {
		if is(rest[0], "DELAY") {
			op.Delay, rest, err = parseDelay(rest)
			continue
		}
		rest = rest[1:]
	}
	return err
}
