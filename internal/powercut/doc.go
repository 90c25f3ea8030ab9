// Package powercut is a disk that forgets: a FUSE file system in memory that knows
// what was synced and what was not, for tests that cut the power.
//
// # What it is for
//
// A program that is killed leaves the system's memory behind, and everything it
// wrote is found again. When the power goes, only what was synced must be there;
// of the rest anything may be, in any order. [Disk.Mount] shows the disk at a
// path to any program. [Disk.Cut] is the power cut: from that moment every call
// fails, and what it returns is the disk as a machine might find it afterwards.
//
// # What it promises
//
// The rules are those of POSIX and no kinder:
//
//   - The bytes of a file are durable after fsync (or fdatasync) of that file.
//   - A name in a directory (made, removed, renamed) is durable after fsync of
//     that directory. Syncing the file does not make its name durable.
//   - A rename is one act: after a cut it has happened or not, and it has when
//     either of its directories was synced.
//   - Everything else is kept or forgotten by [Options.Keep], each act by itself,
//     so later ones may survive earlier ones; of a write only some pages may be
//     left (torn), and of one page only a part.
//
// # What it does not do
//
// Links, extended attributes, permissions of others. It is for tests only, needs
// root and /dev/fuse, and is slower than a disk that remembers.
package powercut
