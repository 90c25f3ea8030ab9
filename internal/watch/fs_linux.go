package watch

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func init() {
	for _, errno := range []unix.Errno{unix.ENOKEY, unix.EKEYEXPIRED, unix.EKEYREVOKED, unix.EKEYREJECTED} {
		errnoTexts[errno] = explanation{CauseSignOn, AdviceTicket}
	}
	errnoTexts[unix.EREMOTEIO] = explanation{CauseUnreachable, AdviceServer}
}

// remoteNames are the file systems on which changes made elsewhere cause no events. The numbers are from statfs(2) and the kernel's sources.
var remoteNames = map[int64]string{
	unix.CIFS_SUPER_MAGIC:   "cifs",
	unix.SMB2_SUPER_MAGIC:   "smb",
	unix.SMB_SUPER_MAGIC:    "smb",
	unix.NFS_SUPER_MAGIC:    "nfs",
	unix.FUSE_SUPER_MAGIC:   "fuse",
	unix.V9FS_MAGIC:         "9p",
	unix.AFS_SUPER_MAGIC:    "afs",
	unix.AFS_FS_MAGIC:       "afs",
	unix.CEPH_SUPER_MAGIC:   "ceph",
	unix.CODA_SUPER_MAGIC:   "coda",
	unix.NCP_SUPER_MAGIC:    "ncp",
	unix.OCFS2_SUPER_MAGIC:  "ocfs2",
	unix.AUTOFS_SUPER_MAGIC: "autofs",
	0x01161970:              "gfs2",
	0x0bd00bd0:              "lustre",
	0x47504653:              "gpfs",
	0x786f4256:              "vboxsf",
	0xbacbacbc:              "vmhgfs",
}

// leaseNames are the local file systems where a lease tells truly whether anybody is writing.
var leaseNames = map[int64]bool{
	unix.EXT4_SUPER_MAGIC:  true,
	unix.XFS_SUPER_MAGIC:   true,
	unix.BTRFS_SUPER_MAGIC: true,
	unix.TMPFS_MAGIC:       true,
}

// fileSystemOf gives the number of the file system that an open file is on; 0 if it cannot be had.
func fileSystemOf(f *os.File) int64 {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0
	}
	var st unix.Statfs_t
	var statErr error
	if err := conn.Control(func(fd uintptr) { statErr = unix.Fstatfs(int(fd), &st) }); err != nil || statErr != nil {
		return 0
	}
	return int64(st.Type) & 0xffffffff // some architectures have it signed, in 32 bits
}

// remoteFileSystem gives the name of the network file system that the folder is on, or "".
func remoteFileSystem(root *os.Root) string {
	dir, err := root.Open(".")
	if err != nil {
		return ""
	}
	defer dir.Close()
	return remoteNames[fileSystemOf(dir)]
}

// hasWriter says whether another program has the file open for writing. It asks for a read lease, which the system refuses in that case, and
// gives it back at once. Where leases cannot be had or mean nothing the answer is no.
func hasWriter(f *os.File) bool {
	if !leaseNames[fileSystemOf(f)] {
		return false
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var leaseErr error
	err = conn.Control(func(fd uintptr) {
		if _, leaseErr = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK); leaseErr == nil {
			_, _ = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
		}
	})
	return err == nil && errors.Is(leaseErr, unix.EAGAIN)
}

// eventLimit names the system limit that err is about, or "".
func eventLimit(err error) string {
	const advice = "events are not available: the limit %s (%s) of this machine is reached; raise it with: sysctl -w %s=NUMBER"
	switch {
	case errors.Is(err, unix.ENOSPC):
		return fmt.Sprintf(advice, "fs.inotify.max_user_watches", "directories watched", "fs.inotify.max_user_watches")
	case errors.Is(err, unix.EMFILE):
		return fmt.Sprintf(advice, "fs.inotify.max_user_instances", "watchers per user", "fs.inotify.max_user_instances")
	default:
		return ""
	}
}
