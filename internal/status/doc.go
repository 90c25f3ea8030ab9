// Package status shows how brodaemon fares, and lets people act on documents.
//
// It has two faces. [API] is the JSON interface under /api/v1, which commands
// use over the control socket. [Server] is what stands on status.listen: the
// status page in Dutch or English, the same JSON, and what monitoring asks for
// (/healthz, /readyz, /metrics). [Metrics] counts what only passes by; all
// other numbers are read from the [Source] when they are asked for.
//
// Promises of the Server:
//
//   - Looking is free, acting is not: without a configured password nothing can
//     be changed through it, with one every change needs it (Basic, or the
//     session that the sign-in form begins). Guesses are slowed down.
//   - A page of another site can neither read nor act: requests from another
//     origin are refused, and so are those for a host name that is not ours, to
//     which a name server could have been made to point here.
//   - Every word that comes from a file, a file name or the portal is shown as
//     text and can't become markup.
//   - It loads nothing from elsewhere, and works without JavaScript; with it,
//     pages stay up to date by themselves.
//
// What it does not do: TLS (put a reverse proxy in front of it), users with
// different rights, or any decision about a document; those are the [Actor]'s.
package status
