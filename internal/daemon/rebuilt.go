package daemon

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/queue"
	"brodaemon/internal/status"
	"brodaemon/internal/watch"
)

// rebuiltShown is how long it is told that the queue was made again; longer
// while a document that is held because of it has no answer.
const rebuiltShown = 72 * time.Hour

// rebuiltConditions tells that the queue was made again.
func rebuiltConditions(c *config.Config, store *queue.Store) ([]status.Condition, error) {
	told, found, err := store.Rebuilt()
	if err != nil || !found {
		return nil, err
	}
	waiting := 0
	for _, id := range told.HeldIDs {
		if it, err := store.Get(id); err == nil && it.Uncertain() {
			waiting++
		}
	}
	if waiting == 0 && time.Since(told.At) > rebuiltShown {
		return nil, nil
	}
	all := []status.Condition{rebuiltCondition(c.DataDir, &told)}
	if told.LedgerLost {
		all = append(all, status.Condition{
			Code: "ledger-lost", Since: told.At,
			Text: "the ledger was lost or damaged together with the queue file: documents that were delivered earlier may be forgotten",
			Hint: "save no document again before looking in the portal whether it was delivered; see docs/lifecycle.md, When the disk was not kind",
		})
	}
	return all, nil
}

// rebuiltCondition says it in words.
func rebuiltCondition(dataDir string, told *queue.Rebuilt) status.Condition {
	why := map[string]string{
		queue.CauseDamaged: "could not be read", queue.CauseLost: "was gone", queue.CauseOlder: "was an older copy of itself", queue.CauseAsked: "was rebuilt by hand",
	}[told.Cause]
	c := status.Condition{
		Code: "queue-rebuilt", Subject: strconv.Itoa(told.Restored + told.Changed), Since: told.At, N: told.Held, Detail: "–",
		Text: fmt.Sprintf("the queue file %s; it was made again by itself: %s found again, %d of them may have been submitted and are looked up and held",
			why, documents(told.Restored+told.Changed), told.Held),
		Hint: "answer for each document that is held (`brodaemon queue resolve`), and find out what damaged the disk or who changed the data folder",
	}
	if told.Cause == queue.CauseAsked {
		c.Text = fmt.Sprintf("the queue file was rebuilt by hand: %s in it, %d of them may have been submitted and are looked up and held", documents(told.Documents), told.Held)
		c.Hint = "answer for each document that is held (`brodaemon queue resolve`)"
	}
	if told.Aside != "" {
		c.Detail = filepath.Join(dataDir, told.Aside)
		c.Text += "; the old file is kept as " + c.Detail
	}
	return c
}

// foundMarker is what the marker in a folder says, where the queue and the
// ledger were lost and nobody else knows it any more. Without it the folder
// would be taken for another one until somebody says `folder init`. A share that
// does not answer is not waited for.
func (d *Daemon) foundMarker(f config.Folder) string {
	told, found, err := d.store.Rebuilt()
	if err != nil || !found || !told.LedgerLost || time.Since(told.At) > rebuiltShown {
		return ""
	}
	answer := make(chan string, 1)
	go func() {
		name, id, err := watch.ReadMarker(f.Path)
		if err != nil || name != f.Name {
			id = ""
		}
		answer <- id
	}()
	select {
	case id := <-answer:
		return id
	case <-time.After(5 * time.Second):
		return ""
	}
}
