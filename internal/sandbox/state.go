package sandbox

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// state is what the portal and the register behind it know. Server.mu guards all of it.
//
// Nothing in it moves by itself: advance carries out, in the order of their times, the events that have become due since
// somebody last looked. An event costs O(log n), so a request costs what happened since the last one, never a walk over all
// deliveries.
type state struct {
	seed         uint64
	keepBodies   bool
	maxKept      int64
	maxRemember  int64
	defaultOwner string

	uploads    map[int64]*upload
	documents  map[int64]*document
	deliveries map[int64]*delivery
	byFilename map[string]int64 // the newest delivery with a document of that name
	waiting    map[stepOf]map[int64]bool
	contents   map[[sha256.Size]byte]*contentCounts

	objects    map[string]*object
	byOwner    map[typeOf][]*object // in the order of their registration
	lastNumber map[string]int64     // of BRO-IDs, by their letters

	due    eventQueue
	events int64 // how many were planned, to keep the order of those at one time

	finished []*delivery // that have ended, the earliest first; some may be forgotten since

	lastUpload, oldestUpload int64
	lastDelivery             int64
	lastDocument             int64
	lastTransaction          int64

	bodies    []*body // kept ones, oldest first
	keptBytes int64

	registryCalls []time.Time // the latest ones within a second
}

// The counters start where the recorded ones of the demo portal were, so that numbers look as they do there.
const (
	firstUpload      = 345001
	firstDelivery    = 182701
	firstDocument    = 418701
	firstTransaction = 190101
	firstBROID       = 200001
)

type stepOf struct {
	project int
	action  string
}

type typeOf struct {
	owner string // KvK
	typ   string
}

type contentCounts struct {
	deliveries int
	registered int
}

// An upload is a basket of documents on their way into a delivery.
type upload struct {
	id        int64
	project   int
	username  string
	documents []*document
	delivered *delivery
}

// A document is a source document in an upload, and later in a delivery.
type document struct {
	id       int64
	project  int
	filename string
	given    string
	sha      [sha256.Size]byte
	size     int64
	body     *body // nil: not kept
	content  content

	status      string
	changed     time.Time
	errors      []string
	broID       string
	transaction string
	settled     bool // the register has said yes or no
	half        bool // went through a half state, see S12
	notes       []Note
}

// A body is kept bytes; they may be given up when too many are kept.
type body struct{ bytes []byte }

func newState(o Options, now time.Time) state {
	p := state{
		seed: o.Seed, keepBodies: o.KeepBodies,
		maxKept:     bounded(o.MaxKeptBytes, defaultMaxKept),
		maxRemember: bounded(int64(o.MaxDeliveries), defaultMaxDeliveries),

		uploads: map[int64]*upload{}, documents: map[int64]*document{}, deliveries: map[int64]*delivery{},
		byFilename: map[string]int64{}, waiting: map[stepOf]map[int64]bool{},
		contents: map[[sha256.Size]byte]*contentCounts{},
		objects:  make(map[string]*object, len(o.Objects)), byOwner: map[typeOf][]*object{}, lastNumber: map[string]int64{},

		lastUpload: firstUpload - 1, oldestUpload: firstUpload,
		lastDelivery: firstDelivery - 1,
		lastDocument: firstDocument - 1, lastTransaction: firstTransaction - 1,
	}
	if len(o.Projects) > 0 {
		p.defaultOwner = o.Projects[0].Owner.KvK
	}
	for _, seeded := range o.Objects {
		p.seedObject(seeded, now)
	}
	return p
}

// keep holds on to bytes, and lets go of the oldest when there are too many.
func (p *state) keep(b []byte) *body {
	if !p.keepBodies {
		return nil
	}
	if b == nil {
		b = []byte{} // nil means given up
	}
	kept := &body{bytes: b}
	p.bodies = append(p.bodies, kept)
	p.keptBytes += int64(len(b))
	for len(p.bodies) > 0 && (p.keptBytes > p.maxKept || p.bodies[0].bytes == nil) {
		p.giveUp(p.bodies[0])
		p.bodies = p.bodies[1:]
	}
	return kept
}

// giveUp lets go of kept bytes; their place in the list of bodies may stay.
func (p *state) giveUp(b *body) {
	if b != nil {
		p.keptBytes -= int64(len(b.bytes))
		b.bytes = nil
	}
}

// counts gives the counts of a content, made when it is new.
func (p *state) counts(sha [sha256.Size]byte) *contentCounts {
	c := p.contents[sha]
	if c == nil {
		c = &contentCounts{}
		p.contents[sha] = c
	}
	return c
}

// dice gives a number that depends on the seed and on what it is for, and on nothing else.
func (p *state) dice(purpose, id int64) uint64 {
	return mix(p.seed + uint64(purpose)<<56 + uint64(id))
}

// mix is the finaliser of splitmix64: every bit of the result depends on every bit of the input.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

const (
	diceFilename = 1
	diceForward  = 2
)

// inventedName is what the portal calls a document whose name it does not like.
func (p *state) inventedName(id int64) string {
	return fmt.Sprintf("%012x.xml", p.dice(diceFilename, id)&(1<<48-1))
}
