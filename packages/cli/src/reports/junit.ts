/**
 * The report as JUnit's XML, for the test view of a CI server: a suite for each group of checks, a case for each check. A
 * check that could not be made, or that the connector has nothing for, is skipped.
 */
import type { CheckResult, Finding, Report } from "../Report.ts"
import { counted } from "./digest.ts"
import { visible } from "../internal/visible.ts"

export const junit = (report: Report): string => {
  const suites = [...Map.groupBy(report.checks, ({ group }) => group)]
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<testsuites name="Ferrule audit of ${escaped(report.connector.name)}" ${countsOf(report.checks)}>`,
    ...suites.flatMap(([group, checks]) => suiteOf(report, group, checks)),
    "</testsuites>",
    ""
  ].join("\n")
}

const suiteOf = (report: Report, group: string, checks: ReadonlyArray<CheckResult>): ReadonlyArray<string> => [
  `  <testsuite name="${escaped(group)}" ${countsOf(checks)} skipped="${checks.filter(isSkipped).length}" timestamp="${escaped(report.at)}">`,
  "    <properties>",
  ...[
    ["target", report.target],
    ["connector", `${report.connector.name} ${report.connector.version}`],
    ["ferrule", report.ferrule],
    ...(report.lock === undefined ? [] : [["lock", report.lock] as const])
  ].map(([name, value]) => `      <property name="${name}" value="${escaped(value!)}"/>`),
  "    </properties>",
  ...checks.flatMap((check) => caseOf(report, check)),
  "  </testsuite>"
]

const caseOf = (report: Report, check: CheckResult): ReadonlyArray<string> => {
  const attributes = `classname="${escaped(`${report.connector.name}.${check.group}`)}" name="${escaped(`${check.id} ${check.title}`)}" time="${secondsOf([check])}"`
  const counting = check.findings.filter(({ accepted }) => accepted === undefined)
  const accepted = check.findings.filter((finding) => finding.accepted !== undefined)
  const children = [
    ...(isSkipped(check) ? [`<skipped>${escaped(check.note ?? check.status)}</skipped>`] : []),
    ...(check.status === "failed"
      ? [
          `<failure type="${check.severity}" message="${escaped(messageOf(counting))}">${escaped(
            [...counting.map(textOf), `Why it matters: ${check.why}`].join("\n\n")
          )}</failure>`
        ]
      : []),
    ...(accepted.length === 0 ? [] : [`<system-out>${escaped(accepted.map(textOf).join("\n\n"))}</system-out>`])
  ]
  return children.length === 0
    ? [`    <testcase ${attributes}/>`]
    : [`    <testcase ${attributes}>`, ...children.map((child) => `      ${child}`), "    </testcase>"]
}

const messageOf = (findings: ReadonlyArray<Finding>): string =>
  findings.length === 1 ? `${findings[0]!.subject}: ${findings[0]!.message}` : counted(findings.length, "finding")

const textOf = ({ accepted, evidence, fix, message, severity, subject, where }: Finding): string =>
  [
    `${severity === "block" ? "Blocker" : "Warning"}: ${subject}: ${message}`,
    ...(where === undefined ? [] : [`At: ${where}`]),
    ...(evidence === undefined ? [] : [`Evidence: ${evidence}`]),
    accepted === undefined ? `Fix: ${fix}` : `Accepted: ${accepted}`
  ].join("\n")

const countsOf = (checks: ReadonlyArray<CheckResult>): string =>
  `tests="${checks.length}" failures="${checks.filter(({ status }) => status === "failed").length}" errors="0" time="${secondsOf(checks)}"`

const isSkipped = ({ status }: CheckResult): boolean => status !== "passed" && status !== "failed"

const secondsOf = (checks: ReadonlyArray<CheckResult>): string => {
  const millis = checks.flatMap(({ transcript }) => transcript).reduce((sum, exchange) => sum + exchange.millis, 0)
  return (Math.max(0, millis) / 1000).toFixed(3)
}

/** A text for XML's elements and attributes. What XML can't hold at all is among the hidden characters. */
const escaped = (text: string): string => visible(text).replace(/[&<>"\n\t]/g, (character) => entities[character]!)

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\n": "&#10;",
  "\t": "&#9;"
}
