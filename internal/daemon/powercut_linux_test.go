//go:build linuxroot

package daemon_test

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"brodaemon/internal/daemon"
	"brodaemon/internal/powercut"
	"brodaemon/internal/queue"
	"brodaemon/internal/sandbox"
)

var (
	cutDocs = flag.Int("cut.docs", 40, "documents of the power cuts")
	cutCuts = flag.Int("cut.cuts", 40, "times the power goes, at least")
)

// TestPowerCut imitates a machine that stops at once: the program is killed, and
// of what it wrote only what it synced is certain to be found again. Queue,
// spool, folder and archive all lie on that disk.
func TestPowerCut(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a file system")
	}
	seed := cmp.Or(*campaignSeed, rand.Uint64())
	t.Logf("-crash.seed=%d", seed)
	c := newBareCampaign(t, seed)
	disk := powercut.New()
	disk.WriteFile("secret", []byte(sandbox.DefaultSecret), 0o600)
	disk.WriteFile("config.yaml", c.text(), 0o600)
	disk.MakeDir("inbox")
	// a document is there for good once its writer said so: it is the users' disk
	c.put = func(name string, data []byte) { disk.WriteFile("inbox/"+name, data, 0o644) }

	syncs := 0
	for saved := 0; saved < *cutDocs || c.kills < *cutCuts; {
		left, lives := *cutDocs-saved, max(1, *cutCuts-c.kills)
		for range min(left, (left+lives-1)/lives+c.random.IntN(2)) {
			c.save(t, saved)
			saved++
		}
		after := c.untilCut(t, disk)
		syncs += disk.Syncs()
		disk = after
		c.rememberIntents(t, disk)
		if c.kills%500 == 0 {
			t.Logf("%d power cuts, %d documents saved", c.kills, saved)
		}
	}
	// the reckoning is on an ordinary disk, at the same place
	if err := disk.Export(c.dir); err != nil {
		t.Fatal(err)
	}
	c.judge(t)
	t.Logf("%d syncs", syncs)
}

// TestPowerCutAtFirstStart: the data folder's own name is made durable too.
func TestPowerCutAtFirstStart(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a file system")
	}
	disk, dir := powercut.New(), t.TempDir()
	unmount, err := disk.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unmount()
	data := filepath.Join(dir, "var", "lib", "brodaemon")
	if err := daemon.PrepareDataDir(data); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "not-synced"), []byte("x"), 0o600)
	after := disk.Cut(powercut.Options{})
	if got := after.List("var/lib"); !slices.Equal(got, []string{"brodaemon"}) {
		t.Errorf("after the power cut var/lib holds %v", got)
	}
	if got := after.List("var/lib/brodaemon"); len(got) != 0 {
		t.Errorf("what was not synced is still there: %v", got)
	}
}

// untilCut runs the daemon on the disk until the power goes.
func (c *campaign) untilCut(t *testing.T, disk *powercut.Disk) *powercut.Disk {
	t.Helper()
	unmount, err := disk.Mount(c.dir)
	if err != nil {
		t.Fatalf("mount the disk: %v", err)
	}
	defer unmount()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), crashDir+"="+c.dir, crashPoint+"=")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	early := false
	select {
	case <-time.After(time.Duration(20+c.random.IntN(500)) * time.Millisecond): // the power goes
	case err := <-ended: // everything came to rest: the power goes now
		early = true
		ended <- err
	}
	// what was not synced is forgotten, kept, or kept in parts
	o := powercut.Options{Random: c.random, Torn: 0.5}
	switch c.random.IntN(4) {
	case 0:
		o.Keep = 0
	case 1:
		o.Keep = 1
		o.Torn = 1
	default:
		o.Keep = c.random.Float64()
	}
	after := disk.Cut(o)
	c.kills++
	_ = cmd.Process.Kill() // it may have ended by itself
	err = <-ended
	var exit *exec.ExitError
	switch code := cmd.ProcessState.ExitCode(); {
	case err != nil && !errors.As(err, &exit):
		t.Fatal(err)
	case early && code != 0: // later it may say anything: the disk went away under it
		t.Fatalf("after %d power cuts the daemon ended with %d: %s", c.kills-1, code, out.String())
	}
	return after
}

// rememberIntents looks which submissions were begun, in a copy of what the cut left.
func (c *campaign) rememberIntents(t *testing.T, disk *powercut.Disk) {
	t.Helper()
	queued := disk.ReadFile("data/" + queue.FileName)
	if queued == nil {
		return // cut before the queue was made
	}
	data := t.TempDir()
	write(t, filepath.Join(data, queue.FileName), queued, 0o600)
	for sha := range intendedIn(t, data) {
		c.begun[sha] = true
	}
}
