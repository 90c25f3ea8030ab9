package deliver

import (
	"time"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// Retry makes the document's next attempt due now, and lets one document try
// its paused portal and token at once. One that is filed, but not found in the
// public register yet, is looked up there at once.
func (w *Worker) Retry(id queue.ID) (queue.Item, error) {
	now := time.Now()
	if w.unconfirmed(id) {
		it, err := w.store.Apply(id, queue.ConfirmAgain(now))
		if f := w.setup.Load().folders[it.Folder]; f != nil && err == nil {
			f.confirmSoon()
		}
		return it, err
	}
	it, err := w.store.Apply(id, queue.RetryNow(now, "a person asked for it").Saying(queue.Say(queue.SayPersonAsked)))
	if err != nil {
		return it, err
	}
	w.knock(now, it.Folder)
	w.Wake()
	return it, nil
}

// RetryAll does the same for every waiting document, of one folder or of all,
// and of those whose last error was of one kind when reason is given. It
// returns how many there were.
func (w *Worker) RetryAll(folder, reason string) (int, error) {
	now := time.Now()
	var ids []queue.ID
	err := w.store.Each(queue.Filter{Open: true, Folder: folder}, func(it queue.Item) bool {
		waits := !it.NextAttempt.IsZero() && (it.Hold == "" || it.Hold == queue.HoldUncertain)
		if waits && (reason == "" || it.LastKind == reason) {
			ids = append(ids, it.ID)
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, id := range ids {
		if _, err := w.store.Apply(id, queue.RetryNow(now, "")); err == nil {
			n++ // else it moved on by itself meanwhile
		}
	}
	for _, f := range w.setup.Load().order {
		if folder == "" || f.Name == folder {
			w.knock(now, f.Name)
		}
	}
	w.Wake()
	return n, nil
}

func (w *Worker) knock(now time.Time, folder string) {
	if f := w.setup.Load().folders[folder]; f != nil {
		f.endpoint.reach.knock(now)
		f.access.knock(now)
	}
}

// Hold keeps a document back until Release.
func (w *Worker) Hold(id queue.ID) (queue.Item, error) {
	return w.store.Apply(id, queue.HeldBack(time.Now()))
}

// unconfirmed finds out whether a document is one that the public register does not show.
func (w *Worker) unconfirmed(id queue.ID) bool {
	it, err := w.store.Get(id)
	return err == nil && it.Unconfirmed()
}

// Release lets a held document go. An uncertain one can't be released, only
// resolved. Of one that is filed, but not found in the public register, it says
// that a person has looked into it: the warning ends.
func (w *Worker) Release(id queue.ID) (queue.Item, error) {
	if w.unconfirmed(id) {
		return w.store.Apply(id, queue.ConfirmWaived(time.Now()))
	}
	defer w.Wake()
	return w.store.Apply(id, queue.Released(time.Now()))
}

// Cancel gives a document up; it goes to failed/. What is at the portal stays there.
func (w *Worker) Cancel(id queue.ID) (queue.Item, error) {
	defer w.Wake()
	return w.store.Apply(id, queue.CancelledBy(time.Now(), queue.Report{Code: "cancelled"}))
}

// ResolveDelivered stores a person's answer that the uncertain document is
// delivery number; from then on it is followed like any other.
func (w *Worker) ResolveDelivered(id queue.ID, number string) (queue.Item, error) {
	number, err := portal.ParseDeliveryNumber(number)
	if err != nil {
		return queue.Item{}, err
	}
	now := time.Now()
	return w.resolve(id, queue.DeliverySubmitted(now, number, "a person looked it up", now).Saying(queue.Say(queue.SayDeliveryPerson, number)))
}

// ResolveNotDelivered stores a person's answer that the portal does not have
// the uncertain document; it is submitted again.
func (w *Worker) ResolveNotDelivered(id queue.ID) (queue.Item, error) {
	return w.resolve(id, queue.NotDelivered(time.Now()))
}

// WhyBusy is why a person's answer is not taken at this moment.
const WhyBusy = "the portal is being asked about it at this moment; try again in a minute"

// resolve stores a person's answer, but not while the portal is being asked: an
// answer that is on its way from there would be lost, and with "not delivered"
// a delivery that was made after all would be made again.
func (w *Worker) resolve(id queue.ID, answer queue.Transition) (queue.Item, error) {
	defer w.Wake()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[id] {
		it, err := w.store.Get(id)
		if err == nil {
			err = &queue.TransitionError{ID: id, Transition: answer.Name(), State: it.State, Why: WhyBusy}
		}
		return it, err
	}
	return w.store.Apply(id, answer)
}

// FolderStatus is what the Worker knows of a folder's way to the portal.
type FolderStatus struct {
	Folder      string `json:"folder"`
	Environment string `json:"environment"`
	Portal      string `json:"portal"`
	Token       string `json:"token"`
	PortalPause *Pause `json:"portalPause,omitempty"`
	TokenPause  *Pause `json:"tokenPause,omitempty"`
	// Refused says why nothing is taken from the folder: its portal was changed
	// while documents were under way to another one. "" = it is not refused.
	Refused string `json:"refused,omitempty"`
}

// Status returns the folders in the order of the configuration.
func (w *Worker) Status() []FolderStatus {
	var all []FolderStatus
	for _, f := range w.setup.Load().order {
		all = append(all, FolderStatus{
			Folder: f.Name, Environment: f.endpoint.Environment, Portal: f.endpoint.Address, Token: f.Token,
			PortalPause: f.endpoint.reach.state(), TokenPause: f.access.state(), Refused: w.goesElsewhere(f).text,
		})
	}
	return all
}

// UnderWay is how many documents are being worked on at this moment.
func (w *Worker) UnderWay() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.busy)
}
