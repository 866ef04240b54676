// Package archive keeps webhook POSTs in files, to be fed to the queue once more when a fold went wrong or a database
// was restored from an old backup. It is a convenience: what it cannot write is told, and holds nobody up.
//
// A file is a row of zstd frames, one POST each, and `zstd -dc` prints their bodies one after another. Before each
// stands a skippable frame, which zstd ignores, with what is to be known of the POST:
//
//	0x184D2A5B  16  when it came  length of the zstd frame  CRC-32C of the two
//	uint32  uint32  int64, ns     uint32                    uint32, all little-endian
//
// The magic number is one more for a POST whose signature was good, and two more for a one-click unsubscribe, whose body is
// pm-hooks' own event.
//
// Files are only ever appended to, and each process begins its own. A process that is killed leaves at most half a
// frame at the end of its last file, which readers skip. Power loss may cost what the kernel had not written yet.
package archive
