package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/windows"
)

func hold(file string, read bool, d time.Duration) error {
	name, err := windows.UTF16PtrFromString(file)
	if err != nil {
		return err
	}
	var share uint32
	if read {
		share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ, share, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		return err
	}
	fmt.Println("holds", file)
	time.Sleep(d)
	return windows.CloseHandle(h)
}
