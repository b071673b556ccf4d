/**
 * What every report that people read says first: the verdict, the findings by severity and check, and the counts.
 */
import type { CheckResult, Finding, Report, Severity, Status } from "../Report.ts"

/** The findings of one check that weigh the same. `fix` is there where it is one and the same for all. */
export interface FindingGroup {
  readonly check: CheckResult
  readonly severity: Severity
  readonly findings: ReadonlyArray<Finding>
  readonly fix: string | undefined
}

/** Lists the findings that count and weigh this much, by check. */
export const groupsOf = (report: Report, severity: Severity): ReadonlyArray<FindingGroup> =>
  report.checks.flatMap((check) => {
    const findings = check.findings.filter((finding) => finding.accepted === undefined && finding.severity === severity)
    if (findings.length === 0) return []
    const fixes = new Set(findings.map(({ fix }) => fix))
    return [{ check, severity, findings, fix: fixes.size === 1 ? findings[0]!.fix : undefined }]
  })

/** Lists what the team lives with. */
export const acceptedOf = (report: Report): ReadonlyArray<Finding & { readonly accepted: string }> =>
  report.checks
    .flatMap(({ findings }) => findings)
    .flatMap((finding) => (finding.accepted === undefined ? [] : [{ ...finding, accepted: finding.accepted }]))

/** What an audit comes to. It never says more than that nothing was found to block: people sign off. */
export interface Verdict {
  readonly outcome: "blocked" | "open" | "clear"
  readonly sentence: string
}

export const verdictOf = (report: Report): Verdict => {
  const blockers = countOf(groupsOf(report, "block"))
  const warnings = countOf(groupsOf(report, "warn"))
  const open = report.questions.filter(({ answer }) => answer === "open").length
  const also = warnings === 0 ? "." : `; ${counted(warnings, "warning")} to look at.`
  if (blockers > 0) return { outcome: "blocked", sentence: `Blocked by ${counted(blockers, "finding")}${also}` }
  if (open > 0) {
    return {
      outcome: "open",
      sentence: `${open === 1 ? "One question is" : `${open} questions are`} still open. Nothing was found that blocks it${also}`
    }
  }
  return { outcome: "clear", sentence: `Nothing was found that blocks it${also}` }
}

export const countOf = (groups: ReadonlyArray<FindingGroup>): number =>
  groups.reduce((sum, { findings }) => sum + findings.length, 0)

/** The statuses in the order in which reports list them. */
export const statuses: ReadonlyArray<Status> = ["failed", "passed", "not applicable", "not seen", "not run"]

/** Counts the checks by status, without those that no check has. */
export const statusesOf = (report: Report): ReadonlyArray<{ readonly status: Status; readonly count: number }> =>
  statuses
    .map((status) => ({ status, count: report.checks.filter((check) => check.status === status).length }))
    .filter(({ count }) => count > 0)

export const counted = (count: number, noun: string): string => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`

/** Writes a number with a comma between thousands. */
export const grouped = (count: number): string => count.toLocaleString("en-US")

/** The connector's name for people. */
export const nameOf = ({ connector }: Report): string => connector.title ?? connector.name

/** "2026-11-23 02:00 UTC", or the text as it is where it is no time. */
export const timeOf = (at: string): string => {
  const parts = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?Z$/.exec(at)
  return parts === null ? at : `${parts[1]} ${parts[2]} UTC`
}

/** What the definitions of all tools cost in a model's context, in one sentence. */
export const costOf = ({ tools }: Report): string => {
  const total = tools.reduce((sum, { tokens }) => sum + tokens, 0)
  const largest = tools.reduce<Report["tools"][number] | undefined>(
    (most, tool) => (most === undefined || tool.tokens > most.tokens ? tool : most),
    undefined
  )
  if (largest === undefined) return "There are no tools."
  const most = tools.length === 1 ? "" : `; the largest, ${largest.name}, takes ${grouped(largest.tokens)}`
  return `${counted(tools.length, "tool")} ${tools.length === 1 ? "takes" : "take"} about ${counted(total, "token")} of a model's context${most}.`
}
