package pg

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// shape is how the rows of a statement become structs of one type: found out once by reflection, then followed for
// every row. The driver's own way asks for the names of the columns anew for each row, and takes some ten allocations
// for it.
type shape struct {
	of      reflect.Type
	columns []column
}

// column is how one column becomes a field.
type column struct {
	name   string
	oid    uint32
	format int16
	path   []int        // of the field in the struct
	elem   reflect.Type // what the field points to; nil if it isn't a pointer, and NULL then is an error
	read   decoder      // nil: the driver knows how
}

// decoder sets a value from a column that isn't NULL.
type decoder func(dst reflect.Value, src []byte, texts *texts) error

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
	if err := s.addFields(t, nil); err != nil {
		return nil, err
	}
	for _, c := range s.columns {
		if c.path == nil {
			return nil, fmt.Errorf("the column %s has no field in %s", c.name, t)
		}
	}
	return s, nil
}

func (s *shape) addFields(t reflect.Type, path []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		path := append(slices.Clip(path), i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			if err := s.addFields(f.Type, path); err != nil {
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
		c.path = path
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

// The bounds of how many rows are allocated at once: most answers are short.
const firstChunk, lastChunk = 4, 64

// grow returns for how many rows to allocate next, if there are no more than most.
func (r *reader) grow(most int) int {
	r.size = min(max(firstChunk, 4*r.size), lastChunk, most)
	return r.size
}

// read fills the struct dst from the values of a row, which are the driver's until it reads on.
func (r *reader) read(dst reflect.Value, values [][]byte) error {
	for i := range r.shape.columns {
		c := &r.shape.columns[i]
		field := dst.FieldByIndex(c.path)
		src := values[i]
		switch {
		case c.read == nil:
			if err := r.types.Scan(c.oid, c.format, src, field.Addr().Interface()); err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
			continue
		case src == nil && c.elem == nil:
			return fmt.Errorf("column %s: NULL does not fit a %s", c.name, field.Type())
		case src == nil:
			continue
		case c.elem != nil:
			field.Set(r.next(i, c.elem))
			field = field.Elem()
		}
		if err := c.read(field, src, &r.texts); err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return nil
}

// slab is a slice of values, the first used of which are taken.
type slab struct {
	values reflect.Value
	used   int
}

// next returns a pointer to a new value for the column.
func (r *reader) next(column int, t reflect.Type) reflect.Value {
	if r.behind == nil {
		r.behind = make([]slab, len(r.shape.columns))
	}
	s := &r.behind[column]
	if !s.values.IsValid() || s.used == s.values.Len() {
		*s = slab{values: reflect.MakeSlice(reflect.SliceOf(t), r.size, r.size)}
	}
	s.used++
	return s.values.Index(s.used - 1).Addr()
}

// texts keeps the texts of an answer in a few large strings.
type texts struct {
	b strings.Builder
}

// textChunk is how many bytes of text are allocated at once.
const textChunk = 2048

func (t *texts) keep(src []byte) string {
	if len(src) > t.b.Cap()-t.b.Len() {
		t.b.Reset()
		t.b.Grow(max(textChunk, len(src)))
	}
	from := t.b.Len()
	t.b.Write(src)
	return t.b.String()[from:]
}

// decoderOf returns how a column of a type of PostgreSQL becomes a value of a type of Go; nil leaves it to the driver,
// as for arrays and JSON. The forms of bytes are those of the driver and of PostgreSQL's own binary format.
func decoderOf(oid uint32, format int16, t reflect.Type) decoder {
	own := t == reflect.TypeFor[uuid.UUID]() || t == reflect.TypeFor[time.Time]()
	if !own && reflect.PointerTo(t).NumMethod() > 0 { // it may have a way of its own
		return nil
	}
	if (oid == pgtype.TextOID || oid == pgtype.VarcharOID) && t.Kind() == reflect.String {
		return func(dst reflect.Value, src []byte, texts *texts) error {
			dst.SetString(texts.keep(src))
			return nil
		}
	}
	if format != pgx.BinaryFormatCode {
		return nil
	}
	isInt := t.Kind() == reflect.Int || t.Kind() == reflect.Int64 || t.Kind() == reflect.Int32
	switch {
	case oid == pgtype.UUIDOID && t == reflect.TypeFor[uuid.UUID]():
		return sized(16, func(dst reflect.Value, src []byte) { copy(dst.Addr().Interface().(*uuid.UUID)[:], src) })
	case oid == pgtype.BoolOID && t.Kind() == reflect.Bool:
		return sized(1, func(dst reflect.Value, src []byte) { dst.SetBool(src[0] == 1) })
	case oid == pgtype.Int4OID && isInt:
		return sized(4, func(dst reflect.Value, src []byte) { dst.SetInt(int64(int32(binary.BigEndian.Uint32(src)))) })
	case oid == pgtype.Int8OID && isInt && t.Kind() != reflect.Int32:
		return sized(8, func(dst reflect.Value, src []byte) { dst.SetInt(int64(binary.BigEndian.Uint64(src))) })
	case oid == pgtype.Float8OID && t.Kind() == reflect.Float64:
		return sized(8, func(dst reflect.Value, src []byte) { dst.SetFloat(math.Float64frombits(binary.BigEndian.Uint64(src))) })
	case oid == pgtype.DateOID && t == reflect.TypeFor[time.Time]():
		return readDate
	default:
		return nil
	}
}

// sized is a decoder for values of so many bytes.
func sized(n int, set func(reflect.Value, []byte)) decoder {
	return func(dst reflect.Value, src []byte, _ *texts) error {
		if len(src) != n {
			return fmt.Errorf("%d bytes, want %d", len(src), n)
		}
		set(dst, src)
		return nil
	}
}

// readDate reads a day. The days that are infinite, and so fit no time.Time, are the ends of the range of int32.
func readDate(dst reflect.Value, src []byte, _ *texts) error {
	if len(src) != 4 {
		return fmt.Errorf("%d bytes, want 4", len(src))
	}
	days := int32(binary.BigEndian.Uint32(src))
	if days == math.MaxInt32 || days == math.MinInt32 {
		return fmt.Errorf("an infinite day does not fit a %s", dst.Type())
	}
	*dst.Addr().Interface().(*time.Time) = time.Date(2000, time.January, 1+int(days), 0, 0, 0, 0, time.UTC)
	return nil
}
