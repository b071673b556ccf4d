/**
 * The report as one page that a reviewer reads, prints and files. It holds everything that it needs, asks the network for
 * nothing, and says all that it says without its script, which filters and folds.
 */
import { createHash } from "node:crypto"
import type { Report } from "../Report.ts"
import { acceptedOf, countOf, groupsOf, nameOf } from "./digest.ts"
import { checks, transcripts } from "./html/checks.ts"
import { confirm, record } from "./html/closing.ts"
import { contracts } from "./html/contracts.ts"
import { accepted, findings } from "./html/findings.ts"
import { markup, type Markup, shown, trusted } from "./html/markup.ts"
import { matrix } from "./html/matrix.ts"
import { opening } from "./html/opening.ts"
import { sprite } from "./html/parts.ts"
import { script } from "./html/script.ts"
import { style } from "./html/style.ts"

export const html = (report: Report): string =>
  markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${nameOf(report)} ${report.connector.version}: connector audit</title>
<style>${trusted(style)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the report</a>
${sprite}
<div class="frame">
${contents(report)}
<main id="content" tabindex="-1">
${opening(report)}${findings(report)}${matrix(report)}${contracts(report)}${checks(report)}${transcripts(report)}${accepted(report)}${confirm(report)}${record(report)}</main>
</div>
<footer class="footer">Ferrule ${shown(report.ferrule)}</footer>
<script>${trusted(script)}</script>
</body>
</html>
`.markup

const contents = (report: Report): Markup => {
  const entries: ReadonlyArray<readonly [string, string, number | undefined]> = [
    ["answers", "Answers", undefined],
    ["findings", "Findings", countOf(groupsOf(report, "block")) + countOf(groupsOf(report, "warn"))],
    ["access", "Access", undefined],
    ["tools", "Tools", report.tools.length],
    ["checks", "Checks", report.checks.length],
    ["transcripts", "Transcripts", report.checks.filter(({ transcript }) => transcript.length > 0).length],
    ["accepted", "Accepted", acceptedOf(report).length],
    ["confirm", "To confirm", report.toConfirm.length],
    ["record", "Record", undefined]
  ]
  return markup`<nav class="contents" aria-label="Contents"><ul>${entries.map(
    ([id, title, count]) =>
      markup`<li><a href="#${id}">${title}${count === undefined ? "" : markup` <span class="count">${count}</span>`}</a></li>`
  )}</ul></nav>`
}

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

// The page's own style and script by their hashes, and nothing else: no request leaves, and no injected code runs.
const policy = `default-src 'none'; style-src ${hashOf(style)}; script-src ${hashOf(script)}; base-uri 'none'; form-action 'none'`
