package graph_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
)

// inEXIF stands in the EXIF of a picture.
const inEXIF = "CANARY-51.4816N-3.1791W"

// halves is a picture whose left half is red and whose right half is blue.
func halves(width, height int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.RGBA{R: 255, A: 255}
			if x >= width/2 {
				c = color.RGBA{B: 255, A: 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func encoded(t *testing.T, encode func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t *testing.T, m image.Image) []byte {
	return encoded(t, func(w io.Writer) error { return jpeg.Encode(w, m, nil) })
}

func asPNG(t *testing.T, m image.Image) []byte {
	return encoded(t, func(w io.Writer) error { return png.Encode(w, m) })
}

// withEXIF puts an EXIF with an orientation and the canary into a JPEG.
func withEXIF(picture []byte, orientation byte) []byte {
	exif := "Exif\x00\x00MM\x00*\x00\x00\x00\x08" + "\x00\x01" + "\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00" + "\x00\x00\x00\x00" + inEXIF
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
	return slices.Concat(picture[:2], segment, []byte(exif), picture[2:])
}

// bomb is a small PNG that says it has very many pixels.
func bomb(picture []byte) []byte {
	b := slices.Clone(picture)
	binary.BigEndian.PutUint32(b[16:], 60_000)
	binary.BigEndian.PutUint32(b[20:], 60_000)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

const setPhoto = `mutation($image: String!) { setPhoto(input: {image: $image}) { member { photo { url width height } } userErrors { code field message } } }`

// photoSite is a site at which the roles are signed in.
type photoSite struct {
	site
	cookies map[string]string
}

// get asks for a path as a role.
func (s photoSite) get(role, path string, headers ...string) httpAnswer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, strings.TrimSuffix(s.url, "/graphql")+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(role, r, headers...)
}

func (s photoSite) do(role string, r *http.Request, headers ...string) httpAnswer {
	s.t.Helper()
	if cookie := s.cookies[role]; cookie != "" {
		r.Header.Set("Cookie", "session="+cookie)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return httpAnswer{resp.StatusCode, resp.Header, string(body)}
}

// upload sends a picture as the member does.
func (s photoSite) upload(text string) map[string]any {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url,
		strings.NewReader(`{"query":`+quoted(setPhoto)+`,"variables":{"image":`+quoted(text)+`}}`))
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.do("member", r, "Content-Type", "application/json")
	if a.status != http.StatusOK {
		s.t.Fatalf("an upload: %d %s", a.status, a.body)
	}
	d := decode(s.t, []byte(a.body))
	if len(d.Errors) > 0 {
		s.t.Fatalf("an upload: %+v", d.Errors)
	}
	return d.Data
}

// TestPhoto uploads photos, and wants them served to who may see them, with nothing in
// them that the file said besides.
func TestPhoto(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	s := photoSite{asSite(t, h), map[string]string{}}
	accounts := identity.Store{DB: db, Passwords: passwords}
	for _, role := range roles {
		session, err := accounts.SignIn(t.Context(), role+"@example.org", demoPassword, "", "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		s.cookies[role] = session.Token
	}
	owner, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT member_id FROM accounts WHERE email = 'member@example.org'`)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, `DELETE FROM member_details WHERE field = 'PHOTO'`)
	mustExec(t, db, `UPDATE members SET listing_audience = 'PUBLIC'`)

	// What is uploaded on its side is upright, and the canary is gone.
	sent := withEXIF(asJPEG(t, halves(1200, 600)), 6)
	if !bytes.Contains(sent, []byte(inEXIF)) {
		t.Fatal("there is no canary in what is sent")
	}
	got := s.upload("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(sent))
	first, _ := at(got, "setPhoto", "member", "photo", "url").(string)
	if num(got, "setPhoto", "member", "photo", "width") != 256 || num(got, "setPhoto", "member", "photo", "height") != 512 {
		t.Fatalf("the photo: %v", got)
	}
	a := s.get("member", first)
	if a.status != http.StatusOK || strings.Contains(a.body, inEXIF) || strings.Contains(a.body, "Exif") {
		t.Errorf("the photo is answered with %d, and has the canary: %t", a.status, strings.Contains(a.body, inEXIF))
	}
	shown, err := jpeg.Decode(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	for y, want := range map[int]string{10: "red", 500: "blue"} {
		r, _, b, _ := shown.At(128, y).RGBA()
		if is := map[bool]string{true: "red", false: "blue"}[r > b]; is != want {
			t.Errorf("at line %d it is %s, want %s", y, is, want)
		}
	}
	stored, err := pg.Scalar[bool](t.Context(), db, `
		SELECT EXISTS (SELECT FROM member_photos WHERE position(convert_to('CANARY', 'UTF8') IN jpeg) > 0)
			OR EXISTS (SELECT FROM audit_entries x WHERE x::text LIKE '%CANARY%')`)
	if err != nil || stored {
		t.Errorf("the canary is stored: %t, %v", stored, err)
	}

	// The audience decides, in the graph and here alike.
	const seen = `query($id: ID!) { member(id: $id) { photo { url } } }`
	of := map[string]any{"id": node.ID("Member", owner)}
	missing := s.get("anonymous", "/media/photos/"+uuid.NewString()+".jpg")
	if missing.status != http.StatusNotFound {
		t.Fatalf("a photo that is not there: %d", missing.status)
	}
	plain := func(a httpAnswer) string {
		id := a.header.Get("X-Request-Id")
		header := a.header.Clone()
		for _, name := range []string{"X-Request-Id", "Date"} {
			header.Del(name)
		}
		return strings.ReplaceAll(fmt.Sprint(a.status, header, a.body), id, "ID")
	}
	for audience, sees := range map[string][]string{
		"PUBLIC":  {"anonymous", "member", "officer", "editor", "membership", "administrator"},
		"MEMBERS": {"member", "officer", "editor", "membership", "administrator"},
		"STAFF":   {"member", "membership", "administrator"},
		"NOBODY":  {"member"},
	} {
		mustExec(t, db, `UPDATE member_details SET audience = '`+audience+`' WHERE field = 'PHOTO'`)
		for _, role := range slices.Concat([]string{"anonymous"}, roles) {
			want := slices.Contains(sees, role)
			d := decode(t, h.Execute(signedIn(t, h, db, role), params(seen, of)).Body)
			if url := at(d.Data, "member", "photo", "url"); len(d.Errors) > 0 || (url == first) != want || (url == nil) == want {
				t.Errorf("%s: %s is given %v in the graph, want it: %t %v", audience, role, url, want, d.Errors)
			}
			a := s.get(role, first)
			if (a.status == http.StatusOK) != want {
				t.Errorf("%s: %s is answered %d, want it: %t", audience, role, a.status, want)
			}
			if !want {
				if diff := cmp.Diff(plain(missing), plain(a)); diff != "" {
					t.Errorf("%s: %s can tell that there is a photo (-none +hidden)\n%s", audience, role, diff)
				}
				continue
			}
			for name, value := range map[string]string{
				"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
				"Content-Disposition":          `inline; filename="photo.jpg"`,
				"Cache-Control":                map[bool]string{true: "public, max-age=60", false: "private, no-store"}[audience == "PUBLIC"],
				"Cross-Origin-Resource-Policy": map[bool]string{true: "cross-origin", false: "same-origin"}[audience == "PUBLIC"],
			} {
				if a.header.Get(name) != value {
					t.Errorf("%s: %s: %s is %q, want %q", audience, role, name, a.header.Get(name), value)
				}
			}
		}
	}
	mustExec(t, db, `UPDATE member_details SET audience = 'PUBLIC' WHERE field = 'PHOTO'`)
	if a := s.get("anonymous", first, "If-None-Match", s.get("anonymous", first).header.Get("Etag")); a.status != http.StatusNotModified {
		t.Errorf("what a client has is answered with %d", a.status)
	}
	mustExec(t, db, `UPDATE members SET listing_audience = 'MEMBERS' WHERE id = '`+owner.String()+`'`)
	if a := s.get("anonymous", first); a.status != http.StatusNotFound {
		t.Errorf("the photo of who is not listed is answered with %d", a.status)
	}
	if a := s.get("editor", first); a.status != http.StatusOK || a.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("the photo of who is listed for members: %d %s", a.status, a.header.Get("Cache-Control"))
	}
	mustExec(t, db, `UPDATE members SET listing_audience = 'PUBLIC'`)
	for _, path := range []string{strings.ToUpper(first[14:]), strings.TrimSuffix(first, ".jpg")[14:], "a.jpg", "{" + first[14:50] + "}.jpg"} {
		if a := s.get("member", "/media/photos/"+path); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}

	// What can't be taken is refused with what would be right, and changes nothing.
	small := asPNG(t, halves(4, 2))
	for name, tt := range map[string]struct {
		image   []byte
		text    string
		message string
	}{
		"a bomb":               {image: bomb(small), message: "the picture is 60000 by 60000 pixels; make it 8 million pixels at most"},
		"garbage":              {image: []byte("garbage garbage"), message: "this is no JPEG, PNG, GIF or WebP; save the picture as one of these"},
		"an SVG":               {text: "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)), message: "this is no JPEG, PNG, GIF or WebP; save the picture as one of these"},
		"half a picture":       {image: sent[:len(sent)/2], message: "the picture can't be read; it may be damaged: save it anew as JPEG or PNG"},
		"no base64":            {text: "?", message: "this is no base64 (RFC 4648, section 4); pass the bytes of the picture in it, or a data URL"},
		"nothing":              {text: "", message: "this is no base64 (RFC 4648, section 4); pass the bytes of the picture in it, or a data URL"},
		"a data URL as text":   {text: "data:text/plain,x", message: "this data URL is not in base64; write it as data:image/jpeg;base64, and the picture"},
		"a byte too many":      {image: append(slices.Clone(small), make([]byte, 185<<10+1-len(small))...), message: "the picture is too large; make it 185 KiB at most, as a JPEG of 512 by 512 pixels is"},
		"a scan after another": {image: slices.Concat(sent[:len(sent)-2], bytes.Repeat([]byte("\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"), 40)), message: "the picture can't be read; it may be damaged: save it anew as JPEG or PNG"},
	} {
		text := tt.text
		if tt.image != nil {
			text = base64.StdEncoding.EncodeToString(tt.image)
		}
		begun := time.Now()
		got := s.upload(text)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%s is refused after %v", name, took)
		}
		want := map[string]any{"setPhoto": map[string]any{"member": nil, "userErrors": []any{
			map[string]any{"code": "INVALID", "field": []any{"input", "image"}, "message": tt.message},
		}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if a := s.get("anonymous", first); a.status != http.StatusOK {
		t.Errorf("after what was refused the photo is answered with %d", a.status)
	}

	// Other formats, and the most that fits; each has another address, and the old one is gone.
	const lossless = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
	before := first
	for name, text := range map[string]string{
		"PNG":          base64.RawStdEncoding.EncodeToString(small),
		"GIF":          base64.StdEncoding.EncodeToString(encoded(t, func(w io.Writer) error { return gif.Encode(w, halves(4, 2), nil) })),
		"WebP":         lossless,
		"all that fit": base64.StdEncoding.EncodeToString(append(slices.Clone(small), make([]byte, 185<<10-len(small))...)),
	} {
		got := s.upload(text)
		url, _ := at(got, "setPhoto", "member", "photo", "url").(string)
		if url == "" || url == before {
			t.Fatalf("%s: %v", name, got)
		}
		if a := s.get("anonymous", url); a.status != http.StatusOK || a.header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%s: %d %v", name, a.status, a.header)
		}
		if a := s.get("member", before); a.status != http.StatusNotFound {
			t.Errorf("%s: the photo before is answered with %d", name, a.status)
		}
		before = url
	}
	gone := decode(t, h.Execute(signedIn(t, h, db, "member"), params(`mutation { removePhoto { member { photo { url } visibility { field audience } } userErrors { message } } }`, nil)).Body)
	if len(gone.Errors) > 0 || at(gone.Data, "removePhoto", "member", "photo") != nil || len(list(gone.Data, "removePhoto", "userErrors")) > 0 {
		t.Errorf("removed: %+v", gone)
	}
	for _, v := range list(gone.Data, "removePhoto", "member", "visibility") {
		if at(v, "field") == "PHOTO" && at(v, "audience") != "PUBLIC" {
			t.Errorf("the audience after the photo was removed: %v", v)
		}
	}
	if a := s.get("member", before); a.status != http.StatusNotFound {
		t.Errorf("a photo that was removed is answered with %d", a.status)
	}
	if a := decode(t, h.Execute(signedIn(t, h, db, "anonymous"), params(setPhoto, map[string]any{"image": lossless})).Body); len(a.Errors) == 0 || a.Errors[0].Extensions["code"] != "UNAUTHENTICATED" {
		t.Errorf("nobody uploads: %+v", a)
	}
}
