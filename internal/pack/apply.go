package pack

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// makeRoom frees what is unique and changes hands: slugs, paths, places. Rows
// that are written or removed anyway get it back or never need it again.
func (im *importer) makeRoom(ctx context.Context) error {
	var units, committees, items []uuid.UUID
	for id := range im.changes {
		switch id.kind {
		case unitKind:
			units = append(units, im.have.id("entry", id.key))
		case committeeKind:
			committees = append(committees, im.have.id("committee", id.key))
		case menuItemKind:
			items = append(items, im.have.id("menu-item", id.key))
		}
	}
	batch := &pgx.Batch{}
	batch.Queue(`SET CONSTRAINTS ALL DEFERRED`)
	if len(units) > 0 {
		batch.Queue(`UPDATE units SET slug = 'leaving-' || id WHERE id = ANY(@ids)`, pgx.StrictNamedArgs{"ids": units})
	}
	if len(committees) > 0 {
		batch.Queue(`UPDATE committees SET slug = 'leaving-' || id, unit_id = NULL WHERE id = ANY(@ids)`, pgx.StrictNamedArgs{"ids": committees})
	}
	if len(items) > 0 {
		batch.Queue(`UPDATE menu_items SET is_canonical = false WHERE is_canonical AND id = ANY(@ids)`, pgx.StrictNamedArgs{"ids": items})
	}
	return im.tx.SendBatch(ctx, batch).Close()
}

func (im *importer) writeOrganisation(ctx context.Context) error {
	if !im.differs(organisationKind, "organisation") {
		return nil
	}
	o := im.pack.organisation
	var year any
	if o.CopyrightYear > 0 {
		year = o.CopyrightYear
	}
	_, err := im.tx.Exec(ctx, `
		INSERT INTO organisation (
			name,
			short_name,
			charity_number,
			scottish_charity_printed,
			scottish_charity_number,
			company_number,
			vat_number,
			address_lines,
			postcode,
			telephone,
			email,
			join_call_to_action,
			copyright_year
		)
		VALUES (
			@name,
			@short_name,
			@charity_number,
			@scottish_charity_printed,
			@scottish_charity_number,
			@company_number,
			@vat_number,
			COALESCE(@address_lines::text[], '{}'),
			@postcode,
			@telephone,
			@email,
			@join_call_to_action,
			@copyright_year
		)
		ON CONFLICT (singleton) DO UPDATE SET
			name = EXCLUDED.name,
			short_name = EXCLUDED.short_name,
			charity_number = EXCLUDED.charity_number,
			scottish_charity_printed = EXCLUDED.scottish_charity_printed,
			scottish_charity_number = EXCLUDED.scottish_charity_number,
			company_number = EXCLUDED.company_number,
			vat_number = EXCLUDED.vat_number,
			address_lines = EXCLUDED.address_lines,
			postcode = EXCLUDED.postcode,
			telephone = EXCLUDED.telephone,
			email = EXCLUDED.email,
			join_call_to_action = EXCLUDED.join_call_to_action,
			copyright_year = EXCLUDED.copyright_year`,
		pgx.StrictNamedArgs{
			"name":                     o.Name,
			"short_name":               o.ShortName,
			"charity_number":           null(o.CharityNumber),
			"scottish_charity_printed": null(o.ScottishCharityNumberAsPrinted),
			"scottish_charity_number":  null(o.ScottishCharityNumber),
			"company_number":           null(o.CompanyNumber),
			"vat_number":               null(o.VATNumber),
			"address_lines":            o.AddressLines,
			"postcode":                 null(o.Postcode),
			"telephone":                null(o.Telephone),
			"email":                    null(o.Email),
			"join_call_to_action":      null(o.JoinCallToAction),
			"copyright_year":           year,
		})
	return err
}

// writeEntries writes what all published things have in common. A page comes
// before those below it, since its path is a part of theirs.
func (im *importer) writeEntries(ctx context.Context) error {
	var rows []row
	add := func(thing, kind string, e *entry) {
		if !im.differs(thing, string(e.Key)) {
			return
		}
		var parent any
		if e.parent != "" {
			parent = im.have.id("entry", string(e.parent))
		}
		rows = append(rows, row{
			"id": im.have.id("entry", string(e.Key)), "key": e.Key, "kind": kind, "parent_id": parent, "position": e.Position,
			"slug": e.slug, "title": e.Title, "summary": e.Summary, "status": e.Status, "access": e.Access,
			"published_at": null(e.PublishedAt), "review_due_on": null(e.ReviewDueOn),
		})
	}
	for _, p := range im.pack.pages {
		add(pageKind, string(p.Kind), &p.entry)
	}
	for _, c := range im.pack.caseStudies {
		add(caseStudyKind, "CASE_STUDY", &c.entry)
	}
	for _, d := range im.pack.documents {
		add(documentKind, "DOCUMENT", &d.entry)
	}
	// Every row here differs in something, if only in its text or its path; the
	// moment of the change makes the trigger count the revision up.
	return im.write(ctx, `
		INSERT INTO entries (
			id,
			key,
			kind,
			parent_id,
			position,
			slug,
			title,
			summary,
			status,
			access,
			published_at,
			review_due_on
		)
		SELECT
			r.id,
			r.key,
			r.kind,
			r.parent_id,
			r.position,
			r.slug,
			r.title,
			r.summary,
			r.status,
			r.access,
			r.published_at,
			r.review_due_on
		FROM json_to_recordset(@rows::json) AS r(
			id uuid,
			key text,
			kind text,
			parent_id uuid,
			position integer,
			slug text,
			title text,
			summary text,
			status text,
			access text,
			published_at timestamptz,
			review_due_on date
		)
		ON CONFLICT (id) DO UPDATE SET
			kind = EXCLUDED.kind,
			parent_id = EXCLUDED.parent_id,
			position = EXCLUDED.position,
			slug = EXCLUDED.slug,
			title = EXCLUDED.title,
			summary = EXCLUDED.summary,
			status = EXCLUDED.status,
			access = EXCLUDED.access,
			published_at = EXCLUDED.published_at,
			review_due_on = EXCLUDED.review_due_on,
			updated_at = now()`, rows)
}

func (im *importer) writePages(ctx context.Context) error {
	var pages, blocks, links []row
	var written []uuid.UUID
	for _, p := range im.pack.pages {
		if !im.differs(pageKind, string(p.Key)) {
			continue
		}
		entry := im.have.id("entry", string(p.Key))
		written = append(written, entry)
		pages = append(pages, row{"entry_id": entry, "sub_kind": p.SubKind})
		for i, b := range p.blocks {
			data, err := b.stored()
			if err != nil {
				return err
			}
			id := blockID(p.Key, i)
			blocks = append(blocks, row{"id": id, "entry_id": entry, "position": i, "kind": b.kind, "data": data, "plain": b.plain})
			for j, l := range b.links {
				link := row{"block_id": id, "position": j, "entry_id": nil, "url": null(l.URL), "label": null(l.Label)}
				if l.entry != "" {
					link["entry_id"] = im.have.id("entry", string(l.entry))
				}
				links = append(links, link)
			}
		}
	}
	if err := im.write(ctx, `
		INSERT INTO pages (entry_id, sub_kind)
		SELECT
			r.entry_id,
			r.sub_kind
		FROM json_to_recordset(@rows::json) AS r(entry_id uuid, sub_kind text)
		ON CONFLICT (entry_id) DO UPDATE SET
			sub_kind = EXCLUDED.sub_kind`, pages); err != nil {
		return err
	}
	for part := range slices.Chunk(written, rowsAtOnce) {
		if _, err := im.tx.Exec(ctx, `DELETE FROM blocks WHERE entry_id = ANY(@entries)`, pgx.StrictNamedArgs{"entries": part}); err != nil {
			return err
		}
	}
	if err := im.write(ctx, `
		INSERT INTO blocks (
			id,
			entry_id,
			position,
			kind,
			data,
			plain
		)
		SELECT
			r.id,
			r.entry_id,
			r.position,
			r.kind,
			r.data,
			r.plain
		FROM json_to_recordset(@rows::json) AS r(
			id uuid,
			entry_id uuid,
			position integer,
			kind text,
			data jsonb,
			plain text
		)`, blocks); err != nil {
		return err
	}
	return im.write(ctx, `
		INSERT INTO block_entries (
			block_id,
			position,
			entry_id,
			url,
			label
		)
		SELECT
			r.block_id,
			r.position,
			r.entry_id,
			r.url,
			r.label
		FROM json_to_recordset(@rows::json) AS r(
			block_id uuid,
			position integer,
			entry_id uuid,
			url text,
			label text
		)`, links)
}

func (im *importer) writeDocuments(ctx context.Context) error {
	var rows, alternatives []row
	var written []uuid.UUID
	for _, d := range im.pack.documents {
		if !im.differs(documentKind, string(d.Key)) {
			continue
		}
		id := im.have.id("entry", string(d.Key))
		written = append(written, id)
		for i, key := range d.AccessibleAlternatives {
			alternatives = append(alternatives, row{"document_id": id, "position": i, "alternative_id": im.have.id("entry", string(key))})
		}
		r := row{
			"entry_id": id, "file_name": null(d.FileName), "media_type": d.MediaType, "byte_size": nil,
			"size_label": null(d.SizeLabel), "sha256": null(d.SHA256), "url": null(d.URL),
		}
		if d.ByteSize > 0 {
			r["byte_size"] = d.ByteSize
		}
		rows = append(rows, r)
	}
	if err := im.write(ctx, `
		INSERT INTO documents (
			entry_id,
			file_name,
			media_type,
			byte_size,
			size_label,
			sha256,
			url
		)
		SELECT
			r.entry_id,
			r.file_name,
			r.media_type,
			r.byte_size,
			r.size_label,
			r.sha256,
			r.url
		FROM json_to_recordset(@rows::json) AS r(
			entry_id uuid,
			file_name text,
			media_type text,
			byte_size bigint,
			size_label text,
			sha256 text,
			url text
		)
		ON CONFLICT (entry_id) DO UPDATE SET
			file_name = EXCLUDED.file_name,
			media_type = EXCLUDED.media_type,
			byte_size = EXCLUDED.byte_size,
			size_label = EXCLUDED.size_label,
			sha256 = EXCLUDED.sha256,
			url = EXCLUDED.url`, rows); err != nil {
		return err
	}
	for part := range slices.Chunk(written, rowsAtOnce) {
		if _, err := im.tx.Exec(ctx, `DELETE FROM document_alternatives WHERE document_id = ANY(@documents)`, pgx.StrictNamedArgs{"documents": part}); err != nil {
			return err
		}
	}
	return im.write(ctx, `
		INSERT INTO document_alternatives (
			document_id,
			position,
			alternative_id
		)
		SELECT
			r.document_id,
			r.position,
			r.alternative_id
		FROM json_to_recordset(@rows::json) AS r(
			document_id uuid,
			position integer,
			alternative_id uuid
		)`, alternatives)
}
