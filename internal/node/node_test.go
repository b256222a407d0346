package node_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
)

func TestIDIsTheTextOfTheUUID(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("0192f3a1-0000-7abc-8def-0123456789ab")
	opaque := node.ID("Region", id)
	typeName, got, err := node.Parse("id", opaque)
	if err != nil || typeName != "Region" || got != id {
		t.Errorf("Parse(%q) = %q, %v, %v", opaque, typeName, got, err)
	}
	if _, err := node.ParseOf("id", "Region", opaque); err != nil {
		t.Error(err)
	}
}

func TestKeyedIsStable(t *testing.T) {
	t.Parallel()
	// Changing this breaks every ID that a client has kept.
	if got, want := node.Keyed("menu", "main").String(), "fcc284bb-fff2-557f-b098-00833d855a41"; got != want {
		t.Errorf("Keyed = %s, want %s", got, want)
	}
	if node.Keyed("menu", "main") == node.Keyed("entry", "main") {
		t.Error("two kinds share an ID")
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, opaque := range []string{
		"", "nothing", "UmVnaW9u", "OjAxOTJmM2ExLTAwMDAtN2FiYy04ZGVmLTAxMjM0NTY3ODlhYg",
		node.ID("Region", uuid.Nil) + "AAAA", string(make([]byte, 4096)),
	} {
		_, _, err := node.Parse("id", opaque)
		var invalid *errs.Invalid
		if !errors.As(err, &invalid) {
			t.Errorf("Parse(%.20q): got %v, want bad input", opaque, err)
		}
	}
	if _, err := node.ParseOf("id", "Member", node.ID("Region", uuid.Nil)); err == nil {
		t.Error("the ID of a Region passes for that of a Member")
	}
}
