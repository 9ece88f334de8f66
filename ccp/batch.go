package ccp

import (
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
)

// encode writes the update that comes next: the epochs from s.epoch on, as
// many as the batch and a packet allow. It gives the epoch that the update
// goes up to, and whether the batch made it end before the last.
func (s *Sender) encode() (data []byte, to uint32, cut bool) {
	t := s.o.Table
	header := Update{
		TableID: s.id, CurrentEpoch: t.log.current, FromEpoch: s.epoch,
		HoldDown: min(s.o.HoldDown, maxHoldDown),
		Speaker:  ilp.MustParseAddress(t.address),
	}
	size := fixedUpdateSize + oer.OctetsSize(len(t.address))
	header.ToEpoch, size = s.collect(size)

	data = make([]byte, 0, size)
	data = header.appendHeader(data)
	data = oer.AppendUint(data, uint64(len(s.fresh)))
	for _, e := range s.fresh {
		data = oer.AppendString(data, e.prefix)
		data = oer.AppendUint(data, uint64(1+len(e.route.Path)))
		data = oer.AppendString(data, t.address)
		data = appendHops(data, e.route.Path)
		auth := e.route.Auth.Next()
		data = append(data, auth[:]...)
		data = oer.AppendUint(data, 0)
	}
	data = oer.AppendUint(data, uint64(len(s.gone)))
	for _, e := range s.gone {
		data = oer.AppendString(data, e.prefix)
	}
	clear(s.fresh)
	clear(s.gone)
	return data, header.ToEpoch, header.ToEpoch != t.log.current
}

// fixedUpdateSize is all of an update but the speaker and the routes, with
// room for the numbers of these.
const fixedUpdateSize = len(TableID{}) + 4*4 + 2*4

// collect finds the entries for the next update, to which this many bytes
// belong already. It gives the epoch up to which they are all that is to be
// said, and the bytes of them all.
func (s *Sender) collect(size int) (to uint32, total int) {
	t := s.o.Table
	s.fresh, s.gone = s.fresh[:0], s.gone[:0]
	for _, slot := range t.log.since(s.epoch) {
		if !slot.holds() {
			continue
		}
		e := slot.entry
		told := e.announced && e.nextHop.ID != s.o.Peer.ID && s.o.Export(s.o.Peer, e.nextHop)
		more := oer.OctetsSize(len(e.prefix))
		if told {
			more = t.size(e)
		}
		if len(s.fresh)+len(s.gone) == s.batch || size+more > ilp.MaxDataLength {
			return slot.epoch, size
		}
		size += more
		if told {
			s.fresh = append(s.fresh, e)
		} else {
			s.gone = append(s.gone, e)
		}
	}
	return t.log.current, size
}
