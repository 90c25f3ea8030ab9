package queue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
)

// This file looks whether a queue file is whole without bbolt, which trusts its
// pages: one that makes no sense makes it panic at any later moment, and pages
// that point at each other in a circle make it read for ever. It knows as much
// of bbolt's format (version 2, go.etcd.io/bbolt/internal/common) as that takes.

const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	metaSize       = 64 // up to and with its checksum
	pageHead       = 16
	branchFlag     = 0x01
	leafFlag       = 0x02
	freelistFlag   = 0x10
	bucketFlag     = 0x01
	bucketHead     = 16
	elementSize    = 16
	noFreelist     = ^uint64(0)
	maxNestedPages = 64 // no tree is that high
)

var native = binary.NativeEndian // bbolt writes as the machine does

// boltMeta is the newer of the two valid first pages.
type boltMeta struct {
	pageSize                   uint32
	root, freelist, pages, txn uint64
}

func parseMeta(page []byte) (m boltMeta, ok bool) {
	b := page[pageHead:]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaSize-8])
	if native.Uint32(b) != boltMagic || native.Uint32(b[4:]) != boltVersion || native.Uint64(b[metaSize-8:]) != sum.Sum64() {
		return m, false
	}
	m = boltMeta{native.Uint32(b[8:]), native.Uint64(b[16:]), native.Uint64(b[32:]), native.Uint64(b[40:]), native.Uint64(b[48:])}
	return m, m.pageSize >= 512 && m.pageSize <= 64<<10 && bits.OnesCount32(m.pageSize) == 1
}

// readMeta finds the meta page that bbolt will go by.
func readMeta(f io.ReaderAt) (best boltMeta, err error) {
	head := make([]byte, pageHead+metaSize)
	found := false
	var failed error // of the disk: then nothing can be said of what stands there
	consider := func(at int64) {
		if _, err := f.ReadAt(head, at); err != nil {
			if !errors.Is(err, io.EOF) {
				failed = errors.Join(failed, err)
			}
			return
		}
		if m, ok := parseMeta(head); ok && (!found || m.txn > best.txn) {
			best, found = m, true
		}
	}
	consider(0)
	if found {
		consider(int64(best.pageSize))
	} else {
		for size := int64(512); size <= 64<<10 && !found; size *= 2 {
			consider(size)
		}
	}
	if failed != nil {
		return best, failed
	}
	if !found {
		return best, fmt.Errorf("%w: neither of its two first pages makes sense", ErrDamaged)
	}
	return best, nil
}

// pageCheck is one look through a file.
type pageCheck struct {
	f    io.ReaderAt
	m    boltMeta
	seen []uint64 // bits: pages that belong to something
	buf  [][]byte // one per level
}

// checkPages reports, as ErrDamaged, what makes no sense in the structure of a
// bbolt file of so many bytes. It reads every page in use once. What the values
// say is not its business. What the disk can't read is no damage, but an error
// of its own: it says nothing of the content.
func checkPages(f io.ReaderAt, size int64) error {
	if size == 0 {
		return fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	m, err := readMeta(f)
	if err != nil {
		return err
	}
	c := &pageCheck{f: f, m: m}
	if have := uint64(size) / uint64(m.pageSize); m.pages > have || m.pages < 3 {
		return fmt.Errorf("%w: it is cut short, %d of %d bytes are left", ErrDamaged, size, m.pages*uint64(m.pageSize))
	}
	c.seen = make([]uint64, m.pages/64+1)
	c.seen[0] = 3 // the two first pages
	err = c.tree(m.root, nil, nil, 0)
	if err == nil && m.freelist != noFreelist {
		err = c.freelist()
	}
	return err
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// claim says that a page belongs to something, and to nothing else.
func (c *pageCheck) claim(id, n uint64) error {
	if id < 2 || id >= c.m.pages || n > c.m.pages-id {
		return damaged("page %d is outside of the file", id)
	}
	for ; n > 0; id, n = id+1, n-1 {
		if c.seen[id/64]&(1<<(id%64)) != 0 {
			return damaged("page %d is used twice", id)
		}
		c.seen[id/64] |= 1 << (id % 64)
	}
	return nil
}

// read returns a page with all that overflows it.
func (c *pageCheck) read(id uint64, level int) ([]byte, error) {
	if id < 2 || id >= c.m.pages {
		return nil, damaged("page %d is outside of the file", id)
	}
	for len(c.buf) <= level {
		c.buf = append(c.buf, make([]byte, c.m.pageSize))
	}
	at, size := int64(id)*int64(c.m.pageSize), int(c.m.pageSize)
	page := c.buf[level][:size]
	if err := c.fill(page, at); err != nil {
		return nil, err
	}
	if got := native.Uint64(page); got != id {
		return nil, damaged("page %d says that it is page %d", id, got)
	}
	over := uint64(native.Uint32(page[12:]))
	if err := c.claim(id, over+1); err != nil {
		return nil, err
	}
	if over > 0 {
		whole := make([]byte, (over+1)*uint64(size)) // bounded by the file: claim looked
		copy(whole, page)
		if err := c.fill(whole[size:], at+int64(size)); err != nil {
			return nil, err
		}
		c.buf[level], page = whole, whole
	}
	return page, nil
}

func (c *pageCheck) fill(p []byte, at int64) error {
	_, err := c.f.ReadAt(p, at)
	if errors.Is(err, io.EOF) {
		return damaged("it is cut short")
	}
	return err
}

// tree looks at a page and all below it. Its keys must lie in [low, high); nil
// is no bound.
func (c *pageCheck) tree(id uint64, low, high []byte, level int) error {
	if level > maxNestedPages {
		return damaged("its pages nest too deeply")
	}
	page, err := c.read(id, level)
	if err != nil {
		return err
	}
	return c.elements(page, id, low, high, level)
}

func (c *pageCheck) elements(page []byte, id uint64, low, high []byte, level int) error {
	flags, count := native.Uint16(page[8:]), int(native.Uint16(page[10:]))
	if flags != branchFlag && flags != leafFlag {
		return damaged("page %d is of no known kind", id)
	}
	if pageHead+count*elementSize > len(page) || flags == branchFlag && count == 0 {
		return damaged("page %d can't hold %d entries", id, count)
	}
	var last []byte
	key := func(i int) (key, rest []byte, err error) {
		at := pageHead + i*elementSize
		e := page[at : at+elementSize]
		pos, ksize, vsize := uint64(native.Uint32(e)), uint64(native.Uint32(e[4:])), uint64(0)
		if flags == leafFlag {
			pos, ksize, vsize = uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
		}
		if begin := uint64(at) + pos; begin+ksize+vsize <= uint64(len(page)) && pos >= elementSize {
			return page[begin : begin+ksize], page[begin+ksize : begin+ksize+vsize], nil
		}
		return nil, nil, damaged("an entry of page %d lies outside of it", id)
	}
	for i := range count {
		k, v, err := key(i)
		if err != nil {
			return err
		}
		if i > 0 && bytes.Compare(last, k) >= 0 || low != nil && bytes.Compare(k, low) < 0 || high != nil && bytes.Compare(k, high) >= 0 {
			return damaged("the keys of page %d are out of order", id)
		}
		last = k
		e := page[pageHead+i*elementSize:]
		if flags == branchFlag {
			upto := high
			if i+1 < count {
				next, _, err := key(i + 1)
				if err != nil {
					return err
				}
				upto = next
			}
			if err := c.tree(native.Uint64(e[8:]), k, upto, level+1); err != nil {
				return err
			}
		} else if native.Uint32(e)&bucketFlag != 0 {
			if err := c.bucket(id, v, level); err != nil {
				return err
			}
		}
	}
	return nil
}

// bucket looks into a bucket: a tree of its own, or inline in its value.
func (c *pageCheck) bucket(id uint64, v []byte, level int) error {
	if len(v) < bucketHead {
		return damaged("a bucket in page %d is too short", id)
	}
	if root := native.Uint64(v); root != 0 {
		return c.tree(root, nil, nil, level+1)
	}
	if len(v) < bucketHead+pageHead || native.Uint16(v[bucketHead+8:]) != leafFlag {
		return damaged("a bucket in page %d makes no sense", id)
	}
	return c.elements(v[bucketHead:], id, nil, nil, level)
}

// freelist looks whether the pages that are said to be free are.
func (c *pageCheck) freelist() error {
	page, err := c.read(c.m.freelist, 0)
	if err != nil {
		return err
	}
	ids, count := page[pageHead:], uint64(native.Uint16(page[10:]))
	if native.Uint16(page[8:]) != freelistFlag {
		return damaged("its list of free pages is none")
	}
	if count == 0xFFFF && len(ids) >= 8 {
		count, ids = native.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return damaged("its list of free pages is cut short")
	}
	for i := range count {
		if err := c.claim(native.Uint64(ids[i*8:]), 1); err != nil {
			return err
		}
	}
	return nil
}
