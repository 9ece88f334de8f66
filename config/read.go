package config

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
)

// Source is where a configuration is read from. The zero value has nothing.
type Source struct {
	// File is the path of a JSON file; empty: none.
	File string
	// Environ is what os.Environ gives; nil: none. A variable replaces the key
	// of its name in the file.
	Environ []string
	// ReadFile reads File, and what secrets refer to; nil means os.ReadFile.
	ReadFile func(name string) ([]byte, error)
}

// Read reads a configuration, without a look at whether its parts fit
// together: see [Registry.Load]. An error is an [*Error] with all faults; what
// could be read is returned all the same.
func Read(s Source) (Config, error) {
	c, f := read(s)
	return c, f.err()
}

// prefix is what the names of all our variables begin with.
const prefix = "CONNECTOR_"

func read(s Source) (Config, *faults) {
	f := &faults{sources: make(map[string]string)}
	c := Default()
	c.secrets = &vault{environ: make(map[string]string), readFile: s.ReadFile}
	for _, pair := range s.Environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			c.secrets.environ[name] = value
		}
	}
	tree := readFile(s, f, c.secrets)
	readVariables(tree, f, c.secrets)

	d := &decoder{faults: f, secrets: c.secrets}
	d.value("", tree, reflect.ValueOf(&c).Elem())
	return c, f
}

// readFile gives the object that the file has, an empty one if there is none.
func readFile(s Source, f *faults, v *vault) *node {
	tree := &node{kind: object}
	if s.File == "" {
		return tree
	}
	read := v.readFile
	if read == nil {
		read = os.ReadFile
	}
	content, err := read(s.File)
	if err != nil {
		f.list = append(f.list, Fault{Source: s.File, Problem: "cannot be read: " + err.Error()})
		return tree
	}
	n, err := parse(content)
	switch {
	case err != nil:
		f.list = append(f.list, Fault{Source: s.File, Problem: err.Error()})
		return tree
	case n.kind != object:
		f.list = append(f.list, Fault{Source: s.File, Problem: "is " + n.kind.String() + `: it must be an object such as {"accounts": {}}`})
		return tree
	}
	for _, m := range n.members {
		f.sources[m.name] = s.File
	}
	return n
}

// readVariables puts what the environment says in the place of what tree has.
func readVariables(tree *node, f *faults, v *vault) {
	fields := fieldsOf(reflect.TypeFor[Config]())
	variables := make([]string, len(fields))
	for i, field := range fields {
		variables[i] = variable(field.name)
		value, from, ok := lookup(variables[i], f, v)
		if !ok {
			continue
		}
		f.sources[field.name] = from
		n, problem := parseVariable(field.kind, value)
		if problem != "" {
			f.add(field.name, "%s", problem)
			n = &node{kind: null}
		}
		tree.set(field.name, n)
	}
	unknownVariables(variables, f, v)
}

// lookup gives the value of a variable, or of the file that the variable of
// the same name and _FILE names.
func lookup(name string, f *faults, v *vault) (value, from string, ok bool) {
	value, ok = v.environ[name]
	file, inFile := v.environ[name+"_FILE"]
	switch {
	case ok && inFile:
		f.list = append(f.list, Fault{Source: name, Problem: "is set, and " + name + "_FILE too: keep one of them"})
		return "", "", false
	case inFile:
		content, err := v.read(file)
		if err != nil {
			f.list = append(f.list, Fault{Source: name + "_FILE", Problem: "names a file that cannot be read: " + err.Error()})
			return "", "", false
		}
		return content, name + "_FILE", true
	}
	return value, name, ok
}

// unknownVariables reports variables of our prefix that mean nothing.
func unknownVariables(variables []string, f *faults, v *vault) {
	var unknown []string
	for name := range v.environ {
		if strings.HasPrefix(name, prefix) && !orchestrated(name) &&
			!slices.Contains(variables, name) && !slices.Contains(variables, strings.TrimSuffix(name, "_FILE")) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		problem := "is not known"
		if near := nearest(name, variables); near != "" {
			problem += ": did you mean " + near + "?"
		} else {
			problem += ": unset it; docs/operating.md has all variables"
		}
		f.list = append(f.list, Fault{Path: name, Source: name, Problem: problem})
	}
}

// orchestrated reports whether Kubernetes sets a variable of this name for a
// service that is called "connector".
func orchestrated(name string) bool {
	return name == "CONNECTOR_PORT" || strings.HasPrefix(name, "CONNECTOR_PORT_") ||
		name == "CONNECTOR_SERVICE_HOST" || strings.HasPrefix(name, "CONNECTOR_SERVICE_PORT")
}

// form says how a value of type t is written in a variable.
func form(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration](), t == reflect.TypeFor[Spread](), t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "number"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "boolean"
	}
	return "JSON"
}

// parseVariable gives the JSON value that a variable stands for, or what is
// wrong with it.
func parseVariable(t reflect.Type, value string) (n *node, problem string) {
	switch form(t) {
	case "text":
		return &node{kind: text, text: value}, ""
	case "boolean":
		switch value {
		case "1", "true":
			return &node{kind: boolean, text: "true"}, ""
		case "0", "false", "":
			return &node{kind: boolean, text: "false"}, ""
		}
		return nil, "is neither true (or 1) nor false (or 0, or empty)"
	case "number":
		if value == "" {
			return nil, "is empty: unset the variable, or give a number"
		}
		if json.Valid([]byte(value)) && strings.Trim(value, "0123456789.eE+-") == "" {
			return &node{kind: number, text: value}, ""
		}
		return &node{kind: text, text: value}, ""
	}
	n, err := parse([]byte(value))
	if err != nil {
		return nil, err.Error()
	}
	return n, ""
}

// variable is the one of the environment for a key.
func variable(key string) string {
	var b strings.Builder
	b.WriteString(prefix)
	for i, r := range key {
		if r >= 'A' && r <= 'Z' && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}
