/**
 * How the page looks on paper: A4, black on white, everything open, no row cut in two, and room to sign.
 */
export const paper = `
@page { size: A4; margin: 16mm 14mm 17mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; color: #545e6e; } }
@page wide { size: A4 landscape; margin: 12mm 10mm 14mm; }
@media print {
  :root {
    --page: #fff; --surface: #fff; --sunken: #f4f5f7; --ink: #000; --muted: #3f4752; --line: #cfd5dd; --strong-line: #8d96a3; --accent: #1d3f73;
    --good: #0f4a2c; --good-back: #e6f4eb; --good-line: #2f9460; --bad: #86121f; --bad-back: #fdeced; --bad-line: #c22f41;
    --care: #5f3900; --care-back: #fdf2dc; --care-line: #c98a22; --note: #22397a; --note-back: #eaf0fc; --note-line: #5b7bd6; --shadow: none;
  }
  html { font-size: 9.6pt; color-scheme: light; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .contents, .skip, .filters, .fold-all, .more, #matrix-empty { display: none !important; }
  .frame { display: block; max-width: none; padding: 0; }
  .opening { padding-top: 0; }
  main > section { padding-top: 8mm; }
  #answers, #confirm, #record { break-inside: auto; }
  h2, h3, h4, caption, .introduction, .finding header, summary { break-after: avoid; }
  tr, .answer, .point, .legend, .facts > div, .advice, .transcript > ol > li, .signature { break-inside: avoid; }
  .cases > li:not(:has(details)) { break-inside: avoid; }
  p, li { orphans: 3; widows: 3; }
  thead { display: table-header-group; }
  a { color: inherit; text-decoration: none; }
  a[href^="http"]::after { content: " (" attr(href) ")"; overflow-wrap: anywhere; }
  .answers { grid-template-columns: repeat(2, 1fr); gap: 4mm; }
  details::details-content { content-visibility: visible; height: auto; }
  details > summary { list-style: none; }
  .tool > summary::before, .tool[open] > summary::before, .transcript > summary::before, .transcript[open] > summary::before { content: none; }
  .excerpt-fold > summary { display: none; }
  .matrix-frame { overflow: visible; max-height: none; border: 0; }
  .matrix, .matrix.one-role { width: 100%; border: 1px solid var(--strong-line); font-size: 8.2pt; }
  .matrix tr[hidden] { display: table-row !important; }
  .matrix td[hidden], .matrix th[hidden] { display: table-cell !important; }
  .matrix th, .matrix td, .matrix thead th { position: static; min-width: 0; padding: 1.1mm 1.3mm; }
  .matrix th:first-child { position: static; width: auto; min-width: 0; }
  .matrix td { font-size: 7.6pt; }
  .cell { gap: .25em; }
  #access:has(.matrix.many) { page: wide; }
  .matrix.many td { padding: 1mm .8mm; font-size: 7pt; }
  .matrix.many thead th { padding: 1mm .8mm; font-size: 7pt; overflow-wrap: anywhere; }
  .matrix.many .rule { font-size: 6.6pt; }
  .finding, .tool, .transcript, .checks, .points { border-radius: 0; }
  .tool, .transcript { border-width: 1px 0; }
  .tool > summary, .transcript > summary { padding: 2mm 0; }
  .tool-body { padding: 2mm 0 4mm; }
  .transcript > ol { padding: 0 0 3mm 6mm; }
  .fields, .checks { font-size: 8.8pt; }
  .excerpt { font-size: 7.8pt; }
  .points { border: 0; padding: 0 0 0 6mm; }
  .point > div, .point > div + div { display: block; width: auto; margin: 0; }
  .point { break-inside: auto; border-top: 1px solid var(--strong-line); }
  .point > div:first-child { break-inside: avoid; }
  .point .excerpt { margin-top: 2mm; }
  .decision { display: flex; gap: 2mm; align-items: center; margin-top: 2.5mm; }
  .box { display: inline-block; width: 3.6mm; height: 3.6mm; border: 1px solid var(--ink); }
  .box:not(:first-child) { margin-left: 6mm; }
  .line { display: block; height: 8mm; padding-top: 4mm; border-bottom: 1px solid var(--ink); color: var(--muted); font-size: 8pt; }
  .signature { display: grid; grid-template-columns: 2fr 1fr 2fr; gap: 6mm; margin-top: 10mm; }
  .signature .line { height: 12mm; padding: 0; }
  #record .facts { border-radius: 0; }
  .footer { margin-top: 6mm; padding: 0; }
}
`
