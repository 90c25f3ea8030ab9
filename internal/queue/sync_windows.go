package queue

import "os"

// syncDir does nothing: Windows refuses to flush a folder's handle, and NTFS
// journals names itself.
func syncDir(string) error { return nil }

// letGo closes, and thereby unlocks, a file that bbolt had mapped when it
// panicked. The map stays until the program ends; the file can be renamed
// meanwhile, but not be made shorter.
func letGo(f *os.File) { _ = f.Close() }
