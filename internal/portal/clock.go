package portal

import (
	"net/http"
	"time"
)

// ClockCheck compares this machine's clock with the portal's.
type ClockCheck struct {
	At   time.Time     // when the portal last told its time; zero: it never did
	Skew time.Duration // by how much this machine's clock was ahead of it then, to a second or so
}

// ClockCheck is what the Date of the last answer showed, whatever the answer
// was. Any goroutine may call it.
func (c *Client) ClockCheck() ClockCheck {
	if check := c.clock.Load(); check != nil {
		return *check
	}
	return ClockCheck{}
}

// hear notes the Date of an answer whose headers have just come.
func (c *Client) hear(date string) {
	if told, err := http.ParseTime(date); err == nil {
		now := time.Now()
		c.clock.Store(&ClockCheck{At: now, Skew: now.Sub(told)})
	}
}
