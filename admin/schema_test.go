package admin_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// schema checks values against the part of JSON Schema that openapi.json uses.
// A keyword that it does not know is a fault: a rule that nobody checks is none.
type schema struct{ root map[string]any }

// at follows a reference within the document.
func (s schema) at(reference string) (map[string]any, error) {
	var here any = s.root
	for _, key := range strings.Split(strings.TrimPrefix(reference, "#/"), "/") {
		here = here.(map[string]any)[key]
		if here == nil {
			return nil, fmt.Errorf("%s leads nowhere", reference)
		}
	}
	return here.(map[string]any), nil
}

// check says what is wrong with a value, at a place of it.
func (s schema) check(rules map[string]any, v any, place string) error {
	if reference, ok := rules["$ref"].(string); ok {
		target, err := s.at(reference)
		if err != nil {
			return err
		}
		return s.check(target, v, place)
	}
	for keyword, rule := range rules {
		if err := s.checkKeyword(rules, keyword, rule, v); err != nil {
			if strings.HasPrefix(err.Error(), "/") {
				return fmt.Errorf("%s%w", place, err)
			}
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	return nil
}

func (s schema) checkKeyword(rules map[string]any, keyword string, rule, v any) error {
	object, _ := v.(map[string]any)
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	switch keyword {
	case "description":
	case "type":
		types, several := rule.([]any)
		if !several {
			types = []any{rule}
		}
		if !slices.ContainsFunc(types, func(name any) bool { return isOfType(v, name.(string)) }) {
			return fmt.Errorf("%v is no %v", v, rule)
		}
	case "required":
		for _, key := range rule.([]any) {
			if _, there := object[key.(string)]; object != nil && !there {
				return fmt.Errorf("%v is missing", key)
			}
		}
	case "properties", "additionalProperties":
		return s.checkProperties(rules, object)
	case "items":
		list, _ := v.([]any)
		for i, item := range list {
			if err := s.check(rule.(map[string]any), item, fmt.Sprintf("/%d", i)); err != nil {
				return err
			}
		}
	case "enum":
		if !slices.Contains(rule.([]any), v) {
			return fmt.Errorf("%v is none of %v", v, rule)
		}
	case "pattern":
		if isText && !regexp.MustCompile(rule.(string)).MatchString(text) {
			return fmt.Errorf("%q does not fit %v", text, rule)
		}
	case "format":
		if _, err := time.Parse(time.RFC3339Nano, text); isText && err != nil {
			return err
		}
	case "minimum":
		if least, err := rule.(json.Number).Float64(); isNumber && err == nil {
			if n, _ := number.Float64(); n < least {
				return fmt.Errorf("%v is below %v", v, rule)
			}
		}
	default:
		return fmt.Errorf("the keyword %q is not known", keyword)
	}
	return nil
}

func (s schema) checkProperties(rules, object map[string]any) error {
	properties, _ := rules["properties"].(map[string]any)
	for key, value := range object {
		rule, known := properties[key]
		if !known {
			rule = rules["additionalProperties"]
		}
		switch r := rule.(type) {
		case map[string]any:
			if err := s.check(r, value, "/"+key); err != nil {
				return err
			}
		case bool:
			if !r {
				return fmt.Errorf("the key %q is not in the schema", key)
			}
		}
	}
	return nil
}

func isOfType(v any, name string) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	case json.Number:
		_, err := v.Int64()
		return name == "number" || name == "integer" && err == nil
	}
	return false
}
