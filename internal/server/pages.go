package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// The policies of the pages (Content Security Policy Level 3). Nothing inline runs, and nothing comes from or goes to
// another origin.
const (
	policyPage = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// GraphiQL carries its fonts and a few images as data, and asks the graph and for its list of examples. The style
	// element that it adds while a dialog is open carries the nonce.
	policyGraphiQL = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; font-src data:; img-src 'self' data:; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// The page for a new password asks the graph.
	policyAccount = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// pages are the HTML pages of the server.
type pages struct {
	templates *template.Template
	// assets are the addresses of the files that the pages refer to, by file name.
	assets map[string]string
}

func loadPages(a *assets) (*pages, error) {
	t, err := template.New("").ParseFS(embedded, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("server: pages: %w", err)
	}
	return &pages{templates: t, assets: a.addresses()}, nil
}

// page is what a template gets.
type page struct {
	Assets   map[string]string
	Examples []example
	GraphiQL bool
	Version  string
	// Nonce allows the style elements that a script adds, on this one answer.
	Nonce string
	// About is nil if what is served isn't known now.
	About *About
	// Mails are the messages of /mail, and Mailbox says that there is such a page.
	Mails   []Mail
	Mailbox bool
	// Broken says that what the page shows can't be read now.
	Broken bool
}

func (s *Server) writePage(w http.ResponseWriter, name, policy string, status int, data page) {
	data.Assets = s.pages.assets
	var b bytes.Buffer
	if err := s.pages.templates.ExecuteTemplate(&b, name, data); err != nil {
		panic(err) // the templates are part of the program, and tested
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-cache")
	writeBody(w, "text/html; charset=utf-8", status, b.Bytes())
}

// start is the page at /.
func (s *Server) start(w http.ResponseWriter, r *http.Request) {
	data := page{GraphiQL: s.cfg.GraphiQL, Version: s.deps.Version, Mailbox: s.deps.Mails != nil}
	if s.deps.About != nil {
		if about, err := s.about.get(r.Context(), s.deps.About); err == nil {
			data.About = &about
		} else {
			s.log.WarnContext(r.Context(), "start page", "request_id", infoOf(w, r).id(), "error", err)
		}
	}
	s.writePage(w, "start.html", policyPage, http.StatusOK, data)
}

// graphiQL is the editor.
func (s *Server) graphiQL(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	s.writePage(w, "graphiql.html", fmt.Sprintf(policyGraphiQL, nonce), http.StatusOK, page{Examples: s.assets.examples, Nonce: nonce})
}

// notFound answers every address that isn't served: a page for people, JSON for programs.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.Header.Get("Accept"), "text/html") && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		s.writePage(w, "notfound.html", policyPage, http.StatusNotFound, page{})
		return
	}
	s.refuse(w, r, mediaJSON, &refusal{
		status: http.StatusNotFound, code: codeNotFound, reason: "not_found",
		message: "Nothing is served at this address. The graph is at /graphql.",
	})
}

// schema is the schema in the schema definition language.
func (s *Server) schema(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	writeBody(w, "text/plain; charset=utf-8", http.StatusOK, []byte(s.deps.Schema))
}

// healthz says that the process is alive. It asks nobody else: a database that is down is no reason to restart.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeProbe(w, http.StatusOK, "ok\n")
}

// readyz says whether requests should be sent here.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		writeProbe(w, http.StatusServiceUnavailable, "draining\n")
		return
	}
	_, err := s.ready.get(r.Context(), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.deps.Ready(ctx)
	})
	if err != nil {
		s.log.WarnContext(r.Context(), "not ready", "request_id", infoOf(w, r).id(), "error", err)
		writeProbe(w, http.StatusServiceUnavailable, "not ready\n")
		return
	}
	writeProbe(w, http.StatusOK, "ready\n")
}

func writeProbe(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, "text/plain; charset=utf-8", status, []byte(text))
}
