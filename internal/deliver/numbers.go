package deliver

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"brodaemon/internal/queue"
)

// numbers remembers which numbers a portal gave to our latest deliveries, and
// when. The portal counts deliveries through, over all its users (portal-api
// §5.1), so a delivery whose number got lost has one just above those that were
// given before it.
type numbers struct {
	mu    sync.Mutex
	known []numbered // by number
	read  bool       // those of the queue are in it
}

type numbered struct {
	n  int64
	at time.Time // when we learned it
}

// remembered bounds how many are kept.
const remembered = 64

// add notes the number of a delivery that was made at about at. A number that
// is none of the portal's kind is left out.
func (n *numbers) add(id string, at time.Time) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil || number <= 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	i, found := n.find(number)
	if found {
		return
	}
	n.known = slices.Insert(n.known, i, numbered{number, at})
	if len(n.known) > remembered {
		n.known = slices.Delete(n.known, 0, 1)
	}
}

// recall adds, once, the numbers of the latest deliveries in the queue: after a
// restart nothing else is known. It looks at the newest items only.
func (n *numbers) recall(store Store, portal string) error {
	n.mu.Lock()
	done := n.read
	n.mu.Unlock()
	if done {
		return nil
	}
	found := 0
	err := store.Each(queue.Filter{Newest: true, Limit: 20 * remembered}, func(it queue.Item) bool {
		if it.Portal == portal && it.Delivery != nil {
			n.add(it.Delivery.ID, it.Times.Submitted)
			found++
		}
		return found < remembered
	})
	if err == nil {
		n.mu.Lock()
		n.read = true
		n.mu.Unlock()
	}
	return err
}

// neighbours bounds how many numbers one look-up tries.
const neighbours = 25

// near gives the numbers that a delivery made at about at may have, as the
// portal writes them; none when no number is known at all. They are the first
// above those known to have been given before, or where so many were given
// meanwhile that this says little, those around where the time lies between.
// Numbers of other deliveries of ours are left out.
func (n *numbers) near(at time.Time) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var below, above numbered
	for _, k := range n.known {
		if !k.at.After(at) {
			below = k
		} else if above.n == 0 && k.n > below.n {
			above = k
		}
	}
	first := below.n + 1
	switch span := above.at.Sub(below.at); {
	case below.n == 0 && above.n == 0:
		return nil
	case below.n == 0:
		first = max(1, above.n-neighbours)
	case above.n-below.n > neighbours && span > 0:
		passed := float64(at.Sub(below.at)) / float64(span)
		first = max(first, below.n+int64(float64(above.n-below.n)*passed)-neighbours/2)
	}
	var ids []string
	for number := first; len(ids) < neighbours; number++ {
		if _, ours := n.find(number); !ours {
			ids = append(ids, fmt.Sprintf("%010d", number))
		}
	}
	return ids
}

// find is where a number stands or belongs. Its caller holds mu.
func (n *numbers) find(number int64) (int, bool) {
	return slices.BinarySearchFunc(n.known, number, func(k numbered, want int64) int { return cmp.Compare(k.n, want) })
}
