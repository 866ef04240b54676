// Package journal is a log in a directory: records are appended in batches, each synced before the next is written, and
// read by their position. It knows nothing of what the records mean.
//
// The log is cut into segments, files that are made beforehand with all their room and used again and again in place,
// so that a sync has contents to write and hardly anything else. A segment holds frames, and a frame whole records:
//
//	segment   frame frame frame … (what an earlier life of the file left)
//	frame     checksum 4, payload's checksum 4, length 4, behind 4, position 8, oldest 8, sample 4,
//	          zeros up to 64, payload, zeros up to a multiple of 64
//
// The sample is a checksum of the first bytes of each sector of the payload: a write that was cut short does not fit it.
//
// A position counts bytes since the log began, over all segments that ever were, and a frame says its own: what an earlier
// life left in a file is of a lower position and is never taken for a frame. Checksums begin with a secret of the
// directory, so nobody can push contents that look like a frame.
//
// What holds at every instant:
//
//  1. One batch is being written at a time, so the log is right up to some frame, and what is not is of that batch.
//  2. "behind" says how many bytes before the frame were of the same batch. What is not right although a later frame
//     says that it had been synced was damaged afterwards.
//  3. What no frame says to have been synced is written again when the log is opened, before anything else is written:
//     that it can be read does not mean that it is on the disk. So what is found once stays.
//  4. "oldest" is where the log begins, as it was when the batch before had been synced. A file is used again only
//     when a frame that no longer needs it has been synced.
//
// A journal has no lock of its own for what changes: the caller's lock must be held where the methods say so.
package journal
