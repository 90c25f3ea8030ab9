//go:build !windows

package main

import (
	"fmt"
	"os"
	"time"
)

func hold(file string, _ bool, d time.Duration) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	fmt.Println("holds", file)
	time.Sleep(d)
	return f.Close()
}
