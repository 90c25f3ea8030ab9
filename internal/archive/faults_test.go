package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestSyncsPerDocument counts what costs most: one sync of a file and two of
// directories, and one more for each directory that had to be made.
func TestSyncsPerDocument(t *testing.T) {
	s := setup(t)
	var files, dirs int
	s.a.sys.syncFile = func(f *os.File) error { files++; return f.Sync() }
	s.a.sys.syncDir = func(dir string) error { dirs++; return syncDir(dir) }

	first := s.document("1", "a.xml", "one")
	s.check(first, mustPlace(s, first, callDone))
	if files != 1 || dirs != 4 { // done/ and its day are new
		t.Errorf("first document of the day: %d files and %d directories synced, want 1 and 4", files, dirs)
	}
	files, dirs = 0, 0
	second := s.document("2", "b.xml", "two")
	s.check(second, mustPlace(s, second, callDone))
	if files != 1 || dirs != 2 {
		t.Errorf("next document: %d files and %d directories synced, want 1 and 2", files, dirs)
	}
	files, dirs = 0, 0
	third := document("3", "c.xml", "three")
	s.check(third, mustPlace(s, third, callDone))
	if files != 2 || dirs != 2 {
		t.Errorf("from the spool: %d files and %d directories synced, want 2 and 2", files, dirs)
	}
}

// TestFaults: at each call to the system that can fail, it fails once. The error
// says what a person needs, nothing is lost or half there, and the next call ends well.
func TestFaults(t *testing.T) {
	full := func(f *os.File, p []byte) (int, error) {
		n, _ := f.Write(p[:len(p)/2])
		return n, &fs.PathError{Op: "write", Path: f.Name(), Err: sysFull}
	}
	renameTo := func(suffix string, err error) func(*system, func() bool) {
		return func(sys *system, now func() bool) {
			rename := sys.rename
			sys.rename = func(from, to string) error {
				if strings.HasSuffix(to, suffix) && now() {
					return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
				}
				return rename(from, to)
			}
		}
	}
	tests := map[string]struct {
		broken  func(sys *system, now func() bool)
		spool   bool // the original is gone
		kind    Kind
		cause   error
		visible bool // the document is still in the folder after the failed call
	}{
		"disk full while the receipt is written": {
			broken: func(sys *system, now func() bool) {
				write := sys.write
				sys.write = func(f *os.File, p []byte) (int, error) {
					if now() {
						return full(f, p)
					}
					return write(f, p)
				}
			},
			kind: Full, cause: sysFull, visible: true,
		},
		"disk full when the receipt is synced": {
			broken: func(sys *system, now func() bool) {
				sync := sys.syncFile
				sys.syncFile = func(f *os.File) error {
					if now() {
						return &fs.PathError{Op: "sync", Path: f.Name(), Err: sysFull}
					}
					return sync(f)
				}
			},
			kind: Full, cause: sysFull, visible: true,
		},
		"disk full while the spool is copied": {
			broken: func(sys *system, now func() bool) {
				write := sys.write
				sys.write = func(f *os.File, p []byte) (int, error) {
					if strings.HasSuffix(f.Name(), ".copy") && now() {
						return full(f, p)
					}
					return write(f, p)
				}
			},
			spool: true, kind: Full, cause: sysFull,
		},
		"no permission to take the original":        {broken: renameTo(".moved", sysDenied), kind: Permission, cause: fs.ErrPermission, visible: true},
		"the share goes when the original is taken": {broken: renameTo(".moved", sysGone), kind: Gone, cause: sysGone, visible: true},
		"the share goes when the receipt is named":  {broken: renameTo(".receipt.json", sysGone), kind: Gone, cause: sysGone},
		"no permission to name the document":        {broken: renameTo("put.xml", sysDenied), kind: Permission, cause: fs.ErrPermission},
		"the directory can't be synced": {
			broken: func(sys *system, now func() bool) {
				sync := sys.syncDir
				sys.syncDir = func(dir string) error {
					if filepath.Base(dir) == localDay && now() {
						return &fs.PathError{Op: "sync", Path: dir, Err: sysGone}
					}
					return sync(dir)
				}
			},
			kind: Gone, cause: sysGone,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // access denied is tried for two seconds on Windows
				s := setup(t)
				d := document("5", "put.xml", "<document>")
				if !tt.spool {
					s.save("put.xml", "<document>")
				}
				broken := true
				tt.broken(&s.a.sys, func() bool { return broken })
				_, err := s.a.Done(t.Context(), d, Receipt{}, settled)
				var fault *Error
				if !errors.As(err, &fault) || !errors.Is(err, tt.cause) {
					t.Fatalf("got %v, want an *Error caused by %v", err, tt.cause)
				}
				if fault.Kind != tt.kind || fault.Hint != dutch.hints[tt.kind] || fault.Op == "" || fault.Path == "" {
					t.Errorf("got %+v, want kind %s and its hint", fault, tt.kind)
				}
				for file, text := range s.tree() {
					if strings.HasSuffix(file, receiptSuffix) && !receiptOf([]byte(text), &d) {
						t.Errorf("half a receipt stands in %s: %q", file, text)
					}
				}
				if tt.visible && !exists(filepath.Join(s.path, "put.xml")) {
					t.Error("the document has left the folder")
				}
				broken = false
				s.check(d, mustPlace(s, d, callDone))
				if n := len(s.tree()); n != 2 {
					t.Errorf("%d files in the end, want 2", n)
				}
			})
		})
	}
}

// TestHeldForAMoment: a virus scanner has the file for a second.
func TestHeldForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		d := s.document("5", "put.xml", "<document>")
		start := time.Now()
		rename, held := s.a.sys.rename, 0
		s.a.sys.rename = func(from, to string) error {
			if time.Since(start) < time.Second {
				held++
				return &os.LinkError{Op: "rename", Old: from, New: to, Err: sysBusy}
			}
			return rename(from, to)
		}
		s.check(d, mustPlace(s, d, callDone))
		if held < 3 || held > 20 {
			t.Errorf("tried %d times in a second", held)
		}
	})
}

// TestHeldForLong: someone has the file open all day. The call comes back after
// two seconds, and at once when the program stops.
func TestHeldForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		d := s.document("5", "put.xml", "<document>")
		s.a.sys.rename = func(from, to string) error { return &os.LinkError{Op: "rename", Old: from, New: to, Err: sysBusy} }

		start := time.Now()
		_, err := s.a.Done(t.Context(), d, Receipt{}, settled)
		var fault *Error
		if !errors.As(err, &fault) || fault.Kind != InUse {
			t.Errorf("got %v, want kind %s", err, InUse)
		}
		if took := time.Since(start); took < patience || took > patience+time.Second {
			t.Errorf("came back after %v, want %v", took, patience)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start = time.Now()
		if _, err := s.a.Done(ctx, d, Receipt{}, settled); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("came back %v after the call, want at the end of the context", took)
		}
		if got := s.tree()[filepath.Join(s.path, "put.xml")]; got != "<document>" {
			t.Error("the original is not where it was")
		}
	})
}

// TestFolderGone: nothing is made where the share was.
func TestFolderGone(t *testing.T) {
	tests := map[string]func(s *site){
		"no such folder": func(s *site) { must(s.t, os.RemoveAll(s.path)) },
		"an empty mount point": func(s *site) {
			must(s.t, os.RemoveAll(s.path))
			must(s.t, os.Mkdir(s.path, 0o755))
		},
	}
	for name, lose := range tests {
		t.Run(name, func(t *testing.T) {
			s := setup(t, func(o *Options) { o.Marker = ".brodaemon-folder" })
			s.save(".brodaemon-folder", "zwolle")
			d := s.document("5", "put.xml", "<document>")
			e := Attempt{ID: "4", SHA256: sha("x"), Path: filepath.Join(s.failed, "x.xml"), Beside: filepath.Join(s.failed, "x.xml.reason.txt")}
			lose(s)
			_, doneErr := s.a.Done(t.Context(), d, Receipt{}, settled)
			_, failErr := s.a.Fail(t.Context(), d, Reason{}, settled)
			for _, err := range []error{doneErr, failErr, s.a.Settle(t.Context(), e)} {
				var fault *Error
				if !errors.As(err, &fault) || fault.Kind != Gone || !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("got %v, want kind %s", err, Gone)
				}
			}
			if entries, _ := os.ReadDir(s.path); len(entries) > 0 {
				t.Errorf("made where the share was: %v", entries)
			}
			s.save(".brodaemon-folder", "zwolle") // the share is back, without the file
			placed := mustPlace(s, d, callDone)
			if placed.SourceLeft != LeftGone || s.tree()[placed.Path] != "<document>" {
				t.Errorf("placed %+v", placed)
			}
		})
	}
}

// TestDirectoriesElsewhere: what done_dir lies in must be there, done_dir itself is made.
func TestDirectoriesElsewhere(t *testing.T) {
	elsewhere := func(o *Options) { o.DoneDir = filepath.Join(filepath.Dir(o.Path), "archive", "zwolle") }
	s := setup(t, elsewhere)
	d := s.document("5", "put.xml", "<document>")
	_, err := s.a.Done(t.Context(), d, Receipt{}, settled)
	var fault *Error
	if !errors.As(err, &fault) || fault.Kind != Gone {
		t.Errorf("got %v, want kind %s", err, Gone)
	}
	if exists(filepath.Dir(s.done)) {
		t.Error("the directory above done_dir was made")
	}
	must(t, os.Mkdir(filepath.Dir(s.done), 0o755))
	s.check(d, mustPlace(s, d, callDone))
}

// TestFileInTheWay: a file stands where a directory must be.
func TestFileInTheWay(t *testing.T) {
	s := setup(t)
	s.save("failed/sub", "a file")
	d := s.document("5", "sub/put.xml", "<document>")
	if _, err := s.a.Fail(t.Context(), d, Reason{}, settled); err == nil {
		t.Fatal("no error")
	}
	must(t, os.Remove(filepath.Join(s.failed, "sub")))
	s.check(d, mustPlace(s, d, callFail))
}

func TestSpoolFaults(t *testing.T) {
	lost := errors.New("spool file lost")
	tests := map[string]struct {
		spool func() (io.ReadCloser, error)
		cause error
	}{
		"can't be opened": {func() (io.ReadCloser, error) { return nil, lost }, lost},
		"other bytes":     {func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("<damaged >")), nil }, errSpoolDamaged},
		"cut short":       {func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("<docum")), nil }, errSpoolDamaged},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			d := document("5", "put.xml", "<document>")
			good := d.Spool
			d.Spool = tt.spool
			_, err := s.a.Done(t.Context(), d, Receipt{}, settled)
			var fault *Error
			if !errors.As(err, &fault) || fault.Kind != SpoolDamaged || !errors.Is(err, tt.cause) {
				t.Errorf("got %v, want kind %s", err, SpoolDamaged)
			}
			for file := range s.tree() {
				if strings.HasSuffix(file, ".xml") || strings.HasSuffix(file, ".copy") {
					t.Errorf("%s was left", file)
				}
			}
			d.Spool = good
			s.check(d, mustPlace(s, d, callDone))

			// with the original in its place the spool is not even opened
			s = setup(t)
			whole := s.document("6", "put.xml", "<document>")
			whole.Spool = func() (io.ReadCloser, error) { t.Error("the spool was opened"); return nil, lost }
			s.check(whole, mustPlace(s, whole, callDone))
		})
	}
}

// TestNewDirectoriesAreAsAccessibleAsTheFolder: a person who may save must be
// able to take a failed document out again, whatever umask the daemon has.
func TestNewDirectoriesAreAsAccessibleAsTheFolder(t *testing.T) {
	if filepath.Separator == '\\' {
		t.Skip("SKIPPED: Windows has no permission bits; access is inherited there")
	}
	s := setup(t)
	must(t, os.Chmod(s.path, 0o770|fs.ModeSetgid))
	d := s.document("5", "sub/put.xml", "<document>")
	placed := mustPlace(s, d, callFail)
	for file, want := range map[string]fs.FileMode{
		s.failed: 0o770, filepath.Dir(placed.Path): 0o770, placed.Beside: 0o660,
	} {
		fi, err := os.Stat(file)
		must(t, err)
		if fi.Mode().Perm() != want || fi.IsDir() && fi.Mode()&fs.ModeSetgid == 0 {
			t.Errorf("%s has mode %v, want %v", file, fi.Mode(), want)
		}
	}
}

// TestNameTooLongForTheFileSystem: an encrypted file system may allow 143 bytes.
func TestNameTooLongForTheFileSystem(t *testing.T) {
	s := setup(t)
	rename := s.a.sys.rename
	s.a.sys.rename = func(from, to string) error {
		if len(filepath.Base(to)) > 143 {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: sysTooLong}
		}
		return rename(from, to)
	}
	d := s.document("5", strings.Repeat("a", 139)+".xml", "<document>")
	placed := mustPlace(s, d, callDone)
	s.check(d, placed)
	if want := strings.Repeat("a", shortLimit-4) + ".xml"; filepath.Base(placed.Path) != want {
		t.Errorf("named %s, want %s", filepath.Base(placed.Path), want)
	}
	again := mustPlace(s, d, callDone)
	if again.Path != placed.Path || len(s.tree()) != 2 {
		t.Errorf("repeated: %+v, want %+v", again, placed)
	}
}

// TestRealOtherVolume moves between two real file systems, if the machine has them.
func TestRealOtherVolume(t *testing.T) {
	const memory = "/dev/shm"
	other, err := os.MkdirTemp(memory, "brodaemon-test-")
	if err != nil {
		t.Skipf("SKIPPED: no second file system to move to: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(other) })
	s := setup(t, func(o *Options) { o.DoneDir = other })
	probe := filepath.Join(s.path, "probe")
	must(t, os.WriteFile(probe, nil, 0o644))
	if err := renameNoReplace(probe, filepath.Join(other, "probe")); !otherVolume(err) {
		t.Skipf("SKIPPED: %s is not another file system than %s: %v", memory, s.path, err)
	}
	must(t, os.Remove(probe))
	d := s.document("5", "put.xml", "<document>")
	d.Companions = []string{"put.xml.note.txt"}
	s.save("put.xml.note.txt", "a note")
	placed := mustPlace(s, d, callDone)
	s.check(d, placed)
	if !placed.FromSpool || placed.SourceLeft != "" || exists(filepath.Join(s.path, "put.xml")) {
		t.Errorf("placed %+v, want a copy and the original removed", placed)
	}
	if len(placed.CompanionsLeft) != 1 || !exists(filepath.Join(s.path, "put.xml.note.txt")) {
		t.Errorf("companions left: %q, want the note, in the folder", placed.CompanionsLeft)
	}
}

// TestRenameNoReplace is the system call itself, and the ways without it.
func TestRenameNoReplace(t *testing.T) {
	ways := map[string]func(a *Archive, from, to string) error{
		"system": func(_ *Archive, from, to string) error { return renameNoReplace(from, to) },
		"reservation": func(a *Archive, from, to string) error {
			return a.moveReserved(from, to, "reserved: brodaemon 1")
		},
	}
	for name, rename := range ways {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			from, to := filepath.Join(s.path, "from"), filepath.Join(s.path, "to")
			s.save("from", "new")
			s.save("to", "old")
			if err := rename(s.a, from, to); !errors.Is(err, fs.ErrExist) {
				t.Errorf("got %v, want that the name is taken", err)
			}
			if got := s.tree(); got[to] != "old" || got[from] != "new" {
				t.Errorf("files: %q", got)
			}
			must(t, os.Remove(to))
			must(t, rename(s.a, from, to))
			if got := s.tree(); !maps.Equal(got, map[string]string{to: "new"}) {
				t.Errorf("files: %q", got)
			}
			if err := rename(s.a, from, filepath.Join(s.path, "third")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v, want that there is no such file", err)
			}
			if exists(filepath.Join(s.path, "third")) {
				t.Error("a failed renaming left a file")
			}
		})
	}
}

// TestOneOfManyGetsTheName: the promise that everything here rests on.
func TestOneOfManyGetsTheName(t *testing.T) {
	ways := map[string]func(s *site){"system": func(*site) {}, "reservation": withoutNoReplace}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			way(s)
			var won atomic.Int32
			done := make(chan struct{})
			const n = 16
			for i := range n {
				id := string(rune('a' + i))
				s.save(id, id)
				go func() {
					defer func() { done <- struct{}{} }()
					err := s.a.move(t.Context(), filepath.Join(s.path, id), filepath.Join(s.path, "name"), "reserved: "+id)
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, fs.ErrExist) {
						t.Error(err)
					}
				}()
			}
			for range n {
				<-done
			}
			if won.Load() != 1 || len(s.tree()) != n {
				t.Errorf("%d got the name, %d files are left of %d", won.Load(), len(s.tree()), n)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	s := setup(t, func(o *Options) { o.Language = "en" })
	err := s.a.wrap("write the receipt", "/x", &fs.PathError{Op: "write", Path: "/x/y.tmp", Err: sysFull})
	if want := "archive: write the receipt: write /x/y.tmp: " + sysFull.Error(); err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if again := s.a.wrap("file it", "/z", err); again != err {
		t.Errorf("wrapped twice: %v", again)
	}
	var fault *Error
	if !errors.As(err, &fault) || fault.Hint != english.hints[Full] {
		t.Errorf("hint %q, want the English one", fault.Hint)
	}
}
