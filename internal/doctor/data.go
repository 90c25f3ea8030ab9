package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"brodaemon/internal/account"
	"brodaemon/internal/queue"
	"brodaemon/internal/secret"
)

// Free space in the data folder: below least nothing works for long, below some
// it is time to look.
const (
	leastSpace = 200 << 20
	someSpace  = 2 << 30
)

// queueState is what the queue remembers of the folders, as far as it could be read.
type queueState struct {
	read    bool
	folders map[string]queue.FolderMemory // those that were used before
}

// checkAccount says who this is, and who it should be.
func (c *checker) checkAccount(t *track) {
	t.begin("account.current")
	me, err := account.Current()
	if err != nil {
		t.wrong("account.current", "account.unknown", "", plain(err))
		return
	}
	t.ok("account.current", "account.is", line(me.String()), me.ID, groupsOf(me))
	service, ok := account.Service()
	if !ok {
		service, err = account.OwnerOf(c.o.DataDir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				t.note("account.service", "account.service-unknown", "", plain(err))
			}
			service = me
		}
	}
	switch same := me.Same(service); {
	case same || ownedByAdministrators(service):
		t.ok("account.service", "account.same")
	case c.o.AsService:
		t.wrong("account.service", "account.other", runAsKey, line(service.String()), service.ID)
	default:
		t.note("account.service", "account.other", runAsKey, line(service.String()), service.ID)
	}
	if c.o.AsService {
		c.checkShareIdentity(t, service)
	}
}

// checkShareIdentity says what a file server sees of the service.
func (c *checker) checkShareIdentity(t *track, service account.Account) {
	switch {
	case service.Share != "":
		t.ok("account.share", "share.windows", line(service.String()), line(service.Share))
	case onWindows:
		t.wrong("account.share", "share.anonymous", "share.anonymous.fix", line(service.String()))
	default:
		t.ok("account.share", "share.unix", line(service.String()), service.ID, groupsOf(service))
	}
}

func groupsOf(a account.Account) string {
	all := a.Groups
	if a.Group != "" {
		all = append([]string{a.Group}, all...)
	}
	if len(all) == 0 {
		return "-"
	}
	return line(strings.Join(all, ", "))
}

// checkData looks at the data folder and the queue in it.
func (c *checker) checkData(t *track) {
	dir := c.o.DataDir
	t.begin("data.folder")
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.checkCreatable(t, dir)
		c.remember(queueState{read: true}) // it has none yet
		return
	case err != nil:
		t.wrong("data.folder", "data.unusable", "data.unusable.fix", plain(err))
		return
	case !info.IsDir():
		t.wrong("data.folder", "data.no-folder", "data.no-folder.fix", dir)
		return
	}
	t.ok("data.folder", "data.there", dir)
	if c.o.CheckDisk != nil {
		t.begin("data.disk")
		if err := c.o.CheckDisk(dir); err != nil {
			t.wrong("data.disk", "data.not-local", "data.not-local.fix", plain(err))
			return // the queue is not safe there, so it is left alone
		}
		t.ok("data.disk", "data.local")
	}
	c.checkSpace(t, dir)
	c.checkClosed(t, "data.closed", dir)
	if store := secret.StoreIn(dir).Dir(); exists(store) {
		c.checkClosed(t, "data.tokens", store)
	}
	c.checkWritable(t, dir)
	c.checkQueue(t, dir)
	c.checkAside(t, dir)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// checkCreatable tries a folder of another name where the data folder would be made.
func (c *checker) checkCreatable(t *track, dir string) {
	parent := nearestFolder(dir)
	probe := filepath.Join(parent, probeName())
	if err := os.Mkdir(probe, 0o700); err != nil {
		t.wrong("data.folder", "data.not-creatable", "data.not-creatable.fix", dir, plain(err))
		return
	}
	if err := os.Remove(probe); err != nil {
		t.wrong("data.folder", "probe.left", "probe.left.fix", probe, plain(err))
		return
	}
	t.note("data.folder", "data.absent", "data.absent.fix", dir)
}

// nearestFolder is the folder itself, or the nearest one above it that is there.
func nearestFolder(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func (c *checker) checkSpace(t *track, dir string) {
	t.begin("data.space")
	free, err := freeSpace(dir)
	switch {
	case err != nil:
		t.note("data.space", "space.unknown", "", plain(err))
	case free < leastSpace:
		t.wrong("data.space", "space.full", "space.full.fix", sizeOf(free))
	case free < someSpace:
		t.note("data.space", "space.little", "space.full.fix", sizeOf(free))
	default:
		t.ok("data.space", "space.good", sizeOf(free))
	}
}

func (c *checker) checkClosed(t *track, check, path string) {
	t.begin(check)
	who, err := secret.OpenTo(path)
	switch {
	case err != nil:
		t.wrong(check, "closed.unknown", "", path, plain(err))
	case who != "":
		t.wrong(check, "closed.no", "closed.fix", path, line(who), secret.RemedyFor(path))
	default:
		t.ok(check, "closed.yes", path)
	}
}

func (c *checker) checkWritable(t *track, dir string) {
	t.begin("data.write")
	probe := filepath.Join(dir, probeName())
	err := os.WriteFile(probe, []byte(probeText), 0o600)
	if removeErr := os.Remove(probe); err == nil {
		err = removeErr
	}
	if err != nil {
		t.wrong("data.write", "write.failed", "data.unusable.fix", plain(err))
		return
	}
	t.ok("data.write", "write.good")
}

// checkQueue opens the queue for reading, unless the daemon has it.
func (c *checker) checkQueue(t *track, dir string) {
	t.begin("data.queue")
	store, err := queue.Open(dir, queue.Options{ReadOnly: true})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.remember(queueState{read: true})
		t.ok("data.queue", "queue.none")
		return
	case errors.Is(err, queue.ErrLocked) && c.daemon.running:
		t.ok("data.queue", "queue.in-use", c.daemon.status.PID)
		return
	case errors.Is(err, queue.ErrLocked):
		t.wrong("data.queue", "queue.locked", "queue.locked.fix")
		return
	case errors.Is(err, queue.ErrDamaged):
		t.wrong("data.queue", "queue.damaged", "queue.damaged.fix", plain(err))
		return
	case err != nil:
		t.wrong("data.queue", "queue.unreadable", "data.unusable.fix", plain(err))
		return
	}
	defer store.Close()
	folders := map[string]queue.FolderMemory{}
	for _, f := range c.o.Folders {
		m, known, err := store.Folder(f.Name)
		if err != nil {
			t.wrong("data.queue", "queue.unreadable", "data.unusable.fix", plain(err))
			return
		}
		if known && m.Path == f.Path {
			folders[f.Name] = m
		}
	}
	c.remember(queueState{true, folders})
	aside, err := store.SetAside()
	switch {
	case err != nil:
		t.wrong("data.queue", "queue.unreadable", "data.unusable.fix", plain(err))
	case len(aside) > 0:
		t.wrong("data.queue", "queue.aside", "queue.aside.fix", len(aside))
	default:
		t.ok("data.queue", "queue.good")
	}
}

// checkAside mentions what a repair once set aside: it takes room, and may hold
// what somebody is still looking for.
func (c *checker) checkAside(t *track, dir string) {
	t.begin("data.aside")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.wrong("data.aside", "data.unusable", "data.unusable.fix", plain(err))
		return
	}
	var aside []string
	for _, e := range entries {
		if name := e.Name(); name != queue.FileName && strings.HasPrefix(name, queue.FileName+".") {
			aside = append(aside, line(name))
		}
	}
	if len(aside) > 0 {
		t.note("data.aside", "aside.some", "aside.some.fix", strings.Join(aside, ", "))
	}
}
