package trusted

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// Store reads and writes the trusted documents.
type Store struct {
	DB pg.Querier
}

// Revision returns a number that grows with every change of the documents.
func (s *Store) Revision(ctx context.Context) (_ int64, err error) {
	defer errs.Wrap(&err, "trusted.Revision")
	return pg.Scalar[int64](ctx, s.DB, `SELECT revision FROM trusted_documents_revision`)
}

// Documents returns the documents of a client, or all if client is empty, by id.
func (s *Store) Documents(ctx context.Context, client string) (_ []*Document, err error) {
	defer errs.Wrap(&err, "trusted.Documents(%s)", client)
	return pg.All[Document](ctx, s.DB, `
		SELECT
			d.id,
			d.body,
			array_agg(c.client ORDER BY c.client) AS clients,
			d.added_at
		FROM trusted_documents d
		JOIN trusted_document_clients c ON c.document_id = d.id
		GROUP BY d.id
		HAVING @client::text = '' OR bool_or(c.client = @client)
		ORDER BY d.id`,
		pgx.StrictNamedArgs{"client": client})
}

// Add stores the documents of a client's manifest, all or none. What the client
// added before stays: its older versions are still about. An id that is stored
// with another text is errs.Conflict. The entries are those of ReadManifest.
func (s *Store) Add(ctx context.Context, client string, entries []Entry) (added Added, err error) {
	defer errs.Wrap(&err, "trusted.Add(%s)", client)
	if err := checkClient(client); err != nil {
		return added, err
	}
	ids, bodies := make([]string, len(entries)), make([]string, len(entries))
	for i, e := range entries {
		ids[i], bodies[i] = e.ID, e.Body
	}
	args := pgx.StrictNamedArgs{"ids": ids, "bodies": bodies}
	err = s.alone(ctx, func(tx pgx.Tx) error {
		stored, err := tx.Exec(ctx, `
			INSERT INTO trusted_documents (id, body)
			SELECT e.id, e.body
			FROM unnest(@ids::text[], @bodies::text[]) AS e (id, body)
			WHERE NOT EXISTS (SELECT FROM trusted_documents d WHERE d.id = e.id AND d.body = e.body)
			ORDER BY e.id
			ON CONFLICT (id) DO NOTHING`, args)
		if err != nil {
			return err
		}
		differ, err := pg.Scalars[string](ctx, tx, `
			SELECT d.id
			FROM unnest(@ids::text[], @bodies::text[]) AS e (id, body)
			JOIN trusted_documents d ON d.id = e.id
			WHERE d.body <> e.body
			ORDER BY d.id`, args)
		if err != nil {
			return err
		}
		if len(differ) > 0 {
			return &conflict{differ}
		}
		claimed, err := tx.Exec(ctx, `
			INSERT INTO trusted_document_clients (client, document_id)
			SELECT @client, e.id
			FROM unnest(@ids::text[]) AS e (id)
			ON CONFLICT (client, document_id) DO NOTHING`,
			pgx.StrictNamedArgs{"ids": ids, "client": client})
		if err != nil {
			return err
		}
		added = Added{
			New:     int(stored.RowsAffected()),
			Claimed: int(claimed.RowsAffected() - stored.RowsAffected()),
			Known:   len(entries) - int(claimed.RowsAffected()),
		}
		return nil
	})
	return added, err
}

// Remove takes documents from a client, or from all if client is empty, and
// deletes those that no client has then. Without ids it takes all documents of
// the client. It returns how many a client lost and how many were deleted. An id
// that the client does not have is errs.NotFound, and nothing is removed.
func (s *Store) Remove(ctx context.Context, client string, ids []string) (taken, deleted int, err error) {
	defer errs.Wrap(&err, "trusted.Remove(%s, %d)", client, len(ids))
	if client == "" && len(ids) == 0 {
		return 0, 0, errs.Invalidf("", "name the documents to remove, or a client")
	}
	args := pgx.StrictNamedArgs{"ids": ids, "client": client}
	err = s.alone(ctx, func(tx pgx.Tx) error {
		gone, err := pg.Scalars[string](ctx, tx, `
			WITH gone AS (
				DELETE FROM trusted_document_clients c
				WHERE (@client::text = '' OR c.client = @client)
					AND (cardinality(@ids::text[]) IS NULL OR cardinality(@ids::text[]) = 0 OR c.document_id = ANY(@ids))
				RETURNING c.document_id
			)
			SELECT DISTINCT g.document_id FROM gone g`, args)
		if err != nil {
			return err
		}
		if missing := without(ids, gone); len(missing) > 0 {
			return &unknown{missing}
		}
		tag, err := tx.Exec(ctx, `
			DELETE FROM trusted_documents d
			WHERE d.id = ANY(@gone)
				AND NOT EXISTS (SELECT FROM trusted_document_clients c WHERE c.document_id = d.id)`,
			pgx.StrictNamedArgs{"gone": gone})
		taken, deleted = len(gone), int(tag.RowsAffected())
		return err
	})
	return taken, deleted, err
}

// alone runs f in a transaction while no other writes trusted documents. Else a
// document could be claimed by one and deleted by another at the same time.
func (s *Store) alone(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT r.revision FROM trusted_documents_revision r FOR UPDATE`); err != nil {
			return err
		}
		return f(tx)
	})
}

func checkClient(client string) error {
	if !wellFormedClient.MatchString(client) {
		return errs.Invalidf("client", "%.100q is no name of a client; one has 1 to 100 letters, digits and characters of ._-", client)
	}
	return nil
}

// without returns the ids that are not in gone.
func without(ids, gone []string) []string {
	has := make(map[string]bool, len(gone))
	for _, id := range gone {
		has[id] = true
	}
	var missing []string
	for _, id := range ids {
		if !has[id] {
			missing = append(missing, shown(id))
		}
	}
	return missing
}

type conflict struct{ ids []string }

func (e *conflict) Error() string {
	return "stored with another text: " + some(e.ids) + "; an id belongs to one text for good, so give the changed document another, or remove the stored one first"
}

func (*conflict) Is(target error) bool { return target == errs.Conflict }

type unknown struct{ ids []string }

func (e *unknown) Error() string { return "not stored: " + some(e.ids) + "; nothing was removed" }

func (*unknown) Is(target error) bool { return target == errs.NotFound }

// some joins the first of many ids.
func some(ids []string) string {
	const most = 5
	if len(ids) <= most {
		return strings.Join(ids, ", ")
	}
	return strings.Join(ids[:most], ", ") + " and more"
}
