/**
 * The report as JSON, for programs: `Report.Report` decodes it.
 */
import type { Report } from "../Report.ts"

export const json = (report: Report): string => `${JSON.stringify(report, null, 2)}\n`
