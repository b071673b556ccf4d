/**
 * Each tool as a client is shown it and as the connector declares it.
 */
import type { Report, ToolContract } from "../../Report.ts"
import { costOf, grouped } from "../digest.ts"
import { type Markup, markup, shown } from "./markup.ts"
import { badge, cell, facts, paragraphs, section } from "./parts.ts"
import { type Field, fieldsOf, isOpen } from "./parameters.ts"

export const contracts = (report: Report): Markup =>
  section("tools", "Tools", shown(costOf(report)), [
    markup`<p class="fold-all" hidden><button type="button" data-fold="open">Open all</button> <button type="button" data-fold="close">Close all</button></p>`,
    report.tools.map(contract)
  ])

const contract = (tool: ToolContract, index: number): Markup => {
  const {
    annotations,
    description,
    idempotency,
    inputSchema,
    kind,
    limits,
    name,
    outputSchema,
    policy,
    sha256,
    title,
    tokens
  } = tool
  const isDestructive = annotations["destructiveHint"] === true && kind !== "read"
  return markup`<details class="tool">
<summary><h3><code>${shown(name)}</code></h3>${title === undefined ? "" : markup`<span class="tool-title">${shown(title)}</span>`}<span class="tool-marks">${isDestructive ? badge("care", "destructive", "warn") : ""}${kind === undefined ? "" : markup`<span class="kind ${kind}">${kind}</span>`}<span class="tokens">${grouped(tokens)} tokens</span></span></summary>
<div class="tool-body" id="tool-${index}">
${description === "" ? markup`<p class="missing">It has no description.</p>` : paragraphs(description)}
<h4>Parameters</h4>
${fields(inputSchema, "It takes no parameters.", "The caller may send other fields, too.")}
<h4>Result</h4>
${outputSchema === undefined ? markup`<p class="missing">It does not say what it returns.</p>` : fields(outputSchema, "It returns no fields.", undefined)}
${facts([
  ["Policy", policy === undefined ? undefined : shown(policy)],
  ["Idempotency", idempotency === undefined ? undefined : shown(idempotency)],
  ["Limits", limits === undefined ? undefined : shown(limits)],
  ["Hints", hints(annotations)],
  [
    "Definition",
    markup`about ${grouped(tokens)} tokens${sha256 === undefined ? "" : markup`, SHA-256 <code class="hash">${shown(sha256)}</code>`}`
  ]
])}
</div>
</details>
`
}

const hints = (annotations: ToolContract["annotations"]): Markup => {
  const given = Object.entries(annotations).filter(([key]) => key !== "title")
  return given.length === 0
    ? markup`none`
    : markup`<ul class="hints">${given.map(([key, value]) => markup`<li><code>${shown(key)}: ${shown(JSON.stringify(value))}</code></li>`)}</ul>`
}

const fields = (schema: unknown, none: string, open: string | undefined): Markup => {
  const all = fieldsOf(schema)
  const more = open !== undefined && isOpen(schema) ? markup`<p class="missing">${open}</p>` : ""
  if (all.length === 0) return markup`<p class="none">${none}</p>${more}`
  return markup`<table class="fields">
<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Bounds</th><th scope="col">Required</th><th scope="col">Description</th></tr></thead>
<tbody>${all.map(fieldRow)}</tbody>
</table>${more}`
}

const fieldRow = ({ bounds, description, path, required, type }: Field): Markup =>
  markup`<tr><th scope="row"><code>${shown(path)}</code></th>${[
    cell("Type", shown(type)),
    cell(
      "Bounds",
      bounds.length === 0
        ? markup`<span class="none">none</span>`
        : markup`<ul>${bounds.map((bound) => markup`<li>${shown(bound)}</li>`)}</ul>`
    ),
    cell(
      "Required",
      required === undefined ? markup`<span class="none">each</span>` : required ? markup`<strong>yes</strong>` : "no"
    ),
    cell(
      "Description",
      description === undefined ? markup`<span class="missing">not described</span>` : shown(description)
    )
  ]}</tr>`
