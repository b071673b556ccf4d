/**
 * Who may call what: tools by roles, in words, signs and colours, with what a conditional access depends on in notes below.
 */
import type { AccessRow, Report } from "../../Report.ts"
import { type Markup, markup, type Part, shown } from "./markup.ts"
import { badge, section, type Sign, sign, type Tone } from "./parts.ts"

type Cell = AccessRow["cells"][number]
type Access = Cell["access"]

const legend: Readonly<
  Record<Access, { readonly word: string; readonly sign: Sign; readonly tone: Tone; readonly means: string }>
> = {
  always: { word: "Always", sign: "yes", tone: "good", means: "with any valid arguments" },
  "with-arguments": { word: "If", sign: "some", tone: "care", means: "with arguments that fulfil the note" },
  "with-scopes": { word: "Scope", sign: "key", tone: "note", means: "after signing in for the scopes of the note" },
  never: { word: "Never", sign: "never", tone: "plain", means: "the tool is not even listed" }
}

export const matrix = (report: Report): Markup => {
  if (report.access.length === 0) {
    return section("access", "Access", "Who may call what can't be seen from outside, so there is no matrix.", "")
  }
  const notes = new Map<string, number>()
  const noteOf = (cell: Cell): Part => {
    const text = conditionOf(cell)
    if (text === "") return ""
    const number = notes.get(text) ?? notes.size + 1
    notes.set(text, number)
    return markup` <a class="note-link" href="#access-note-${number}" aria-label="note ${number}">${number}</a>`
  }
  const rows = report.access.map((row) => rowOf(report, row, noteOf))
  return section(
    "access",
    "Access",
    "What a caller with one role alone may call. It is read from the policies that decide the calls.",
    [
      filters(report),
      markup`<div class="matrix-frame" role="region" aria-label="Access matrix" tabindex="0"><table class="matrix ${report.roles.length > 6 ? "many" : ""}" id="matrix">
<caption class="visually-hidden">Tools by roles</caption>
<thead><tr><th scope="col">Tool</th>${report.roles.map((role) => markup`<th scope="col">${role === null ? "no role" : shown(role)}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table></div>
<p class="empty" id="matrix-empty" hidden>No tool is like that.</p>
<ul class="legend" aria-label="What the words mean">${Object.values(legend).map(({ means, sign, tone, word }) => markup`<li>${badge(tone, word, sign)} ${means}</li>`)}</ul>`,
      notes.size === 0
        ? ""
        : markup`<ol class="notes" aria-label="Notes">${[...notes.keys()].map((text, index) => markup`<li id="access-note-${index + 1}">${shown(text)}</li>`)}</ol>`
    ]
  )
}

const conditionOf = ({ predicates, scopes }: Cell): string =>
  [...(scopes.length === 0 ? [] : [`signed in for ${scopes.join(" and ")}`]), ...predicates].join(", and if ")

const rowOf = (report: Report, row: AccessRow, noteOf: (cell: Cell) => Part): Markup => {
  const tool = report.tools.findIndex(({ name }) => name === row.tool)
  const name = markup`<code>${shown(row.tool)}</code>`
  const cellOf = (cell: Cell) => {
    const { sign: symbol, tone, word } = legend[cell.access]
    return markup`<td class="${tone}" data-access="${cell.access}"><span class="cell">${sign(symbol)}<span>${word}${noteOf(cell)}</span></span></td>`
  }
  return markup`<tr data-kind="${row.kind}"><th scope="row">${
    tool === -1 ? name : markup`<a href="#tool-${tool}">${name}</a>`
  } <span class="kind ${row.kind}">${row.kind}</span><span class="rule">${shown(row.rule)}</span></th>${row.cells.map(cellOf)}</tr>
`
}

/** Of use with a script alone, so hidden until there is one. */
const filters = (report: Report): Markup => markup`<form class="filters" id="matrix-filters" hidden>
<label>Search <input type="search" name="text" autocomplete="off" placeholder="tool or rule"></label>
<label>Role <select name="role"><option value="">every role</option>${report.roles.map((role, index) => markup`<option value="${index}">${role ?? "no role"}</option>`)}</select></label>
<label>Kind <select name="kind"><option value="">reads and writes</option><option value="read">reads</option><option value="write">writes</option></select></label>
<label>Access <select name="access"><option value="">any</option>${Object.entries(legend).map(([access, { word }]) => markup`<option value="${access}">${word}</option>`)}</select></label>
<button type="reset">Show all</button>
<p class="shown-count" id="matrix-count" role="status"></p>
</form>`
