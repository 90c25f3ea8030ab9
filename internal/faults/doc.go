// Package faults holds tests that run the whole daemon, against the in-process
// sandbox, on file systems that fail for real: mounts that go and come back, a
// file system that returns chosen errors or blocks, a Samba server in a network
// of its own, disks that fill up, writers that take their time.
//
// Most need root, and Linux: go test -tags linuxroot ./internal/faults, which
// .ci/run does. The writers' tests need nothing and run always.
//
// Each test makes what it needs under its own temporary directory, with names
// of its own, and takes it away whatever happened: mounts, processes, network
// namespaces. Nothing leaves the machine. The package has no code but tests.
package faults
