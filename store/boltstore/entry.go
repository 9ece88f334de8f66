package boltstore

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/interledger-go/connector/store"
)

// The form of a journal, in big-endian order. Its first page begins with magic
// number (8 bytes), version, size of a page (4 each), size of the file, first
// generation (8 each) and a CRC-32C of these (4).
//
// An entry, which is the record of a group, fills pages from the second one
// on: magic number (8), generation (8), number in it, length of the payload (4
// each) and a CRC-32C of these and the payload (4); the payload; zeros. The
// payload is changes, one after the other: length of the key (2), whose first
// bit says that the key is deleted, and otherwise length of the value (4); key;
// value.
const (
	journalMagic = 0x89494c504a524e4c
	journalForm  = 1
	headerSum    = 8 + 4 + 4 + 8 + 8

	entryMagic  = 0x89494c50454e5452
	entrySum    = 8 + 8 + 4 + 4
	entryHeader = entrySum + 4

	deleteFlag = 1 << 15
)

// putJournalHeader writes the header of a journal of len(b) bytes.
func putJournalHeader(b []byte, base uint64) {
	h := binary.BigEndian.AppendUint64(b[:0], journalMagic)
	h = binary.BigEndian.AppendUint32(h, journalForm)
	h = binary.BigEndian.AppendUint32(h, journalPage)
	h = binary.BigEndian.AppendUint64(h, uint64(len(b)))
	h = binary.BigEndian.AppendUint64(h, base)
	binary.BigEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
}

// decodeJournalHeader returns the first generation of a journal, or an error
// that wraps ErrDamaged if its header is not one for what is there.
func decodeJournalHeader(b []byte) (base uint64, err error) {
	if len(b) < headerSum+4 {
		return 0, damagef("%d bytes", len(b))
	}
	if magic := binary.BigEndian.Uint64(b); magic != journalMagic {
		return 0, damagef("begins with %#x, not %#x", magic, uint64(journalMagic))
	}
	if version := binary.BigEndian.Uint32(b[8:]); version != journalForm {
		return 0, damagef("version %d, not %d", version, journalForm)
	}
	if crc32.Checksum(b[:headerSum], castagnoli) != binary.BigEndian.Uint32(b[headerSum:]) {
		return 0, damagef("header: wrong checksum")
	}
	pageSize, size := binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint64(b[16:])
	if pageSize != journalPage || size%journalPage != 0 {
		return 0, damagef("%d bytes in pages of %d bytes, not %d", size, pageSize, journalPage)
	}
	if size != uint64(len(b)) {
		return 0, damagef("%d bytes, not %d", len(b), size)
	}
	return binary.BigEndian.Uint64(b[24:]), nil
}

// entry is the record of a group.
type entry struct {
	generation uint64
	index      uint32
	payload    []byte
}

// pages returns how many pages the entry takes.
func (e entry) pages() int { return pagesOf(len(e.payload)) }

// decodeEntry reads the entry that b begins with, if that is one, and whole.
func decodeEntry(b []byte) (entry, bool) {
	if len(b) < entryHeader || binary.BigEndian.Uint64(b) != entryMagic {
		return entry{}, false
	}
	size := binary.BigEndian.Uint32(b[20:])
	if uint64(size) > uint64(len(b)-entryHeader) {
		return entry{}, false
	}
	payload := b[entryHeader : entryHeader+int(size)]
	if entryChecksum(b[:entrySum], payload) != binary.BigEndian.Uint32(b[entrySum:]) {
		return entry{}, false
	}
	return entry{binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:]), payload}, true
}

func entryChecksum(header, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(header, castagnoli), castagnoli, payload)
}

// entryPayload returns the payload of an entry that we have encoded.
func entryPayload(b []byte) []byte {
	return b[entryHeader : entryHeader+binary.BigEndian.Uint32(b[20:])]
}

// payloadSize returns how many bytes the changes of a group take in an entry,
// and how many changes they are.
func payloadSize(group []*waiter) (size, changes int) {
	for _, w := range group {
		changes += w.batch.Len()
		for op := range w.batch.Ops() {
			size += 2 + len(op.Key)
			if !op.Delete {
				size += 4 + len(op.Value)
			}
		}
	}
	return size, changes
}

// appendEntry appends the entry of a group to b, in whole pages. Its payload
// must not be larger than a uint32 says.
func appendEntry(b []byte, group []*waiter, generation uint64, index uint32) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint64(b, entryMagic)
	b = binary.BigEndian.AppendUint64(b, generation)
	b = binary.BigEndian.AppendUint32(b, index)
	b = append(b, make([]byte, entryHeader-(len(b)-start))...)
	for _, w := range group {
		for op := range w.batch.Ops() {
			b = appendChange(b, op)
		}
	}
	e := b[start:]
	payload := e[entryHeader:]
	binary.BigEndian.PutUint32(e[20:], uint32(len(payload)))
	binary.BigEndian.PutUint32(e[entrySum:], entryChecksum(e[:entrySum], payload))
	return append(b, make([]byte, pagesOf(len(payload))*journalPage-len(e))...)
}

func appendChange(b []byte, op store.Op) []byte {
	if op.Delete {
		b = binary.BigEndian.AppendUint16(b, uint16(len(op.Key))|deleteFlag)
		return append(b, op.Key...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(op.Key)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(op.Value)))
	b = append(b, op.Key...)
	return append(b, op.Value...)
}

// cutChange reads the change that a payload begins with, and returns what
// follows it. Key and value point into the payload.
func cutChange(b []byte) (key []byte, c change, rest []byte, err error) {
	if len(b) < 2 {
		return nil, change{}, nil, damagef("%d bytes for a change", len(b))
	}
	keySize := int(binary.BigEndian.Uint16(b))
	deleted := keySize&deleteFlag != 0
	keySize &^= deleteFlag
	b = b[2:]
	valueSize := 0
	if !deleted {
		if len(b) < 4 {
			return nil, change{}, nil, damagef("%d bytes for a change", len(b))
		}
		valueSize = int(min(binary.BigEndian.Uint32(b), store.MaxValueSize+1))
		b = b[4:]
	}
	if keySize == 0 || keySize > store.MaxKeySize || valueSize > store.MaxValueSize || keySize+valueSize > len(b) {
		return nil, change{}, nil, damagef("%d bytes for a key of %d bytes and a value of %d", len(b), keySize, valueSize)
	}
	end := keySize + valueSize
	if !deleted {
		c.value = b[keySize:end:end]
	}
	return b[:keySize], c, b[end:], nil
}

// checkPayload returns an error that wraps ErrDamaged unless a payload is
// changes.
func checkPayload(b []byte) (err error) {
	for len(b) > 0 && err == nil {
		_, _, b, err = cutChange(b)
	}
	return err
}
