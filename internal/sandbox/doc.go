// Package sandbox is a Bronhouderportaal of one's own: the delivery API v2 with everything behind it, in memory, as an
// [http.Handler]. Tests import it, `brodaemon sandbox` serves it, `brodaemon demo` delivers to it.
//
// # What it promises
//
//   - It speaks the wire as public clients have seen the real portal speak it: three steps to deliver (upload, source
//     documents, delivery), validation, the status of a delivery, the lists for controllers, notes and attachments, the
//     transaction register, and a small twin of the public BRO services.
//   - What nobody has seen is a switch ([Switches]) with the likeliest answer as its default, so that a client can be tried
//     against each possibility. [Knobs] lists them; [Options.ParseKnob] sets one by name.
//   - It can be a bad neighbour: [Server.Inject] plants one fault at one call, [Chaos] scatters them from a seed.
//   - It keeps books for tests: [Server.Submissions] says how many deliveries contain a given content, which is how a test
//     proves "delivered once". No book holds a credential.
//   - The same requests in the same order give the same numbers, names and durations: there is no randomness but the seed.
//   - No goroutine of its own: what happens to a delivery is worked out from the clock when somebody asks. It works inside a
//     testing/synctest bubble with [Server.Transport].
//
// # What it does not do
//
// It does not check documents against their schemas; it reads the head of the XML, knows which objects exist and what
// happened to them, and judges on that. It forgets everything when the process ends. It is no place for real credentials.
//
// # Marks in documents
//
// A person who wants to see a refusal puts one of these words anywhere in objectIdAccountableParty (or, since additions have
// no such element, in requestReference):
//
//	BRODAEMON-ONGELDIG    not valid: NIET_VALIDE with two errors and the closing line   [MarkInvalid]
//	BRODAEMON-AFGEKEURD   valid, but refused when it is passed on to the register       [MarkRefused]
//	BRODAEMON-HANDMATIG   waits for a person before VASTSTELLEN, see Switches.ManualWait [MarkManual]
//
// # Words
//
// The package imports no other room of brodaemon. The Dutch words of the wire stand here a second time on purpose: a slip in
// the client or here shows as a test that fails.
package sandbox
