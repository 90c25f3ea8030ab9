//go:build linuxroot

package faults

import (
	"context"
	"os"
	"path"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// faultFS is a FUSE file system, served by the test itself, that shows another
// directory and fails or blocks where it is told to.
type faultFS struct {
	at, backing string

	mu    sync.Mutex
	rules map[*rule]bool
}

// rule makes one kind of call fail. name is a pattern for the base name it is
// about (of a rename: the old one), the root being ".".
type rule struct {
	op, name string
	after    int // calls that pass first: entries, for readdir
	errno    syscall.Errno
	block    chan struct{} // wait for this instead
	met      int
}

// mountFaults mounts one over a new directory. It is gone at the end of the test.
func mountFaults(t testing.TB, at string) *faultFS {
	t.Helper()
	backing := t.TempDir()
	mustDo(t, os.Chmod(backing, 0o755))
	return mountFaultsOf(t, at, backing)
}

// mountFaultsOf shows a given directory.
func mountFaultsOf(t testing.TB, at, backing string) *faultFS {
	t.Helper()
	f := &faultFS{at: at, backing: backing, rules: map[*rule]bool{}}
	root := &fs.LoopbackRoot{Path: f.backing}
	top := &node{fs: f, LoopbackNode: fs.LoopbackNode{RootData: root}}
	root.RootNode = top
	server, err := fs.Mount(at, top, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, FsName: "brodaemon-faults", Name: "faults", AllowOther: true,
	}})
	if err != nil {
		t.Skipf("SKIPPED: mount a FUSE file system: %v", err)
	}
	t.Cleanup(func() {
		f.heal()
		_ = unix.Unmount(at, unix.MNT_DETACH)
		server.Wait()
	})
	return f
}

// fail makes calls fail until undo.
func (f *faultFS) fail(op, name string, errno syscall.Errno) (undo func()) {
	return f.add(&rule{op: op, name: name, errno: errno})
}

// hang makes calls wait until undo.
func (f *faultFS) hang(op, name string) (undo func()) {
	return f.add(&rule{op: op, name: name, block: make(chan struct{})})
}

func (f *faultFS) add(r *rule) (undo func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules[r] = true
	return func() { f.drop(r) }
}

func (f *faultFS) drop(r *rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rules[r] && r.block != nil {
		close(r.block)
	}
	delete(f.rules, r)
}

// heal undoes everything.
func (f *faultFS) heal() {
	f.mu.Lock()
	rules := f.rules
	f.rules = map[*rule]bool{}
	f.mu.Unlock()
	for r := range rules {
		if r.block != nil {
			close(r.block)
		}
	}
}

// meet is asked before each call. n is how manieth entry of a listing it is.
func (f *faultFS) meet(op, name string, n int) syscall.Errno {
	var found *rule
	f.mu.Lock()
	for r := range f.rules {
		ok, _ := path.Match(r.name, name)
		if ok && (r.op == op || r.op == "*") && n >= r.after {
			r.met++
			found = r
		}
	}
	f.mu.Unlock()
	switch {
	case found == nil:
		return 0
	case found.block != nil:
		<-found.block
		return 0
	}
	return found.errno
}

// node is one file or directory of it.
type node struct {
	fs.LoopbackNode
	fs *faultFS
}

// WrapChild makes every file and directory below one of these.
func (n *node) WrapChild(context.Context, fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{fs: n.fs, LoopbackNode: fs.LoopbackNode{RootData: n.RootData}}
}

func (n *node) name() string {
	if rel := n.Path(nil); rel != "" {
		return path.Base(rel)
	}
	return "."
}

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.fs.meet("lookup", name, 0); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Lookup(ctx, name, out)
}

func (n *node) Getattr(ctx context.Context, h fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if errno := n.fs.meet("getattr", n.name(), 0); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Getattr(ctx, h, out)
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.fs.meet("open", n.name(), 0); errno != 0 {
		return nil, 0, errno
	}
	return n.LoopbackNode.Open(ctx, flags)
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.fs.meet("create", name, 0); errno != 0 {
		return nil, nil, 0, errno
	}
	return n.LoopbackNode.Create(ctx, name, flags, mode, out)
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.fs.meet("mkdir", name, 0); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if errno := n.fs.meet("rename", name, 0); errno != 0 {
		return errno
	}
	if errno := n.fs.meet("rename-to", newName, 0); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if errno := n.fs.meet("unlink", name, 0); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.fs.meet("opendir", n.name(), 0); errno != 0 {
		return nil, 0, errno
	}
	h, flags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &listing{FileHandle: h, node: n}, flags, 0
}

// listing is an open directory.
type listing struct {
	fs.FileHandle
	node *node
	n    int
}

func (l *listing) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	if errno := l.node.fs.meet("readdir", l.node.name(), l.n); errno != 0 {
		return nil, errno
	}
	l.n++
	return l.FileHandle.(fs.FileReaddirenter).Readdirent(ctx)
}

func (l *listing) Releasedir(ctx context.Context, flags uint32) {
	l.FileHandle.(fs.FileReleasedirer).Releasedir(ctx, flags)
}

func (l *listing) Seekdir(ctx context.Context, off uint64) syscall.Errno {
	if off == 0 {
		l.n = 0
	}
	return l.FileHandle.(fs.FileSeekdirer).Seekdir(ctx, off)
}

func (l *listing) Fsyncdir(ctx context.Context, flags uint32) syscall.Errno {
	return l.FileHandle.(fs.FileFsyncdirer).Fsyncdir(ctx, flags)
}
