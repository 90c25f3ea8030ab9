package daemon

import (
	"fmt"
	"path/filepath"
	"time"

	"brodaemon/internal/config"
	"brodaemon/internal/queue"
	"brodaemon/internal/status"
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
	return []status.Condition{rebuiltCondition(c.DataDir, &told)}, nil
}

// rebuiltCondition says it in words.
func rebuiltCondition(dataDir string, told *queue.Rebuilt) status.Condition {
	why := map[string]string{
		queue.CauseDamaged: "could not be read", queue.CauseLost: "was gone", queue.CauseOlder: "was an older copy of itself", queue.CauseAsked: "was rebuilt by hand",
	}[told.Cause]
	code := "queue-" + told.Cause
	c := status.Condition{
		Code: "queue-rebuilt", Subject: code, Since: told.At, N: told.Held,
		Text: fmt.Sprintf("the queue file %s; it was made again by itself: %s found again, %d of them may have been submitted and are looked up and held",
			why, documents(told.Restored+told.Changed), told.Held),
		Hint: "answer for each document that is held (`brodaemon queue resolve`), and find out what damaged the disk or who changed the data folder",
	}
	if told.Cause == queue.CauseAsked {
		c.Text = fmt.Sprintf("the queue file was rebuilt by hand: %s in it, %d of them may have been submitted and are looked up and held", documents(told.Documents), told.Held)
		c.Hint = "answer for each document that is held (`brodaemon queue resolve`)"
	}
	if told.LedgerLost {
		c.Text += "; the ledger was lost or damaged too, so that documents delivered earlier may be forgotten"
		c.Hint += "; save no document again before looking in the portal whether it was delivered"
	}
	if told.Aside != "" {
		c.Detail = filepath.Join(dataDir, told.Aside)
		c.Text += "; the old file is kept as " + c.Detail
	}
	return c
}
