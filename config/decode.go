package config

import (
	"cmp"
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder puts JSON values into Go values, by the json tags of their fields.
// It is strict, and goes on after a fault, so that all of them are found. A
// field with the tag config:"required" must be there; one with
// config:"positive" is not 0 if it is. A blank field with the tag
// refused:"name: hint" is a name that others know, and we do not: the hint says
// what is in its place.
type decoder struct {
	*faults
	secrets *vault   // nil: secrets refer to nothing
	seen    []string // the secrets that were read
}

// nodeReader is a type that reads itself.
type nodeReader interface {
	readNode(d *decoder, path string, n *node)
}

// value puts n into v, which can be set.
func (d *decoder) value(path string, n *node, v reflect.Value) {
	if n.kind == null {
		d.add(path, "is null: leave it out instead")
		return
	}
	switch own := v.Addr().Interface().(type) {
	case nodeReader:
		own.readNode(d, path, n)
		return
	case encoding.TextUnmarshaler:
		if !d.is(path, n, text) {
			return
		}
		if err := own.UnmarshalText([]byte(n.text)); err != nil {
			_, problem, _ := strings.Cut(err.Error(), ": ") // without the package
			d.add(path, "is %q: %s", n.text, cmp.Or(problem, err.Error()))
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(path, n, v.Elem())
	case reflect.Struct:
		d.structure(path, n, v)
	case reflect.Map:
		d.mapping(path, n, v)
	case reflect.Slice:
		d.slice(path, n, v)
	case reflect.String:
		if d.is(path, n, text) {
			v.SetString(n.text)
		}
	case reflect.Bool:
		if d.is(path, n, boolean) {
			v.SetBool(n.text == "true")
		}
	case reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint64:
		d.integer(path, n, v)
	default:
		d.add(path, "cannot be read into a %s: this is a fault of its driver", v.Type())
	}
}

func (d *decoder) is(path string, n *node, want kind) bool {
	if n.kind != want {
		d.add(path, "is %s: it must be %s", n.kind, want)
	}
	return n.kind == want
}

func (d *decoder) structure(path string, n *node, v reflect.Value) {
	if !d.is(path, n, object) {
		return
	}
	fields := fieldsOf(v.Type())
	given := make(map[string]bool, len(n.members))
	for _, m := range n.members {
		where := at(path, m.name)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == m.name })
		switch {
		case given[m.name]:
			d.add(where, "is there twice: keep one of them")
		case i < 0:
			d.add(where, "is not known: %s", known(m.name, names(fields)))
		case fields[i].refused != "":
			d.add(where, "has no effect here: %s; leave it out", fields[i].refused)
		default:
			target := v.FieldByIndex(fields[i].index)
			d.value(where, m.value, target)
			if fields[i].positive && target.IsZero() {
				d.add(where, "is 0: it must be more; leave it out for the default")
			}
		}
		given[m.name] = true
	}
	for _, f := range fields {
		if f.required && !given[f.name] {
			d.add(at(path, f.name), "is missing: it is required")
		}
	}
}

func (d *decoder) mapping(path string, n *node, v reflect.Value) {
	if !d.is(path, n, object) {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, m := range n.members {
		key := reflect.ValueOf(m.name).Convert(v.Type().Key())
		if v.MapIndex(key).IsValid() {
			d.add(at(path, m.name), "is there twice: keep one of them")
			continue
		}
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(at(path, m.name), m.value, element)
		v.SetMapIndex(key, element)
	}
}

func (d *decoder) slice(path string, n *node, v reflect.Value) {
	if !d.is(path, n, list) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		d.value(indexed(path, i), item, v.Index(i))
	}
}

// integer takes whole numbers alone, as JSON numbers.
func (d *decoder) integer(path string, n *node, v reflect.Value) {
	if !d.is(path, n, number) {
		return
	}
	if v.CanUint() {
		u, err := strconv.ParseUint(n.text, 10, v.Type().Bits())
		if err != nil {
			d.add(path, "is %s: it must be a whole number from 0 to %d", n.text, ^uint64(0)>>(64-v.Type().Bits()))
			return
		}
		v.SetUint(u)
		return
	}
	i, err := strconv.ParseInt(n.text, 10, v.Type().Bits())
	if err != nil {
		d.add(path, "is %s: it must be a whole number", n.text)
		return
	}
	v.SetInt(i)
}

// field is a field of a struct, as JSON has it.
type field struct {
	name     string
	index    []int
	kind     reflect.Type
	required bool   // it must be there
	positive bool   // if it is there, it is not 0
	refused  string // why it must not be there; empty: it may
}

// fieldsOf gives the fields of a struct, those of embedded structs included.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if refused, hint, ok := strings.Cut(f.Tag.Get("refused"), ": "); ok {
			fields = append(fields, field{name: refused, refused: hint})
			continue
		}
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
		case name == "" || name == "-" || !f.IsExported():
		default:
			tag := f.Tag.Get("config")
			fields = append(fields, field{name: name, index: []int{i}, kind: f.Type, required: tag == "required", positive: tag == "positive"})
		}
	}
	return fields
}

// names gives those of the fields that may be there.
func names(fields []field) []string {
	var all []string
	for _, f := range fields {
		if f.refused == "" {
			all = append(all, f.name)
		}
	}
	return all
}
