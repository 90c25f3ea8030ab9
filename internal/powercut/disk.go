//go:build linux

package powercut

import (
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// sector is what a disk writes whole: a torn write ends at a multiple of it.
const sector = 512

// Options say what becomes, in a cut, of what was not synced.
type Options struct {
	// Keep is the part of the unsynced acts that survive: 0 none, 1 all.
	Keep float64
	// Torn is the part of the surviving writes of which only some sectors are left.
	Torn float64
	// Random decides which; it is used in Cut only. nil: the same each time.
	Random *rand.Rand
}

// A Disk is one file system in memory. Its methods may be called from any
// goroutine, also while it is mounted. Paths are relative, with slashes.
type Disk struct {
	fuse.RawFileSystem

	mu    sync.Mutex
	nodes map[uint64]*node
	last  uint64
	dead  bool

	pending []*act // names that are not durable yet, in order
	syncs   int

	lists    map[uint64][]fuse.DirEntry // open listings of directories
	lastList uint64
}

// node is a file, a directory or a socket.
type node struct {
	ino   uint64
	mode  uint32 // with its type
	mtime time.Time

	data   []byte  // of a file, as programs see it
	stable []byte  // as it is on the disk
	writes []write // not synced, in order

	names       map[string]*node // of a directory, as programs see it
	stableNames map[string]*node
}

// write is one change of a file's bytes; with data nil it sets the length to off.
type write struct {
	off  int64
	data []byte
}

// act is one change of names: what was at from (in fromDir) is taken from there,
// and put to to (in toDir). Either side may be absent.
type act struct {
	node    *node
	fromDir *node
	from    string
	toDir   *node
	to      string
}

// New makes an empty disk.
func New() *Disk {
	d := &Disk{RawFileSystem: fuse.NewDefaultRawFileSystem(), nodes: map[uint64]*node{}, lists: map[uint64][]fuse.DirEntry{}}
	d.make(fuse.S_IFDIR | 0o755) // the root is node 1
	return d
}

func (d *Disk) make(mode uint32) *node {
	d.last++
	n := &node{ino: d.last, mode: mode, mtime: time.Now()}
	if n.dir() {
		n.names, n.stableNames = map[string]*node{}, map[string]*node{}
	}
	d.nodes[n.ino] = n
	return n
}

func (n *node) dir() bool { return n.mode&syscall.S_IFMT == fuse.S_IFDIR }

// WriteFile puts a file on the disk, durable at once, with the directories it
// needs: it is the test's own, not the work of the program under test.
func (d *Disk) WriteFile(name string, data []byte, perm os.FileMode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir := d.mkdirs(path.Dir(name))
	n := d.make(fuse.S_IFREG | uint32(perm))
	n.data, n.stable = slices.Clone(data), slices.Clone(data)
	dir.names[path.Base(name)], dir.stableNames[path.Base(name)] = n, n
}

// MakeDir makes a directory and those above it, durable at once.
func (d *Disk) MakeDir(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mkdirs(name)
}

func (d *Disk) mkdirs(name string) *node {
	at := d.nodes[1]
	for part := range strings.SplitSeq(name, "/") {
		if part == "." || part == "" {
			continue
		}
		next := at.names[part]
		if next == nil {
			next = d.make(fuse.S_IFDIR | 0o755)
			at.names[part] = next
		}
		at.stableNames[part] = next
		at = next
	}
	return at
}

// Syncs is how often a file or directory was synced.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// Cut ends the disk and returns the one that is found when the power is back.
func (d *Disk) Cut(o Options) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	after := New()
	if o.Random == nil {
		o.Random = rand.New(rand.NewPCG(1, 1))
	}
	root := d.nodes[1]
	for _, a := range d.pending {
		if o.Random.Float64() < o.Keep {
			a.settle()
		}
	}
	after.copyFrom(after.nodes[1], root, o, map[*node]*node{root: after.nodes[1]})
	return after
}

// copyFrom copies what is on the disk under from.
func (d *Disk) copyFrom(to, from *node, o Options, known map[*node]*node) {
	for _, name := range sortedNames(from.stableNames) {
		n := from.stableNames[name]
		if n.mode&syscall.S_IFMT == syscall.S_IFSOCK {
			continue // nobody listens to it any more
		}
		twin := known[n]
		if twin == nil {
			twin = d.make(n.mode)
			twin.mtime = n.mtime
			known[n] = twin
			if n.dir() {
				d.copyFrom(twin, n, o, known)
			} else {
				twin.stable = n.afterCut(o)
				twin.data = slices.Clone(twin.stable)
			}
		}
		to.names[name], to.stableNames[name] = twin, twin
	}
}

func sortedNames(names map[string]*node) []string {
	var all []string
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// afterCut is what is left of a file's bytes.
func (n *node) afterCut(o Options) []byte {
	data := slices.Clone(n.stable)
	for _, w := range n.writes {
		if o.Random.Float64() >= o.Keep {
			continue
		}
		if w.data != nil && o.Random.Float64() < o.Torn {
			for off := 0; off < len(w.data); off += sector {
				if o.Random.IntN(2) == 0 {
					data = write{w.off + int64(off), w.data[off:min(off+sector, len(w.data))]}.apply(data)
				}
			}
			continue
		}
		data = w.apply(data)
	}
	return data
}

func (w write) apply(data []byte) []byte {
	if w.data == nil {
		return resized(data, w.off)
	}
	if end := w.off + int64(len(w.data)); end > int64(len(data)) {
		data = resized(data, end)
	}
	copy(data[w.off:], w.data)
	return data
}

func resized(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return data[:size]
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

// settle makes an act of names durable.
func (a *act) settle() {
	if a.fromDir != nil && a.fromDir.stableNames[a.from] == a.node {
		delete(a.fromDir.stableNames, a.from)
	}
	if a.toDir != nil {
		a.toDir.stableNames[a.to] = a.node
	}
}

// change performs an act of names and remembers it until it is synced.
func (d *Disk) change(a *act) {
	now := time.Now()
	if a.fromDir != nil {
		delete(a.fromDir.names, a.from)
		a.fromDir.mtime = now
	}
	if a.toDir != nil {
		a.toDir.names[a.to] = a.node
		a.toDir.mtime = now
	}
	d.pending = append(d.pending, a)
}

// syncFile makes the bytes of a file durable.
func (d *Disk) syncFile(n *node) {
	d.syncs++
	for _, w := range n.writes {
		n.stable = write{w.off, w.data}.apply(n.stable)
	}
	n.writes = nil
}

// syncDir makes the names of a directory durable.
func (d *Disk) syncDir(n *node) {
	d.syncs++
	var rest []*act
	for _, a := range d.pending {
		if a.fromDir == n || a.toDir == n {
			a.settle()
		} else {
			rest = append(rest, a)
		}
	}
	d.pending = rest
}

// ReadFile returns a file's bytes as programs see them, nil if there is none.
func (d *Disk) ReadFile(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.find(name); n != nil {
		return slices.Clone(n.data)
	}
	return nil
}

// List returns the names in a directory ("" is the root), sorted; none if there is no such directory.
func (d *Disk) List(name string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.find(name); n != nil {
		return sortedNames(n.names)
	}
	return nil
}

func (d *Disk) find(name string) *node {
	at := d.nodes[1]
	for part := range strings.SplitSeq(name, "/") {
		if part == "" {
			continue
		}
		if at = at.names[part]; at == nil {
			return nil
		}
	}
	return at
}

// Export writes everything that programs see into a real directory, with its time stamps.
func (d *Disk) Export(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nodes[1].export(dir)
}

func (n *node) export(to string) error {
	for _, name := range sortedNames(n.names) {
		child, at := n.names[name], path.Join(to, name)
		var err error
		switch child.mode & syscall.S_IFMT {
		case fuse.S_IFDIR:
			if err = os.MkdirAll(at, os.FileMode(child.mode).Perm()); err == nil {
				err = child.export(at)
			}
		case fuse.S_IFREG:
			if err = os.WriteFile(at, child.data, os.FileMode(child.mode).Perm()); err == nil {
				err = os.Chtimes(at, child.mtime, child.mtime)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
