package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// MarkerName is the name of the marker file in a watched folder. A share that is not mounted often shows an empty folder instead of an error;
// only the marker tells the two apart.
const MarkerName = ".brodaemon-folder"

const (
	markerTemp    = MarkerName + ".new" // being written; an own name, never taken
	markerMaxSize = 64 << 10
	markerAbout   = "Niet verwijderen, verplaatsen of kopiëren: hieraan herkent brodaemon deze map. " +
		"Do not delete, move or copy this file: brodaemon knows this folder by it."
)

// Marker says what the marker file must hold.
type Marker struct {
	// ID is the content to expect, chosen by the caller, who keeps it for the life of the folder.
	ID string
	// Known means that the marker was written before, so that a missing one means offline.
	Known bool
	// Written is called once the marker is durably there for the first time; Known must be true from then on, also after a restart. As long
	// as it fails the folder stays offline, and it is called again at each scan. May be nil.
	Written func() error
}

// markerFile is the content of the marker, readable for people.
type markerFile struct {
	About  string    `json:"about"`
	Folder string    `json:"folder"`
	ID     string    `json:"id"`
	Since  time.Time `json:"since"`
}

var errMarkerDamaged = errors.New("the marker file cannot be understood")

// InitMarker writes the marker of the folder name with that id into the directory at path, in the place of any other. It is for a folder that
// was moved or replaced on purpose. May be repeated.
func InitMarker(path, name, id string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("write marker: %w", err)
	}
	defer root.Close()
	if err := writeMarker(root, name, id); err != nil {
		return fmt.Errorf("write marker in %s: %w", path, err)
	}
	return nil
}

// ReadMarker reads the marker in the directory at path: the name of the folder for which it was written, and the id. A missing one is
// fs.ErrNotExist.
func ReadMarker(path string) (name, id string, err error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return "", "", fmt.Errorf("read marker: %w", err)
	}
	defer root.Close()
	m, err := readMarker(root)
	if err != nil {
		return "", "", fmt.Errorf("read marker in %s: %w", path, err)
	}
	return m.Folder, m.ID, nil
}

func readMarker(root *os.Root) (markerFile, error) {
	f, err := openRegular(root, MarkerName)
	if err != nil {
		return markerFile{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, markerMaxSize))
	if err != nil {
		return markerFile{}, err
	}
	return parseMarker(data)
}

func parseMarker(data []byte) (markerFile, error) {
	var m markerFile
	if err := json.Unmarshal(data, &m); err != nil {
		return markerFile{}, fmt.Errorf("%w: %w", errMarkerDamaged, err)
	}
	if m.ID == "" {
		return markerFile{}, fmt.Errorf("%w: it has no id", errMarkerDamaged)
	}
	return m, nil
}

// writeMarker writes the marker under a temporary name, makes it durable, and gives it its name.
func writeMarker(root *os.Root, name, id string) error {
	data, err := json.MarshalIndent(markerFile{markerAbout, name, id, time.Now().UTC().Truncate(time.Second)}, "", "  ")
	if err != nil {
		return err
	}
	if err := root.Remove(markerTemp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(root, markerTemp, append(data, '\n')); err != nil {
		return errors.Join(err, ignoreMissing(root.Remove(markerTemp)))
	}
	if err := root.Rename(markerTemp, MarkerName); err != nil {
		return errors.Join(err, ignoreMissing(root.Remove(markerTemp)))
	}
	return syncFolder(root)
}

func writeNew(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// checkMarker says what is wrong with the marker, and writes it at first use.
func (w *worker) checkMarker(root *os.Root) *trouble {
	err := w.touch("read the marker of", ".")
	var m markerFile
	if err == nil {
		m, err = readMarker(root)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && w.known:
		return w.markerMissing()
	case errors.Is(err, fs.ErrNotExist):
		return w.firstUse(root)
	case errors.Is(err, errMarkerDamaged) || errors.Is(err, ErrNotRegular):
		return w.markerDamaged(err)
	case err != nil:
		return explained("read the marker "+MarkerName+" in "+w.opt.Path, err)
	case m.ID != w.opt.Marker.ID:
		return w.markerOther(m)
	case !w.known:
		return w.recordMarker()
	}
	return nil
}

// firstUse writes the marker and looks whether it is ours, for another brodaemon may be doing the same.
func (w *worker) firstUse(root *os.Root) *trouble {
	err := w.touch("write the marker of", ".")
	if err == nil {
		err = writeMarker(root, w.opt.Name, w.opt.Marker.ID)
	}
	if err != nil {
		t := explained("write the marker "+MarkerName+" in "+w.opt.Path, err)
		t.cause, t.words = CauseMarkerUnwritable, say(SayMarkerWrite, t.words...)
		return t
	}
	m, err := readMarker(root)
	if err != nil {
		return explained("read the new marker "+MarkerName+" in "+w.opt.Path, err)
	}
	if m.ID != w.opt.Marker.ID {
		return w.markerOther(m)
	}
	w.log.Info("marker written at first use of the folder")
	return w.recordMarker()
}

// recordMarker has the caller remember that the marker is there.
func (w *worker) recordMarker() *trouble {
	if w.opt.Marker.Written != nil {
		if err := w.opt.Marker.Written(); err != nil {
			return &trouble{CauseMarkerUnwritable, fmt.Sprintf("the marker %s is in place, but that cannot be recorded, and the folder is not used before it is: %v",
				MarkerName, err), say(SayMarkerRecord, err.Error())}
		}
	}
	w.known = true
	return nil
}

func (w *worker) markerMissing() *trouble {
	return &trouble{CauseMarkerMissing, fmt.Sprintf("%s can be read, but the marker file %s that belongs there is missing. Most often the share is not connected and "+
		"this is an empty folder in its place. Check first that the share is connected and that this is the folder in which the documents are saved. "+
		"Nothing is taken and nothing is given up meanwhile. Do not simply make the marker again: in the wrong folder that would hide the fault. "+
		"Only when the folder was moved or emptied on purpose: brodaemon folder init %s", w.opt.Path, MarkerName, w.opt.Name), nil}
}

func (w *worker) markerOther(m markerFile) *trouble {
	return &trouble{CauseMarkerOther, fmt.Sprintf("another folder seems to be here: the marker file %s in %s was written for folder %q, or by another installation of brodaemon. "+
		"Check first that the path is right and that no other brodaemon watches it, for then documents would be delivered twice. "+
		"Only when this is the right folder: brodaemon folder init %s", MarkerName, w.opt.Path, m.Folder, w.opt.Name), say(SayOtherMarker, m.Folder)}
}

func (w *worker) markerDamaged(err error) *trouble {
	return &trouble{CauseMarkerDamaged, fmt.Sprintf("the marker file %s in %s is damaged (%v). Check first that this is the folder in which the documents are saved, "+
		"and that nothing else in it was damaged. Only then: brodaemon folder init %s", MarkerName, w.opt.Path, err, w.opt.Name), say(SayMarkerDamage, err.Error())}
}
