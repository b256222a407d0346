package graph_test

import (
	"encoding/json"
	"math"
	"net/http"
	"testing"
)

// TestStatisticsByKey: a partner's key counts everyone, though it may read nobody's
// record, and is told coarse numbers; a key that is limited counts its unit alone.
func TestStatisticsByKey(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	s := asSite(t, h)
	const query = `{ memberStatistics(asOf: "2024-06-30") { by(dimension: GRADE) { total } } }`
	const ofWales = `{ memberStatistics(asOf: "2024-06-30", filter: {region: "wales"}) { by(dimension: GRADE) { total } } }`
	region, _ := at(data(t, h, `{ region(slug: "wales") { id } }`, nil), "region", "id").(string)
	for arguments, exact := range map[string]string{
		`scopes: [STATISTICS_READ]`:                         query,
		`scopes: [STATISTICS_READ], unit: "` + region + `"`: ofWales,
	} {
		n, _ := at(asked(t, h, administrator, exact).Data, "memberStatistics", "by", "total").(float64)
		if n < 5 {
			t.Fatalf("the office counts %v", n)
		}
		_, _, secret := aKey(t, h, "Dashboard "+arguments[len(arguments)-4:len(arguments)-2], arguments)
		var got struct {
			Data struct {
				MemberStatistics struct{ By struct{ Total float64 } }
			}
		}
		r := s.send(http.MethodPost, query, "Authorization", "Bearer "+secret)
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			t.Fatal(err)
		}
		if total := got.Data.MemberStatistics.By.Total; math.Abs(total-n) > 2 || math.Mod(total, 5) != 0 {
			t.Errorf("%s: the key counts %v of %v: %s", arguments, total, n, r.body)
		}
	}
}
