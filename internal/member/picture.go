package member

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"github.com/collegium/collegium/internal/errs"
)

// The bounds of a picture. In base64 that many bytes fit into a request of 256 KiB, with
// the rest of the operation.
const (
	maxPictureBytes  = 185 << 10
	maxPicturePixels = 8_000_000
	maxPictureScans  = 32
	photoSide        = 512
	photoQuality     = 85
)

// picture is one that was decoded, scaled and encoded anew: nothing is left in it but
// what is seen.
type picture struct {
	jpeg          []byte
	width, height int
}

// format is one in which pictures are taken.
type format struct {
	magic  func(data []byte) bool
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

func startsWith(magic string) func([]byte) bool {
	return func(data []byte) bool { return bytes.HasPrefix(data, []byte(magic)) }
}

// formats are those; they are not taken from package image, with which any package may
// register more.
var formats = []format{
	{startsWith("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode},
	{startsWith("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode},
	{startsWith("GIF8"), gif.DecodeConfig, gif.Decode}, // the first frame
	{
		func(data []byte) bool {
			return len(data) > 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP"
		},
		webp.DecodeConfig, webp.Decode,
	},
}

// decoding is whose turn it is to decode: a picture takes up to some hundred MiB.
var decoding = make(chan struct{}, 1)

// readPicture reads a picture in base64 or a data URL, and makes a photo of it.
func readPicture(ctx context.Context, text string) (*picture, error) {
	wrong := func(message string, args ...any) (*picture, error) {
		return nil, errs.Invalidf("input.image", message, args...)
	}
	if strings.HasPrefix(text, "data:") {
		head, body, found := strings.Cut(text, ",")
		if !found || !strings.HasSuffix(head, ";base64") {
			return wrong("this data URL is not in base64; write it as data:image/jpeg;base64, and the picture")
		}
		text = body
	}
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	if base64.RawStdEncoding.DecodedLen(len(text)) > maxPictureBytes {
		return wrong("the picture is too large; make it %d KiB at most, as a JPEG of 512 by 512 pixels is", maxPictureBytes>>10)
	}
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(data) == 0 {
		return wrong("this is no base64 (RFC 4648, section 4); pass the bytes of the picture in it, or a data URL")
	}
	var f *format
	for i := range formats {
		if formats[i].magic(data) {
			f = &formats[i]
		}
	}
	if f == nil {
		return wrong("this is no JPEG, PNG, GIF or WebP; save the picture as one of these")
	}
	const damaged = "the picture can't be read; it may be damaged: save it anew as JPEG or PNG"
	config, err := f.config(bytes.NewReader(data))
	if err != nil || config.Width < 1 || config.Height < 1 {
		return wrong(damaged)
	}
	if config.Width > maxPicturePixels/config.Height {
		return wrong("the picture is %d by %d pixels; make it %d million pixels at most", config.Width, config.Height, maxPicturePixels/1_000_000)
	}
	orientation, scans := 1, 0
	if data[0] == 0xff {
		orientation, scans = jpegParts(data)
	}
	// Each scan of a progressive JPEG goes over all pixels, however few bytes it has.
	if scans > maxPictureScans {
		return wrong(damaged)
	}
	select {
	case decoding <- struct{}{}:
		defer func() { <-decoding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	decoded, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return wrong(damaged)
	}
	shown := turned(scaled(decoded), orientation)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, shown, &jpeg.Options{Quality: photoQuality}); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return &picture{out.Bytes(), shown.Rect.Dx(), shown.Rect.Dy()}, nil
}

// scaled returns a picture within the size of a photo, on white where it is transparent.
func scaled(m image.Image) *image.RGBA {
	b := m.Bounds()
	width, height := b.Dx(), b.Dy()
	if longer := max(width, height); longer > photoSide {
		width, height = max(1, width*photoSide/longer), max(1, height*photoSide/longer)
	}
	if _, opaque := m.(*image.YCbCr); !opaque {
		flat := image.NewRGBA(b)
		draw.Draw(flat, b, image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(flat, b, m, b.Min, draw.Over)
		m = flat
	}
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(out, out.Rect, m, b, draw.Src, nil)
	return out
}

// turned returns a picture as the EXIF orientation wants it shown.
func turned(m *image.RGBA, orientation int) *image.RGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	from := map[int]func(x, y int) (int, int){
		2: func(x, y int) (int, int) { return w - 1 - x, y },
		3: func(x, y int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y int) (int, int) { return x, h - 1 - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return y, h - 1 - x },
		7: func(x, y int) (int, int) { return w - 1 - y, h - 1 - x },
		8: func(x, y int) (int, int) { return w - 1 - y, x },
	}[orientation]
	if from == nil {
		return m
	}
	if orientation >= 5 {
		w, h = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	w, h = m.Rect.Dx(), m.Rect.Dy()
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.SetRGBA(x, y, m.RGBAAt(from(x, y)))
		}
	}
	return out
}

// jpegParts walks through the segments of a JPEG, and returns the orientation of its
// EXIF, 1 without, and how many scans it has.
func jpegParts(data []byte) (orientation, scans int) {
	orientation = 1
	for i := 2; i+4 <= len(data); {
		marker := data[i+1]
		switch {
		case data[i] != 0xff, marker == 0xff: // what a scan holds, or filling
			i++
			continue
		case marker == 0 || marker >= 0xd0 && marker <= 0xd8:
			i += 2
			continue
		case marker == 0xd9: // the end
			return orientation, scans
		case marker == 0xda:
			scans++
		}
		end := i + 2 + int(binary.BigEndian.Uint16(data[i+2:]))
		if end > len(data) {
			return orientation, scans
		}
		if marker == 0xe1 && end > i+4 {
			if exif, ok := bytes.CutPrefix(data[i+4:end], []byte("Exif\x00\x00")); ok {
				orientation = exifOrientation(exif)
			}
		}
		i = max(end, i+2)
	}
	return orientation, scans
}

// exifOrientation returns the tag 0x0112 of the first directory of a TIFF; 1 without.
func exifOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == 0x0112 {
			return int(order.Uint16(entries[8:]))
		}
		entries = entries[12:]
	}
	return 1
}
