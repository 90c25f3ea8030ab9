package conformance

import (
	"context"
	"net/http"
	"strings"
	"time"

	"brodaemon/internal/sandbox"
)

// A lossy call is one of the three that create something.
type lossyCall struct {
	op      sandbox.Op
	do      func(*portal, string) answer
	created func(*portal) int // how many of what it creates there are
}

func lossyCalls(document []byte) []lossyCall {
	return []lossyCall{
		{sandbox.OpOpenUpload, func(p *portal, _ string) answer { return p.openUpload() }, nil},
		{sandbox.OpAddDocument, func(p *portal, upload string) answer { return p.addDocument(upload, "", document) }, nil},
		{sandbox.OpSubmit, func(p *portal, upload string) answer { return p.submit(upload) },
			func(p *portal) int { return p.Sandbox.Submissions(sum(document)) }},
	}
}

func fullSubmitFaults(p *portal) {
	document := newWell("eenmaal")
	faults := []struct {
		fault  sandbox.Fault
		status int // 0: no answer
		done   bool
	}{
		{sandbox.Fault{Kind: sandbox.ProcessThenDrop}, 0, true},
		{sandbox.Fault{Kind: sandbox.ProcessThenAnswer, Status: 502}, 502, true},
		{sandbox.Fault{Kind: sandbox.ProcessThenAnswer, Status: 504}, 504, true},
		{sandbox.Fault{Kind: sandbox.Answer, Status: 503}, 503, false},
		{sandbox.Fault{Kind: sandbox.Reset}, 0, false},
		{sandbox.Fault{Kind: sandbox.Refuse}, 0, false},
		{sandbox.Fault{Kind: sandbox.Hang, Delay: time.Millisecond}, 0, false},
		{sandbox.Fault{Kind: sandbox.HangThenProcess, Delay: time.Millisecond}, 0, true},
		{sandbox.Fault{Kind: sandbox.HTMLPage}, 200, false},
		{sandbox.Fault{Kind: sandbox.Redirect, Status: 307}, 307, false},
		{sandbox.Fault{Kind: sandbox.NoLocation}, 201, true},
		{sandbox.Fault{Kind: sandbox.RelativeLocation}, 201, true},
		{sandbox.Fault{Kind: sandbox.ForeignLocation}, 201, true},
		{sandbox.Fault{Kind: sandbox.BrokenJSON}, 201, true},
		{sandbox.Fault{Kind: sandbox.TruncatedBody}, 0, true},
	}
	for _, call := range lossyCalls(document) {
		for _, f := range faults {
			q := p.with(nil)
			upload := q.filledUpload(document)
			f.fault.Op = call.op
			q.Sandbox.Inject(f.fault)
			a := call.do(q, upload)
			if f.status == 0 {
				if a.err == nil {
					p.Errorf("%s with %s: got %d, want no answer", call.op, f.fault.Kind, a.status)
				}
			} else {
				p.wantStatus(a, f.status, "%s with %s", call.op, f.fault.Kind)
			}
			q.checkLocation(call.op, f.fault.Kind, a)
			q.checkDone(call, f.fault.Kind, f.done)
		}
	}
	p.clientGivesUp(document)
}

// checkLocation looks at what the faults of Location made of it.
func (p *portal) checkLocation(op sandbox.Op, kind sandbox.FaultKind, a answer) {
	p.Helper()
	location := a.header.Get("Location")
	var ok bool
	switch kind {
	case sandbox.NoLocation:
		ok = location == ""
	case sandbox.RelativeLocation:
		ok = strings.HasPrefix(location, "/api/v2/")
	case sandbox.ForeignLocation, sandbox.Redirect:
		ok = strings.HasPrefix(location, "http://portal.invalid/api/v2/")
	default:
		return
	}
	if !ok {
		p.Errorf("%s with %s: Location is %q", op, kind, location)
	}
}

// checkDone asks the books whether the portal did what it was asked for, by the last request of that operation.
func (p *portal) checkDone(call lossyCall, kind sandbox.FaultKind, done bool) {
	p.Helper()
	deadline := time.Now().Add(10 * time.Second) // a client that has gave up may be ahead of the server
	for {
		last := sandbox.Request{}
		for _, r := range p.Sandbox.Requests() {
			if r.Op == call.op {
				last = r
			}
		}
		created := !done
		if call.created != nil {
			created = call.created(p) > 0
		}
		switch {
		case last.Fault == kind && (last.Processed == http.StatusCreated) == done && (call.created == nil || created == done):
			return
		case time.Now().After(deadline):
			p.Fatalf("%s with %s: the books say %+v, created %v, want done %v", call.op, kind, last, created, done)
		}
		time.Sleep(time.Millisecond)
	}
}

// clientGivesUp tries the hangs that outlast the client.
func (p *portal) clientGivesUp(document []byte) {
	p.Helper()
	for _, call := range lossyCalls(document) {
		for kind, done := range map[sandbox.FaultKind]bool{sandbox.Hang: false, sandbox.HangThenProcess: true} {
			q := p.with(nil)
			upload := q.filledUpload(document)
			q.Sandbox.Inject(sandbox.Fault{Op: call.op, Kind: kind})
			impatient := *q
			client := *q.Client
			client.Timeout = 20 * time.Millisecond
			impatient.Client = &client
			a := call.do(&impatient, upload)
			if a.err == nil || !isTimeout(a.err) {
				p.Errorf("%s with %s: got %d, %v, want a time-out", call.op, kind, a.status, a.err)
			}
			q.checkDone(call, kind, done)
		}
	}
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout() || err == context.DeadlineExceeded
}
