// Command hold keeps a file open for a while, for the tests under Wine: so that
// nobody else may open, rename or remove it; with --read so that others may read
// and write, as a viewer does. Elsewhere than on Windows it only opens the file.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	args := os.Args[1:]
	read := len(args) > 0 && args[0] == "--read"
	if read {
		args = args[1:]
	}
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "use: hold [--read] FILE TIME")
		os.Exit(2)
	}
	d, err := time.ParseDuration(args[1])
	if err == nil {
		err = hold(args[0], read, d)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hold:", err)
		os.Exit(1)
	}
}
