/**
 * What people add: the points that only they can judge, and the record that is filed.
 */
import type { Report } from "../../Report.ts"
import { statusesOf, timeOf } from "../digest.ts"
import { type Markup, markup, shown } from "./markup.ts"
import { excerpt, facts, section } from "./parts.ts"

export const confirm = (report: Report): Markup =>
  section(
    "confirm",
    "To confirm",
    report.toConfirm.length === 0
      ? "There is nothing that only people can judge."
      : "No program can judge these. Printed, this page has room for each decision, and for a signature.",
    markup`<ol class="points">${report.toConfirm.map(
      ({
        evidence,
        what
      }) => markup`<li class="point"><div><h3>${shown(what)}</h3><p class="decision"><span class="box"></span> confirmed <span class="box"></span> not confirmed</p><p class="line">Remarks</p></div><div>${evidence === "" ? "" : excerpt(evidence)}</div></li>
`
    )}</ol>`
  )

export const record = (report: Report): Markup => {
  const { at, connector, ferrule, lock, probed, target, tools } = report
  return section("record", "Record", "What this report is of.", [
    facts([
      ["Connector", markup`<code>${shown(connector.name)}</code> ${shown(connector.version)}`],
      ["Audited", markup`<code>${shown(target)}</code>`],
      ["At", shown(timeOf(at))],
      ["With", markup`Ferrule ${shown(ferrule)}, ${probed ? "static checks and probes" : "static checks alone"}`],
      [
        "Checks",
        statusesOf(report)
          .map(({ count, status }) => `${count} ${status}`)
          .join(", ") || "none"
      ],
      [
        "Lock",
        lock === undefined
          ? "none: the definitions could only be seen from outside"
          : markup`SHA-256 <code class="hash">${shown(lock)}</code> over the definitions of ${tools.length} tools`
      ],
      ["Instructions", connector.instructions === undefined ? "none" : shown(connector.instructions)]
    ]),
    markup`<div class="signature"><p class="line">Name</p><p class="line">Date</p><p class="line">Signature</p></div>`
  ])
}
