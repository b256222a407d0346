package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config is how the server behaves. Start from Defaults and change what differs.
type Config struct {
	// AllowedOrigins lists the origins whose pages may call the graph, as "https://www.example.org". A single "*" lets
	// every page call it, without credentials. Empty: only pages of this server's own origin.
	AllowedOrigins []string
	// AllowCredentials lets the pages of AllowedOrigins send cookies. It can't be combined with "*".
	AllowCredentials bool
	// InsecureCookies lets the session cookie travel over plain HTTP, for a server on this machine. Else it is kept to
	// HTTPS.
	InsecureCookies bool
	// TrustedProxies lists the addresses of the proxies in front of this server. The client's address is read from
	// X-Forwarded-For only as far as these wrote it. Empty: the header is ignored.
	TrustedProxies []netip.Prefix
	// RequestIDHeader names the header in which a request id is accepted, if it is well-formed, and sent back.
	// Empty: no id is accepted, and it is sent back as X-Request-Id.
	RequestIDHeader string
	// GraphiQL serves the GraphiQL editor at /graphiql.
	GraphiQL bool

	// MaxBodyBytes is the longest body, and the longest query string, of a request. Longer ones are refused unread.
	MaxBodyBytes int
	// MaxHeaderBytes is the longest head of a request, its address included.
	MaxHeaderBytes int

	// OperationTimeout is how long one operation may run.
	OperationTimeout time.Duration
	// MaxInFlight is how many operations run at once; 0 takes off the limit.
	MaxInFlight int
	// MaxQueued is how many more operations wait for their turn. What comes on top is refused at once.
	MaxQueued int
	// QueueTimeout is how long an operation waits for its turn before it is refused.
	QueueTimeout time.Duration

	// RatePoints is how many points the operations of one client address may cost in one window; 0 takes off the
	// limit. IPv6 clients are counted by their /64 network.
	RatePoints int
	// RateWindow is how long a window lasts.
	RateWindow time.Duration

	// MaxAge is for how long browsers and proxies may give a public answer again without asking; 0 lets them ask each time.
	MaxAge time.Duration
	// StaleWhileRevalidate is for how long after that they may still give it, if they ask meanwhile.
	StaleWhileRevalidate time.Duration

	// ReadHeaderTimeout is how long a client may take to send the head of a request.
	ReadHeaderTimeout time.Duration
	// ReadTimeout is how long a client may take to send a whole request.
	ReadTimeout time.Duration
	// WriteTimeout is how long a request may take from the end of its head to the end of its answer. It must leave time
	// for ReadTimeout, QueueTimeout and OperationTimeout.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection is kept between requests.
	IdleTimeout time.Duration

	// DrainDelay is how long the server goes on accepting connections after it was told to stop, while /readyz already
	// says that it is draining. Set it to the interval at which a load balancer asks.
	DrainDelay time.Duration
	// DrainTimeout is how long running requests get to finish after that.
	DrainTimeout time.Duration
}

// Defaults returns the configuration for a server on a private address or behind a proxy that ends TLS.
func Defaults() Config {
	return Config{
		RequestIDHeader:  "X-Request-Id",
		GraphiQL:         true,
		MaxBodyBytes:     256 << 10,
		MaxHeaderBytes:   64 << 10,
		OperationTimeout: 5 * time.Second,
		MaxInFlight:      16,
		MaxQueued:        64,
		QueueTimeout:     500 * time.Millisecond,
		RatePoints:       100_000,
		RateWindow:       time.Minute,
		MaxAge:           5 * time.Second,

		StaleWhileRevalidate: time.Minute,

		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		DrainTimeout:      15 * time.Second,
	}
}

// Validate says everything that is wrong with the configuration, and what would be right.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	for _, origin := range c.AllowedOrigins {
		if origin == "*" {
			if len(c.AllowedOrigins) > 1 {
				bad(`allowed origins: "*" stands for every origin, so it must stand alone`)
			}
			if c.AllowCredentials {
				bad(`allowed origins: "*" can't be combined with credentials; list the origins that may send cookies`)
			}
			continue
		}
		if err := checkOrigin(origin); err != nil {
			bad("allowed origins: %w", err)
		}
	}
	if c.AllowCredentials && len(c.AllowedOrigins) == 0 {
		bad("credentials are allowed, but no origin is; list the origins that may send cookies")
	}
	for _, p := range c.TrustedProxies {
		if !p.IsValid() {
			bad("trusted proxies: an entry is no address range; give ranges as 10.0.0.0/8 or fd00::/8")
		}
	}
	if c.RequestIDHeader != "" && http.CanonicalHeaderKey(c.RequestIDHeader) != c.RequestIDHeader {
		bad("request id header: %q isn't in canonical form; write it as %q", c.RequestIDHeader, http.CanonicalHeaderKey(c.RequestIDHeader))
	}

	for _, n := range []struct {
		name  string
		value int
		min   int
	}{
		{"max body bytes", c.MaxBodyBytes, 1},
		{"max header bytes", c.MaxHeaderBytes, 1024},
		{"max in flight", c.MaxInFlight, 0},
		{"max queued", c.MaxQueued, 0},
		{"rate points", c.RatePoints, 0},
	} {
		if n.value < n.min {
			bad("%s: %d is too small; give at least %d", n.name, n.value, n.min)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		zero  bool // whether zero makes sense
	}{
		{"operation timeout", c.OperationTimeout, false},
		{"queue timeout", c.QueueTimeout, true},
		{"rate window", c.RateWindow, c.RatePoints == 0},
		{"max age", c.MaxAge, true},
		{"stale while revalidate", c.StaleWhileRevalidate, true},
		{"read header timeout", c.ReadHeaderTimeout, false},
		{"read timeout", c.ReadTimeout, false},
		{"write timeout", c.WriteTimeout, false},
		{"idle timeout", c.IdleTimeout, false},
		{"drain delay", c.DrainDelay, true},
		{"drain timeout", c.DrainTimeout, true},
	} {
		switch {
		case d.value < 0:
			bad("%s: %v is negative", d.name, d.value)
		case d.value == 0 && !d.zero:
			bad("%s: 0 would wait for ever; give a duration as 5s", d.name)
		}
	}
	if year := 365 * 24 * time.Hour; c.MaxAge > year || c.StaleWhileRevalidate > year {
		bad("max age, stale while revalidate: %v and %v are too long; give at most a year", c.MaxAge, c.StaleWhileRevalidate)
	}
	if need := c.ReadTimeout + c.QueueTimeout + c.OperationTimeout; c.WriteTimeout > 0 && c.WriteTimeout <= need {
		bad("write timeout: %v leaves no time to write an answer; give more than read, queue and operation timeout together, %v", c.WriteTimeout, need)
	}
	return errors.Join(errs...)
}

// checkOrigin says what is wrong with an origin as a browser would send it (RFC 6454, section 6.2).
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil,
		u.Scheme+"://"+u.Host != origin:
		return fmt.Errorf("%q is no origin; write scheme and host in lower case and nothing after them, as https://www.example.org", origin)
	case strings.ToLower(origin) != origin:
		return fmt.Errorf("%q has upper-case letters, which no browser sends; write it in lower case", origin)
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		return fmt.Errorf("%q names the default port, which no browser sends; leave out :%s", origin, u.Port())
	case strings.Contains(origin, "*"):
		return fmt.Errorf("%q has a wildcard; list each origin, or \"*\" alone for all", origin)
	}
	return nil
}
