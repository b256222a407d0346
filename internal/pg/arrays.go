package pg

import (
	"encoding/binary"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// registerArrays has lists of UUIDs and of strings written as PostgreSQL reads them. The driver boxes each element.
func registerArrays(m *pgtype.Map) {
	for name, oid := range map[string]uint32{"_uuid": pgtype.UUIDArrayOID, "_text": pgtype.TextArrayOID} {
		if t, ok := m.TypeForOID(oid); ok {
			m.RegisterType(&pgtype.Type{Name: name, OID: oid, Codec: arrays{t.Codec}})
		}
	}
}

// arrays is the driver's codec with a short way for what is asked most.
type arrays struct {
	pgtype.Codec
}

func (a arrays) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if format == pgx.BinaryFormatCode {
		switch value.(type) {
		case []uuid.UUID:
			return uuidList{}
		case []string:
			return stringList{}
		}
	}
	return a.Codec.PlanEncode(m, oid, format, value)
}

type uuidList struct{}

// Encode appends the list; nil is NULL.
func (uuidList) Encode(value any, buf []byte) ([]byte, error) {
	list := value.([]uuid.UUID)
	if list == nil {
		return nil, nil
	}
	buf = appendArray(buf, pgtype.UUIDOID, len(list))
	for i := range list {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(list[i])))
		buf = append(buf, list[i][:]...)
	}
	return buf, nil
}

type stringList struct{}

// Encode appends the list; nil is NULL.
func (stringList) Encode(value any, buf []byte) ([]byte, error) {
	list := value.([]string)
	if list == nil {
		return nil, nil
	}
	buf = appendArray(buf, pgtype.TextOID, len(list))
	for _, s := range list {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(s)))
		buf = append(buf, s...)
	}
	return buf, nil
}

// appendArray appends the head of an array of n elements that aren't NULL: its dimensions, whether it has NULLs, the type
// of its elements, and how many there are, counted from 1.
func appendArray(buf []byte, elem uint32, n int) []byte {
	dimensions := uint32(min(n, 1))
	buf = binary.BigEndian.AppendUint32(buf, dimensions)
	buf = binary.BigEndian.AppendUint32(buf, 0)
	buf = binary.BigEndian.AppendUint32(buf, elem)
	if dimensions > 0 {
		buf = binary.BigEndian.AppendUint32(buf, uint32(n))
		buf = binary.BigEndian.AppendUint32(buf, 1)
	}
	return buf
}
