package registry_test

import (
	"slices"
	"testing"

	"github.com/sealane/sealane/internal/registry"
)

// The days of an environment are below its lead, which is the first notice.
func TestNoticeSchedule(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		of   registry.Rotation
		want []int
	}{
		{registry.Rotation{}, []int{75, 60, 30, 14, 7, 1, 0}},
		{registry.Rotation{Lead: 90}, []int{90, 60, 30, 14, 7, 1, 0}},
		{registry.Rotation{Lead: 20}, []int{20, 14, 7, 1, 0}},
		{registry.Rotation{Notices: []int{3, 45, 3}}, []int{75, 45, 3, 0}},
	} {
		if got := test.of.NoticeSchedule(); !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, want %v", test.of, got, test.want)
		}
	}
}
