// Package watch looks after one folder and hands each file that has settled there to a handler, for months on end, on local disks and on
// network shares.
//
// # What it is for
//
// Make a [Folder] with [New], let it live in [Folder.Run], and receive each settled file as an [Arrival] in Options.Accept. The answer, a
// [Decision], says whether the file is taken, not ready yet, or to be offered again. [Folder.State] says at any moment whether the folder can
// be read, and why each file that still lies there has not been taken. Any number of folders may live in one process; they share nothing.
//
// # What it promises
//
//   - Scans decide, events only hurry them. Each scan opens the folder, reads its marker, lists it and looks at every file. Without events
//     (network file systems, or Options.Poll) everything still arrives, only later by at most the scan interval.
//   - A file has settled when its size, its time and the file itself were the same at two looks that lie Options.Settle apart on our own
//     monotonic clock. File times are compared with each other only, never with a clock: old, future and skewed times do not matter.
//   - A folder that cannot be read is offline, never empty. It must hold the marker file ([MarkerName]) that was written at first use; an
//     empty mount point does not, and then nothing is taken and nothing is forgotten.
//   - A listing that broke off adds what it showed and removes nothing. One bad entry never hides the others.
//   - Links, folders, pipes and devices are never taken, nor are temporary and system names, nor brodaemon's own files and companion files.
//     What lies there and is never taken is named in State.Ignored, so that nothing is silently overlooked.
//   - A share call that never returns makes the folder offline ("does not answer"), is never doubled by a second one, and does not delay the
//     end of Run. The goroutine that is caught in it is left behind, and goes on when the call returns.
//
// # What it does not do
//
// It remembers nothing on disk. After a restart every file that still lies in the folder is offered again, and so may be a file that an
// interrupted listing missed once; the handler must know by itself that it already has these bytes from this path. It does not read, move or
// remove files; whoever moves one away tells it with [Folder.Forget]. A file that is overwritten with other content of the same size and the
// same file time looks unchanged.
//
// # How it works inside
//
// Run starts one worker goroutine, the only one that touches the share: it scans, settles and calls Accept, in a straight line (worker.go).
// Run itself only receives the worker's reports and watches its heartbeat, so that it can say that a share does not answer and can end
// without waiting for it. A listener goroutine drains the event source and does nothing but wake the worker.
//
// Each folder has an event source of its own, for the sake of isolation: a watcher that fails or is re-made, or on Windows one whose only
// thread is caught in a dead share, concerns no other folder. Where the system grants no more of them (Linux: 128 per user unless
// fs.inotify.max_user_instances says otherwise) the folder is polled, and says so.
package watch
