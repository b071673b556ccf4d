/**
 * What the page opens with: what was audited, the verdict, the four answers and the counts.
 */
import type { Question, Report } from "../../Report.ts"
import { acceptedOf, counted, countOf, groupsOf, nameOf, timeOf, verdictOf } from "../digest.ts"
import { type Markup, markup, shown } from "./markup.ts"
import { badge, type Sign, sign, type Tone } from "./parts.ts"

export const opening = (report: Report): Markup => {
  const { outcome, sentence } = verdictOf(report)
  const { connector } = report
  return markup`<header class="opening">
<p class="kicker">Connector audit</p>
<h1>${shown(nameOf(report))} <span class="version">${shown(connector.version)}</span></h1>
<p class="byline"><code>${shown(connector.name)}</code> from <code>${shown(report.target)}</code>, ${timeOf(report.at)}, ${report.probed ? "with probes" : "definitions only, without probes"}</p>
<p class="verdict ${tones[outcome]}">${sign(signs[outcome])}<span>${sentence}</span></p>
</header>
<section id="answers" aria-labelledby="answers-title">
<h2 id="answers-title" class="quiet">The four questions</h2>
<ul class="answers">${report.questions.map((question) => answer(report, question))}</ul>
${numbers(report)}
</section>
`
}

const tones = { blocked: "bad", open: "care", clear: "good" } as const satisfies Record<string, Tone>
const signs = { blocked: "no", open: "open", clear: "yes" } as const satisfies Record<string, Sign>

const answer = (report: Report, { answer, because, question }: Question): Markup => {
  const { sign: symbol, tone, word } = words[answer]
  return markup`<li class="answer ${tone}"><p class="answer-word">${sign(symbol)}${word}</p><h3>${shown(question)}</h3><p class="because">${withLinks(report, because)}</p></li>`
}

const words = {
  yes: { word: "Yes", sign: "yes", tone: "good" },
  no: { word: "No", sign: "no", tone: "bad" },
  open: { word: "Open", sign: "open", tone: "care" }
} as const

/** Leads from the ids in a sentence to the checks of that name. */
const withLinks = (report: Report, sentence: string): ReadonlyArray<Markup> =>
  sentence.split(/\b([A-Z]\d{2})\b/).map((part, index) => {
    const at = index % 2 === 1 ? report.checks.findIndex(({ id }) => id === part) : -1
    return at === -1 ? shown(part) : markup`<a href="#check-${at}">${part}</a>`
  })

const numbers = (report: Report): Markup => {
  const blockers = countOf(groupsOf(report, "block"))
  const warnings = countOf(groupsOf(report, "warn"))
  const accepted = acceptedOf(report).length
  const passed = report.checks.filter(({ status }) => status === "passed").length
  const entry = (id: string, tone: Tone, symbol: Sign, text: string) =>
    markup`<li><a href="#${id}">${badge(tone, text, symbol)}</a></li>`
  return markup`<ul class="numbers" aria-label="In numbers">${[
    entry("findings", blockers > 0 ? "bad" : "plain", blockers > 0 ? "no" : "never", counted(blockers, "blocker")),
    entry("findings", warnings > 0 ? "care" : "plain", warnings > 0 ? "warn" : "never", counted(warnings, "warning")),
    ...(accepted > 0 ? [entry("accepted", "note", "some", `${accepted} accepted`)] : []),
    entry("checks", "plain", "yes", `${passed} of ${counted(report.checks.length, "check")} passed`),
    ...(report.toConfirm.length > 0 ? [entry("confirm", "plain", "open", `${report.toConfirm.length} to confirm`)] : [])
  ]}</ul>`
}
