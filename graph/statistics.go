package graph

import (
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/statistics"
)

// counted counts for each parent. Each is another day or another filter, of which no
// statement counts two.
func counted[T any](parents []*statistics.Statistics, count func(*statistics.Statistics) (T, error)) ([]T, error) {
	counts := make([]T, len(parents))
	for i, p := range parents {
		c, err := count(p)
		if err != nil {
			return nil, err
		}
		counts[i] = c
	}
	return counts, nil
}

func statisticsFilter(f *gen.MemberStatisticsFilter) *statistics.Filter {
	if f == nil {
		return nil
	}
	return &statistics.Filter{Grade: (*string)(f.Grade), Region: f.Region, Section: f.Section}
}
