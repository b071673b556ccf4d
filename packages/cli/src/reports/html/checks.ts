/**
 * Every check with what became of it, and what the probes sent and were answered.
 */
import type { CheckResult, Exchange, Report, Status } from "../../Report.ts"
import { counted, statusesOf } from "../digest.ts"
import { type Markup, markup, shown } from "./markup.ts"
import { badge, cell, excerpt, section, type Sign, type Tone } from "./parts.ts"

/** A warning that was found is no blocker, and does not look like one. */
const lookOf = ({ severity, status }: CheckResult) =>
  status === "failed" && severity === "warn" ? ({ tone: "care", sign: "warn" } as const) : looks[status]

const looks: Readonly<Record<Status, { readonly tone: Tone; readonly sign: Sign }>> = {
  passed: { tone: "good", sign: "yes" },
  failed: { tone: "bad", sign: "no" },
  "not applicable": { tone: "plain", sign: "never" },
  "not seen": { tone: "care", sign: "open" },
  "not run": { tone: "care", sign: "open" }
}

export const checks = (report: Report): Markup =>
  section(
    "checks",
    "Checks",
    report.checks.length === 0
      ? "No check was made."
      : `${statusesOf(report)
          .map(({ count, status }) => `${count} ${status}`)
          .join(", ")}. A static check reads the definitions; a probe calls the running connector.`,
    [...Map.groupBy(report.checks, ({ group }) => group)].map(
      ([group, members]) => markup`<table class="checks">
<caption>${shown(group)}</caption>
<thead><tr><th scope="col">Check</th><th scope="col">Kind</th><th scope="col">Severity</th><th scope="col">Status</th><th scope="col">Note</th></tr></thead>
<tbody>${members.map((check) => row(report, check))}</tbody>
</table>
`
    )
  )

const row = (report: Report, check: CheckResult): Markup => {
  const { findings, id, kind, note, severity, status, title, transcript } = check
  const at = report.checks.indexOf(check)
  const accepted = findings.filter((finding) => finding.accepted !== undefined).length
  const look = lookOf(check)
  const notes = [
    ...(note === undefined ? [] : [shown(note)]),
    ...(accepted === 0 ? [] : [markup`<a href="#accepted">${counted(accepted, "finding")} accepted</a>`]),
    ...(transcript.length === 0 ? [] : [markup`<a href="#transcript-${at}">transcript</a>`])
  ]
  return markup`<tr id="check-${at}"><th scope="row"><span class="check-id">${shown(id)}</span> ${shown(title)}</th>${[
    cell("Kind", kind),
    cell("Severity", severity === "block" ? "blocker" : "warning"),
    cell("Status", badge(look.tone, status, look.sign)),
    cell(
      "Note",
      notes.flatMap((part, index) => (index === 0 ? [part] : [", ", part]))
    )
  ]}</tr>`
}

export const transcripts = (report: Report): Markup => {
  const told = report.checks.filter(({ transcript }) => transcript.length > 0)
  if (told.length === 0) {
    return section(
      "transcripts",
      "Transcripts",
      report.probed ? "No probe has kept what it sent." : "The connector was not probed, so nothing was sent.",
      ""
    )
  }
  return section(
    "transcripts",
    "Transcripts",
    "What the probes sent, and what came back. Long texts are cut.",
    told.map(
      (check) => markup`<details class="transcript">
<summary><h3><span class="check-id">${shown(check.id)}</span> ${shown(check.title)}</h3><span class="tool-marks">${counted(check.transcript.length, "exchange")}</span></summary>
<ol id="transcript-${report.checks.indexOf(check)}">${check.transcript.map(exchangeItem)}</ol>
</details>
`
    )
  )
}

const exchangeItem = ({ answered, millis, sent, what }: Exchange): Markup =>
  markup`<li><h4>${shown(what)} <span class="millis">${Math.round(millis)} ms</span></h4>
<div class="exchange"><div><p class="said">Sent</p>${excerpt(sent)}</div><div><p class="said">Answered</p>${excerpt(answered)}</div></div></li>
`
