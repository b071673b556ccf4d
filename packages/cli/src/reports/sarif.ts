/**
 * The report in the Static Analysis Results Interchange Format 2.1.0, for code scanning: each check is a rule, each finding
 * a result at the module that was audited, and what the team lives with is suppressed by its reason.
 */
import { createHash } from "node:crypto"
import { isAbsolute } from "node:path"
import { pathToFileURL } from "node:url"
import type { Location, Log, ReportingDescriptor, Result } from "sarif"
import type { CheckResult, Finding, Report, Severity } from "../Report.ts"
import { visible } from "../internal/visible.ts"

export const sarif = (report: Report): string => {
  const location = locationOf(report)
  const log: Log = {
    $schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "Ferrule", version: report.ferrule, rules: report.checks.map(ruleOf) } },
        invocations: [{ executionSuccessful: true, ...(isUtcTime(report.at) && { endTimeUtc: report.at }) }],
        columnKind: "utf16CodeUnits",
        results: report.checks.flatMap((check, ruleIndex) =>
          check.findings.map((finding) => resultOf(finding, ruleIndex, location(finding)))
        ),
        properties: {
          connector: report.connector.name,
          connectorVersion: report.connector.version,
          target: report.target,
          probed: report.probed,
          ...(report.lock !== undefined && { lock: report.lock })
        }
      }
    ]
  }
  return `${JSON.stringify(log, null, 2)}\n`
}

const levels = { block: "error", warn: "warning" } as const satisfies Record<Severity, Result.level>

const ruleOf = ({ group, id, kind, note, severity, status, title, why }: CheckResult): ReportingDescriptor => ({
  id,
  shortDescription: { text: messageOf(title) },
  fullDescription: { text: messageOf(why) },
  help: { text: messageOf(`${title}\n\n${why}`) },
  defaultConfiguration: { level: levels[severity] },
  properties: { tags: ["mcp", group], kind, status, ...(note !== undefined && { note }) }
})

const resultOf = (finding: Finding, ruleIndex: number, location: Location): Result => {
  const { accepted, check, evidence, fix, message, severity, subject, where } = finding
  return {
    ruleId: check,
    ruleIndex,
    level: levels[severity],
    message: { text: messageOf(`${subject}: ${message}\n\nFix: ${fix}`) },
    locations: [location],
    partialFingerprints: { "ferrule/1": fingerprintOf([check, subject, where ?? "", message]) },
    ...(accepted !== undefined && {
      suppressions: [{ kind: "inSource", status: "accepted", justification: accepted }]
    }),
    properties: { subject, ...(where !== undefined && { where }), ...(evidence !== undefined && { evidence }) }
  }
}

const locationOf = ({ connector, target }: Report) => {
  const uri = uriOf(target)
  return ({ subject }: Finding): Location => ({
    ...(uri !== undefined && { physicalLocation: { artifactLocation: { uri }, region: { startLine: 1 } } }),
    logicalLocations: [
      subject === connector.name
        ? { name: subject, fullyQualifiedName: subject, kind: "module" }
        : { name: subject, fullyQualifiedName: `${connector.name}/${subject}`, kind: "function" }
    ]
  })
}

/** The address of the module, or of the server. A command has none. */
const uriOf = (target: string): string | undefined => {
  if (/^https?:\/\//i.test(target)) return URL.canParse(target) ? new URL(target).href : undefined
  if (!/\.[cm]?[jt]sx?$/.test(target)) return undefined
  const path = target.toWellFormed()
  if (isAbsolute(path)) return pathToFileURL(path).href
  return path.replaceAll("\\", "/").split("/").map(encodeURIComponent).join("/")
}

/**
 * A text as a message: its hidden characters shown, its braces not taken for placeholders (3.11.5), and nothing in it taken
 * for a link (3.11.6).
 */
const messageOf = (text: string): string =>
  visible(text).replaceAll("{", "{{").replaceAll("}", "}}").replaceAll("](", "\\](")

const fingerprintOf = (parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex")

const isUtcTime = (at: string) => /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/.test(at)
