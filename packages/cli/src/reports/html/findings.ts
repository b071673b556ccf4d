/**
 * What was found: by severity and check, with the evidence, why it matters and the fix; and what the team accepts.
 */
import type { Finding, Report } from "../../Report.ts"
import { acceptedOf, counted, countOf, type FindingGroup, groupsOf } from "../digest.ts"
import { type Markup, markup, shown } from "./markup.ts"
import { badge, excerpt, section } from "./parts.ts"

export const findings = (report: Report): Markup => {
  const blockers = groupsOf(report, "block")
  const warnings = groupsOf(report, "warn")
  if (blockers.length + warnings.length === 0) {
    return section("findings", "Findings", "No check found anything that the team has not accepted.", "")
  }
  const part = (groups: ReadonlyArray<FindingGroup>, noun: string) =>
    groups.length === 0
      ? ""
      : markup`<h3 class="severity">${counted(countOf(groups), noun)}</h3>${groups.map((group) => card(report, group))}`
  return section(
    "findings",
    "Findings",
    "A blocker has to be fixed, or accepted in the module with a reason. A warning is for the team to judge.",
    [part(blockers, "blocker"), part(warnings, "warning")]
  )
}

const card = (report: Report, { check, findings, fix, severity }: FindingGroup): Markup => {
  const isBlocker = severity === "block"
  return markup`<article class="finding ${isBlocker ? "bad" : "care"}">
<header><p class="finding-head">${isBlocker ? badge("bad", "Blocker", "no") : badge("care", "Warning", "warn")} <a href="#check-${report.checks.indexOf(check)}">${shown(check.id)}</a></p>
<h4>${shown(check.title)}</h4></header>
<ul class="cases">${findings.map((finding) => markup`<li>${caseOf(finding)}${fix === undefined ? advice("Fix", finding.fix) : ""}</li>`)}</ul>
${advice("Why it matters", check.why)}${fix === undefined ? "" : advice("Fix", fix)}
</article>
`
}

const caseOf = ({ evidence, message, subject, where }: Finding): Markup =>
  markup`<p><code class="subject">${shown(subject)}</code> ${shown(message)}${where === undefined ? "" : markup` <span class="where">at <code>${shown(where)}</code></span>`}</p>${evidence === undefined ? "" : excerpt(evidence)}`

const advice = (term: string, text: string): Markup =>
  markup`<p class="advice"><strong>${term}.</strong> ${shown(text)}</p>`

export const accepted = (report: Report): Markup => {
  const all = acceptedOf(report)
  if (all.length === 0) {
    return section("accepted", "Accepted findings", "The team lives with nothing that the checks found.", "")
  }
  return section(
    "accepted",
    "Accepted findings",
    "The team has looked at these and lives with them. They do not count, and the reason is theirs.",
    all.map(
      (finding) => markup`<article class="finding note">
<header><p class="finding-head">${badge("note", "Accepted", "some")} ${shown(finding.check)}, ${finding.severity === "block" ? "a blocker" : "a warning"}</p></header>
${caseOf(finding)}
${advice("Accepted because", finding.accepted)}
</article>
`
    )
  )
}
