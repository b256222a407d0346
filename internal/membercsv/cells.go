package membercsv

import "strings"

// A spreadsheet takes a cell for a formula that begins with one of these, and
// formulas can send what stands beside them elsewhere. An export writes an apostrophe
// before such a cell, and before one that would look like that, so that an import can
// take off exactly what the export put there.
const formulaStarts = "=+-@\t\r"

func isFormula(cell string) bool {
	rest := strings.TrimLeft(cell, "'")
	return rest != "" && strings.IndexByte(formulaStarts, rest[0]) >= 0
}

// escape makes a cell that no spreadsheet takes for a formula.
func escape(cell string) string {
	if isFormula(cell) {
		return "'" + cell
	}
	return cell
}

// unescape is the inverse of escape, and leaves cells alone that escape never makes.
func unescape(cell string) string {
	if strings.HasPrefix(cell, "'") && isFormula(cell) {
		return cell[1:]
	}
	return cell
}

// white is what an import cuts off at the ends of a cell.
const white = " \t\n\r"

// clean is how the text of a cell is stored.
func clean(cell string) string {
	return strings.Trim(strings.ReplaceAll(cell, "\r\n", "\n"), white)
}
