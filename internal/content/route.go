package content

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/slug"
	"github.com/collegium/collegium/internal/viewer"
)

// Route is what stands at a path: a *PageRoute, *RedirectRoute, *GoneRoute or
// *NotFoundRoute.
type Route interface{ isRoute() }

// PageRoute says that the path is the current address of an entry.
type PageRoute struct {
	Path      string
	EntryID   uuid.UUID
	EntryKind string
}

// RedirectRoute says that the path leads elsewhere for good.
type RedirectRoute struct {
	Path       string
	Location   string
	StatusCode int
}

// GoneRoute says that what stood at the path was taken away.
type GoneRoute struct {
	Path   string
	Reason *string
}

// NotFoundRoute says that nothing stands at the path.
type NotFoundRoute struct {
	Path        string
	Suggestions []string
}

func (*PageRoute) isRoute()     {}
func (*RedirectRoute) isRoute() {}
func (*GoneRoute) isRoute()     {}
func (*NotFoundRoute) isRoute() {}

// permanentRedirect is 308 (RFC 9110 section 15.4.9): the method is kept.
const permanentRedirect = 308

// Route returns what stands at a path. A redirect is followed once, which always
// suffices: it names an entry, and an entry has one current path.
func (s *Store) Route(ctx context.Context, v viewer.Viewer, path string) (_ Route, err error) {
	defer errs.Wrap(&err, "content.Route(%.100q)", path)
	path, err = slug.Path(path)
	if err != nil {
		return nil, err
	}
	type row struct {
		Kind        string
		URL         *string
		Reason      *string
		EntryID     *uuid.UUID
		EntryKind   *string
		EntryStatus *string
		CurrentPath *string
		Visible     bool
		// Secret entries are not even told to be gone.
		Secret bool
	}
	r, err := pg.One[row](ctx, s.DB, `
		SELECT
			asked.kind,
			asked.url,
			asked.reason,
			e.id AS entry_id,
			e.kind AS entry_kind,
			e.status AS entry_status,
			current.path AS current_path,
			COALESCE(`+viewer.Visible+`, false) AS visible,
			COALESCE(e.access = 'STAFF' AND 'STAFF' <> ALL(@reach), false) AS secret
		FROM routes asked
		LEFT JOIN entries e ON e.id = asked.entry_id
		LEFT JOIN routes current ON current.entry_id = e.id AND current.kind = 'CURRENT'
		WHERE asked.path = @path`,
		pgx.StrictNamedArgs{"path": path, "reach": v.Reach()})
	if err != nil && !absent(err) {
		return nil, err
	}
	switch {
	case absent(err), r.Secret:
	case r.Kind == "GONE":
		return &GoneRoute{Path: path, Reason: r.Reason}, nil
	case r.URL != nil:
		return &RedirectRoute{Path: path, Location: *r.URL, StatusCode: permanentRedirect}, nil
	case *r.EntryStatus == "GONE":
		return &GoneRoute{Path: path, Reason: r.Reason}, nil
	case !r.Visible:
	case r.Kind == "CURRENT":
		return &PageRoute{Path: path, EntryID: *r.EntryID, EntryKind: *r.EntryKind}, nil
	case r.CurrentPath != nil:
		return &RedirectRoute{Path: path, Location: *r.CurrentPath, StatusCode: permanentRedirect}, nil
	}
	near, err := s.pathsLike(ctx, v, path)
	if err != nil {
		return nil, err
	}
	return &NotFoundRoute{Path: path, Suggestions: near}, nil
}

// pathsLike returns the current paths that are spelled most like the path, of the
// hundred most alike those that the viewer may know of.
func (s *Store) pathsLike(ctx context.Context, v viewer.Viewer, path string) ([]string, error) {
	return pg.Scalars[string](ctx, s.DB, `
		WITH alike AS MATERIALIZED (
			SELECT
				r.path,
				r.entry_id,
				similarity(r.path, @path) AS similarity
			FROM routes r
			WHERE r.kind = 'CURRENT' AND r.path % @path
			ORDER BY similarity(r.path, @path) DESC, r.path
			LIMIT 100
		)
		SELECT a.path
		FROM alike a
		JOIN entries e ON e.id = a.entry_id
		WHERE `+viewer.Visible+`
		ORDER BY a.similarity DESC, a.path
		LIMIT 5`,
		pgx.StrictNamedArgs{"path": path, "reach": v.Reach()})
}

// absent says whether the error means that there is no such thing.
func absent(err error) bool { return errors.Is(err, errs.NotFound) }
