package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Mail is a message that was written instead of sent, for the page at /mail.
type Mail struct {
	To, Subject string
	At          time.Time
	// Lines are those of the text.
	Lines []string
}

// Link returns the line if it is an address that can be followed.
func (Mail) Link(line string) string {
	if strings.HasPrefix(line, "http://") || strings.HasPrefix(line, "https://") {
		return line
	}
	return ""
}

// mailbox is the page at /mail. It shows the mail of everyone, so only this machine gets to see it.
func (s *Server) mailbox(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	from, err := netip.ParseAddr(host)
	if err != nil || !from.Unmap().IsLoopback() || r.Header.Get("X-Forwarded-For") != "" || !ofThisMachine(r.Host) {
		s.notFound(w, r)
		return
	}
	mails, err := s.deps.Mails()
	if err != nil {
		s.log.WarnContext(r.Context(), "mailbox", "request_id", infoOf(w, r).id(), "error", err)
		s.writePage(w, "mail.html", policyPage, http.StatusInternalServerError, page{Broken: true})
		return
	}
	s.writePage(w, "mail.html", policyPage, http.StatusOK, page{Mails: mails})
}

// ofThisMachine says whether a Host is a name that only this machine has. Another name may have been made to lead here
// by a page that wants to read what stands here (DNS rebinding).
func ofThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// account is the page that a mailed link leads to: it asks for a new password.
func (s *Server) account(w http.ResponseWriter, _ *http.Request) {
	s.writePage(w, "account.html", policyAccount, http.StatusOK, page{})
}
