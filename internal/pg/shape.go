package pg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// shape is how the rows of a statement become structs of one type: found out once by reflection, then followed for
// every row. The driver's own way asks for the names of the columns anew for each row, and takes some ten allocations
// for it.
//
// Fields are written to where they are in memory, which is what unsafe is for here: setting them by reflection takes
// nearly twice as long, and an answer can have thousands. Every write is of a type with the memory layout of the field:
// decoderOf sees to that, and a test compares with what the driver reads.
type shape struct {
	of      reflect.Type
	columns []column
}

// column is how one column becomes a field.
type column struct {
	name   string
	oid    uint32
	format int16
	field  reflect.Type // nil: none is found yet
	offset uintptr      // of the field in the struct
	elem   reflect.Type // what the field points to; nil if it isn't a pointer, and NULL then is an error
	read   decoder      // nil: the driver knows how
}

// decoder sets the value at dst from a column that isn't NULL.
type decoder func(dst unsafe.Pointer, src []byte, texts *texts) error

// fits says whether columns are those the shape was made for: a migration may have changed a type.
func (s *shape) fits(columns []pgconn.FieldDescription) bool {
	return slices.EqualFunc(s.columns, columns, func(c column, d pgconn.FieldDescription) bool {
		return c.oid == d.DataTypeOID && c.format == d.Format && c.name == d.Name
	})
}

// newShape finds a field for each column and a column for each field.
func newShape(t reflect.Type, columns []pgconn.FieldDescription) (*shape, error) {
	s := &shape{of: t, columns: make([]column, len(columns))}
	for i, d := range columns {
		s.columns[i] = column{name: d.Name, oid: d.DataTypeOID, format: d.Format}
	}
	if err := s.addFields(t, 0); err != nil {
		return nil, err
	}
	for _, c := range s.columns {
		if c.field == nil {
			return nil, fmt.Errorf("the column %s has no field in %s", c.name, t)
		}
	}
	return s, nil
}

// addFields finds the columns of the fields of t, which begins so many bytes into the struct.
func (s *shape) addFields(t reflect.Type, offset uintptr) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			if err := s.addFields(f.Type, offset+f.Offset); err != nil {
				return err
			}
			continue
		}
		name, tagged := f.Tag.Lookup("db")
		if !tagged {
			name = f.Name
		}
		if name == "-" || !f.IsExported() {
			continue
		}
		c := s.column(name)
		if c == nil {
			return fmt.Errorf("the field %s of %s has no column", f.Name, s.of)
		}
		c.field, c.offset = f.Type, offset+f.Offset
		target := f.Type
		if target.Kind() == reflect.Pointer {
			target = target.Elem()
		}
		if c.read = decoderOf(c.oid, c.format, target); c.read != nil && target != f.Type {
			c.elem = target
		}
	}
	return nil
}

// column returns the column of a field: underscores and case do not matter.
func (s *shape) column(field string) *column {
	plain := func(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }
	for i := range s.columns {
		if plain(s.columns[i].name) == plain(field) {
			return &s.columns[i]
		}
	}
	return nil
}

// reader reads the rows of one answer. What rows point to is allocated for many rows at once.
type reader struct {
	shape *shape
	types *pgtype.Map
	texts texts
	// behind holds for each column of pointers the values made for them.
	behind []slab
	size   int // how many rows are allocated at once
}

// lastChunk is how many rows are allocated at once in the end. It begins with one: most answers are short.
const lastChunk = 64

// grow returns for how many rows to allocate next, if there are no more than most.
func (r *reader) grow(most int) int {
	r.size = min(max(1, 4*r.size), lastChunk, most)
	return r.size
}

// read fills the struct at dst, which is of the type of the shape, from the values of a row; these are the driver's until
// it reads on.
func (r *reader) read(dst unsafe.Pointer, values [][]byte) error {
	for i := range r.shape.columns {
		c := &r.shape.columns[i]
		at := unsafe.Add(dst, c.offset)
		src := values[i]
		switch {
		case c.read == nil:
			if err := r.types.Scan(c.oid, c.format, src, reflect.NewAt(c.field, at).Interface()); err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
			continue
		case src == nil && c.elem == nil:
			return fmt.Errorf("column %s: NULL does not fit a %s", c.name, c.field)
		case src == nil:
			continue
		case c.elem != nil:
			behind := r.next(i, c.elem)
			*(*unsafe.Pointer)(at) = behind
			at = behind
		}
		if err := c.read(at, src, &r.texts); err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return nil
}

// slab is a slice of values, the first used of which are taken.
type slab struct {
	values    unsafe.Pointer
	used, len int
}

// next returns a pointer to a new value for the column.
func (r *reader) next(column int, t reflect.Type) unsafe.Pointer {
	if r.size == 1 {
		return reflect.New(t).UnsafePointer()
	}
	if r.behind == nil {
		r.behind = make([]slab, len(r.shape.columns))
	}
	s := &r.behind[column]
	if s.used == s.len {
		*s = slab{values: reflect.MakeSlice(reflect.SliceOf(t), r.size, r.size).UnsafePointer(), len: r.size}
	}
	s.used++
	return unsafe.Add(s.values, uintptr(s.used-1)*t.Size())
}

// texts keeps the texts of an answer in a few strings, each four times as long as the one before.
type texts struct {
	b strings.Builder
}

// How many bytes of text are allocated at once, unless one text is longer.
const (
	firstText = 256
	lastText  = 4096
)

func (t *texts) keep(src []byte) string {
	if size := t.b.Cap(); len(src) > size-t.b.Len() {
		t.b.Reset()
		t.b.Grow(max(firstText, len(src), min(4*size, lastText)))
	}
	from := t.b.Len()
	t.b.Write(src)
	return t.b.String()[from:]
}

// decoderOf returns how a column of a type of PostgreSQL becomes a value of a type of Go; nil leaves it to the driver,
// as for arrays and JSON. The forms of bytes are those of the driver and of PostgreSQL's own binary format.
func decoderOf(oid uint32, format int16, t reflect.Type) decoder {
	switch {
	case t == reflect.TypeFor[uuid.UUID](), t == reflect.TypeFor[time.Time]():
	case reflect.PointerTo(t).NumMethod() > 0: // it may have a way of its own
		return nil
	}
	if (oid == pgtype.TextOID || oid == pgtype.VarcharOID) && t.Kind() == reflect.String {
		return func(dst unsafe.Pointer, src []byte, texts *texts) error {
			*(*string)(dst) = texts.keep(src)
			return nil
		}
	}
	if format != pgx.BinaryFormatCode {
		return nil
	}
	switch kind := t.Kind(); {
	case oid == pgtype.UUIDOID && t == reflect.TypeFor[uuid.UUID]():
		return sized(16, func(dst unsafe.Pointer, src []byte) { *(*uuid.UUID)(dst) = uuid.UUID(src) })
	case oid == pgtype.BoolOID && kind == reflect.Bool:
		return sized(1, func(dst unsafe.Pointer, src []byte) { *(*bool)(dst) = src[0] == 1 })
	case oid == pgtype.Int4OID && kind == reflect.Int:
		return sized(4, func(dst unsafe.Pointer, src []byte) { *(*int)(dst) = int(int32(binary.BigEndian.Uint32(src))) })
	case oid == pgtype.Int8OID && kind == reflect.Int && t.Size() == 8:
		return sized(8, func(dst unsafe.Pointer, src []byte) { *(*int)(dst) = int(binary.BigEndian.Uint64(src)) })
	case oid == pgtype.Int8OID && kind == reflect.Int64:
		return sized(8, func(dst unsafe.Pointer, src []byte) { *(*int64)(dst) = int64(binary.BigEndian.Uint64(src)) })
	case oid == pgtype.Float8OID && kind == reflect.Float64:
		return sized(8, func(dst unsafe.Pointer, src []byte) {
			*(*float64)(dst) = math.Float64frombits(binary.BigEndian.Uint64(src))
		})
	case oid == pgtype.DateOID && t == reflect.TypeFor[time.Time]():
		return readDate
	default:
		return nil
	}
}

// sized is a decoder for values of so many bytes.
func sized(n int, set func(unsafe.Pointer, []byte)) decoder {
	return func(dst unsafe.Pointer, src []byte, _ *texts) error {
		if len(src) != n {
			return fmt.Errorf("%d bytes, want %d", len(src), n)
		}
		set(dst, src)
		return nil
	}
}

// readDate reads a day. The days that are infinite, and so fit no time.Time, are the ends of the range of int32.
func readDate(dst unsafe.Pointer, src []byte, _ *texts) error {
	if len(src) != 4 {
		return fmt.Errorf("%d bytes, want 4", len(src))
	}
	days := int32(binary.BigEndian.Uint32(src))
	if days == math.MaxInt32 || days == math.MinInt32 {
		return errors.New("an infinite day is no time.Time")
	}
	*(*time.Time)(dst) = time.Unix(secondsTo2000+int64(days)*24*60*60, 0).UTC()
	return nil
}

// secondsTo2000 is 2000-01-01 in seconds since 1970; PostgreSQL counts days from there.
const secondsTo2000 = 946_684_800
