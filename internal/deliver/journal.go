package deliver

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// journal writes the Worker's log. What happens to a document is logged from
// the queue's own timeline (see [LogChange]), so that no step can be forgotten;
// here is what is not about one document's state.
type journal struct {
	log  *zap.Logger
	said *sync.Map // folder and file → why it was not taken, as written last
}

// LogChange writes one line for a change of an item, with the item's identity,
// so that one grep for its id tells its story. The same failure again is
// written at debug level only. Use it as queue.Options.Changed.
func LogChange(log *zap.Logger) func(before, after *queue.Item) {
	return func(before, after *queue.Item) {
		if len(after.History) == 0 {
			return
		}
		done := len(after.History)
		if before != nil {
			done -= min(len(before.History), done)
		}
		if done == 0 { // the last event again
			done = 1
		}
		for _, e := range after.History[len(after.History)-done:] {
			fields := []zap.Field{zap.Inline(after)}
			if e.Detail != "" {
				fields = append(fields, zap.String("detail", e.Detail))
			}
			if e.Count > 1 {
				log.Debug(e.What, append(fields, zap.Int("times", e.Count))...)
				continue
			}
			switch e.What {
			case "retry", "upload-lost", "submit-refused", "submit-unknown", "looked-up", "stuck", "not-confirmed", "companion-not-added", "companion-maybe-added", "filing-failed", "postponed", "submit-postponed", "rejected":
				log.Warn(e.What, fields...)
			default:
				log.Info(e.What, fields...)
			}
		}
	}
}

// notTaken is written again for a file only when the reason changes: it is
// offered at every scan.
func (j journal) notTaken(a Arrival, err error) {
	key, text := a.Folder+"\x00"+a.File, err.Error()
	if last, known := j.said.Swap(key, text); known && last == text {
		return
	}
	j.log.Warn("not taken yet", zap.String("folder", a.Folder), zap.String("file", a.File), zap.Error(err))
}

// taken forgets what was said of a file.
func (j journal) taken(a Arrival) { j.said.Delete(a.Folder + "\x00" + a.File) }

// companionNotTaken is no trouble of the document's; the file is offered again.
func (j journal) companionNotTaken(folder, file string, err error) {
	j.log.Warn("companion file not taken yet", zap.String("folder", folder), zap.String("file", file), zap.Error(err))
}

func (j journal) notStored(it *queue.Item, err error) {
	j.log.Error("could not store what happened; it will be found out again", zap.Inline(it), zap.Error(err))
}

func (j journal) notSettled(it *queue.Item, err error) {
	j.log.Warn("the reason of an earlier attempt stays", zap.Inline(it), zap.Error(err))
}

// notRemoved is written once for a round, with the last of the reasons.
func (j journal) notRemoved(f *folder, n int, err error) {
	j.log.Warn("old documents could not be removed from done/; they are tried again", zap.String("folder", f.Name), zap.Int("documents", n), zap.Error(err))
}

func (j journal) queueTrouble(err error) {
	j.log.Error("the queue can't be read; trying again", zap.Error(err))
}

func (j journal) leftBehind() {
	j.log.Warn("stopping without waiting any longer for a file system or portal that does not answer")
}

func (j journal) portalDown(e *endpoint, err *portal.Error) {
	j.log.Warn("portal out of reach; documents wait", zap.String("portal", e.Address), zap.Error(err))
}

func (j journal) portalBack(e *endpoint, after time.Duration) {
	j.log.Info("portal answers again", zap.String("portal", e.Address), zap.Duration("after", after.Round(time.Second)))
}

func (j journal) tokenPaused(f *folder, err *portal.Error) {
	j.log.Error("token refused; its documents wait", zap.String("token", f.Token), zap.String("folder", f.Name), zap.Error(err))
}

func (j journal) tokenBack(f *folder, after time.Duration) {
	j.log.Info("token works again", zap.String("token", f.Token), zap.Duration("after", after.Round(time.Second)))
}

func (j journal) secretChanged(f *folder) {
	j.log.Info("the secret of a refused token was changed; it is tried at once", zap.String("token", f.Token), zap.String("folder", f.Name))
}
