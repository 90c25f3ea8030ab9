//go:build linux

package powercut

import (
	"slices"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// This file answers the kernel. Every call takes the disk's lock: a cut comes
// between two calls and never within one.

// Mount shows the disk at dir until the returned function is called, which may
// be repeated. It needs root.
func (d *Disk) Mount(dir string) (unmount func(), err error) {
	server, err := fuse.NewServer(d, dir, &fuse.MountOptions{
		Name: "powercut", FsName: "powercut", DirectMountStrict: true, DisableXAttrs: true, DisableReadDirPlus: true,
	})
	if err != nil {
		return nil, err
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		return nil, err
	}
	return func() {
		if server.Unmount() != nil {
			_ = syscall.Unmount(dir, syscall.MNT_DETACH) // a program that is being killed still holds it
		}
	}, nil
}

// with runs do with the node of a call.
func (d *Disk) with(ino uint64, do func(*node) fuse.Status) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.nodes[ino]
	switch {
	case d.dead:
		return fuse.EIO
	case n == nil:
		return fuse.ENOENT
	}
	return do(n)
}

func (n *node) attr(out *fuse.Attr) {
	size := uint64(len(n.data))
	*out = fuse.Attr{Ino: n.ino, Size: size, Blocks: (size + 511) / 512, Mode: n.mode, Nlink: 1, Blksize: 4096}
	out.SetTimes(&n.mtime, &n.mtime, &n.mtime)
}

func (n *node) entry(out *fuse.EntryOut) fuse.Status {
	out.NodeId, out.Generation = n.ino, 1
	n.attr(&out.Attr)
	return fuse.OK
}

// Lookup and the methods below are the calls of a file system, see fuse(4).
func (d *Disk) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	return d.with(h.NodeId, func(dir *node) fuse.Status {
		if n := dir.names[name]; n != nil {
			return n.entry(out)
		}
		return fuse.ENOENT
	})
}

func (d *Disk) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return d.with(in.NodeId, func(n *node) fuse.Status {
		n.attr(&out.Attr)
		return fuse.OK
	})
}

func (d *Disk) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	return d.with(in.NodeId, func(n *node) fuse.Status {
		if mode, ok := in.GetMode(); ok {
			n.mode = n.mode&syscall.S_IFMT | mode&^uint32(syscall.S_IFMT)
		}
		if size, ok := in.GetSize(); ok && int64(size) != int64(len(n.data)) {
			n.data = resized(n.data, int64(size))
			n.writes = append(n.writes, write{off: int64(size)})
			n.mtime = time.Now()
		}
		if mtime, ok := in.GetMTime(); ok {
			n.mtime = mtime
		}
		n.attr(&out.Attr)
		return fuse.OK
	})
}

func (d *Disk) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.OK }

func (d *Disk) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	*out = fuse.StatfsOut{Blocks: 1 << 24, Bfree: 1 << 23, Bavail: 1 << 23, Files: 1 << 20, Ffree: 1 << 19, Bsize: 4096, NameLen: 255, Frsize: 4096}
	return fuse.OK
}

// add makes a node under a new name.
func (d *Disk) add(dir *node, name string, mode uint32) (*node, fuse.Status) {
	if dir.names[name] != nil {
		return nil, fuse.Status(syscall.EEXIST)
	}
	n := d.make(mode)
	d.change(&act{node: n, toDir: dir, to: name})
	return n, fuse.OK
}

func (d *Disk) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	return d.with(in.NodeId, func(dir *node) fuse.Status {
		n, status := d.add(dir, name, in.Mode)
		if !status.Ok() {
			return status
		}
		return n.entry(out)
	})
}

func (d *Disk) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return d.with(in.NodeId, func(dir *node) fuse.Status {
		n, status := d.add(dir, name, fuse.S_IFDIR|in.Mode)
		if !status.Ok() {
			return status
		}
		return n.entry(out)
	})
}

func (d *Disk) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return d.with(in.NodeId, func(dir *node) fuse.Status {
		n, status := d.add(dir, name, fuse.S_IFREG|in.Mode&0o7777)
		if !status.Ok() {
			return status
		}
		return n.entry(&out.EntryOut)
	})
}

func (d *Disk) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return d.with(h.NodeId, func(dir *node) fuse.Status {
		n := dir.names[name]
		if n == nil {
			return fuse.ENOENT
		}
		d.change(&act{node: n, fromDir: dir, from: name})
		return fuse.OK
	})
}

func (d *Disk) Rmdir(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return d.with(h.NodeId, func(dir *node) fuse.Status {
		n := dir.names[name]
		switch {
		case n == nil:
			return fuse.ENOENT
		case len(n.names) > 0:
			return fuse.Status(syscall.ENOTEMPTY)
		}
		d.change(&act{node: n, fromDir: dir, from: name})
		return fuse.OK
	})
}

const renameNoReplace = 1

func (d *Disk) Rename(_ <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	return d.with(in.NodeId, func(from *node) fuse.Status {
		to, n := d.nodes[in.Newdir], from.names[oldName]
		switch {
		case n == nil || to == nil:
			return fuse.ENOENT
		case in.Flags&^renameNoReplace != 0:
			return fuse.EINVAL
		case in.Flags&renameNoReplace != 0 && to.names[newName] != nil:
			return fuse.Status(syscall.EEXIST)
		}
		d.change(&act{node: n, fromDir: from, from: oldName, toDir: to, to: newName})
		return fuse.OK
	})
}

func (d *Disk) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	return d.with(in.NodeId, func(dir *node) fuse.Status {
		n := d.nodes[in.Oldnodeid]
		if n == nil {
			return fuse.ENOENT
		}
		if dir.names[name] != nil {
			return fuse.Status(syscall.EEXIST)
		}
		d.change(&act{node: n, toDir: dir, to: name})
		return n.entry(out)
	})
}

func (d *Disk) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return d.with(in.NodeId, func(n *node) fuse.Status {
		if in.Flags&syscall.O_TRUNC != 0 && len(n.data) > 0 {
			n.data = nil
			n.writes = append(n.writes, write{})
		}
		return fuse.OK
	})
}

func (d *Disk) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	var got []byte
	status := d.with(in.NodeId, func(n *node) fuse.Status {
		if in.Offset < uint64(len(n.data)) {
			got = slices.Clone(n.data[in.Offset:min(in.Offset+uint64(len(buf)), uint64(len(n.data)))])
		}
		return fuse.OK
	})
	return fuse.ReadResultData(got), status
}

func (d *Disk) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	return uint32(len(data)), d.with(in.NodeId, func(n *node) fuse.Status {
		w := write{int64(in.Offset), slices.Clone(data)}
		n.data = w.apply(n.data)
		n.writes = append(n.writes, w)
		n.mtime = time.Now()
		return fuse.OK
	})
}

func (d *Disk) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

func (d *Disk) Release(<-chan struct{}, *fuse.ReleaseIn) {}

func (d *Disk) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return d.with(in.NodeId, func(n *node) fuse.Status {
		d.syncFile(n)
		return fuse.OK
	})
}

func (d *Disk) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return d.with(in.NodeId, func(n *node) fuse.Status {
		d.syncDir(n)
		return fuse.OK
	})
}

// OpenDir keeps the names as they are, so that a long listing neither skips nor
// doubles one when others come and go meanwhile.
func (d *Disk) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return d.with(in.NodeId, func(n *node) fuse.Status {
		var list []fuse.DirEntry
		for i, name := range sortedNames(n.names) {
			list = append(list, fuse.DirEntry{Mode: n.names[name].mode, Name: name, Ino: n.names[name].ino, Off: uint64(i + 1)})
		}
		d.lastList++
		out.Fh = d.lastList
		d.lists[out.Fh] = list
		return fuse.OK
	})
}

func (d *Disk) ReleaseDir(in *fuse.ReleaseIn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.lists, in.Fh)
}

func (d *Disk) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return d.with(in.NodeId, func(*node) fuse.Status {
		list := d.lists[in.Fh]
		for _, e := range list[min(in.Offset, uint64(len(list))):] {
			if !out.AddDirEntry(e) {
				break
			}
		}
		return fuse.OK
	})
}
