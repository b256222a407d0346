package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// sameData says with an error where the "data" of two answers differ as JSON
// values. The order of members and the white space do not matter; an answer with
// errors is never the same.
func sameData(a, b []byte) error {
	var values [2]any
	for i, text := range [][]byte{a, b} {
		var answer struct {
			Data   any             `json:"data"`
			Errors json.RawMessage `json:"errors"`
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&answer); err != nil {
			return fmt.Errorf("%.200q is no answer: %w", text, err)
		}
		if answer.Errors != nil {
			return fmt.Errorf("the answer has errors: %.500s", answer.Errors)
		}
		if answer.Data == nil {
			return fmt.Errorf("%.200q has no data", text)
		}
		values[i] = answer.Data
	}
	return differ("data", values[0], values[1])
}

// differ says at which path two JSON values differ first.
func differ(path string, a, b any) error {
	switch a := a.(type) {
	case map[string]any:
		if other, ok := b.(map[string]any); ok {
			for name := range other {
				if _, ok := a[name]; !ok {
					return fmt.Errorf("%s.%s is only in the second answer", path, name)
				}
			}
			for name, value := range a {
				v, ok := other[name]
				if !ok {
					return fmt.Errorf("%s.%s is only in the first answer", path, name)
				}
				if err := differ(path+"."+name, value, v); err != nil {
					return err
				}
			}
			return nil
		}
	case []any:
		if other, ok := b.([]any); ok {
			for i := range min(len(a), len(other)) {
				if err := differ(fmt.Sprintf("%s[%d]", path, i), a[i], other[i]); err != nil {
					return err
				}
			}
			if len(a) != len(other) {
				return fmt.Errorf("%s has %d elements in the first answer and %d in the second", path, len(a), len(other))
			}
			return nil
		}
	}
	if !reflect.DeepEqual(a, b) {
		return fmt.Errorf("%s is %v in the first answer and %v in the second", path, a, b)
	}
	return nil
}
