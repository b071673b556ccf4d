/**
 * How the page looks: on a screen wide or narrow, light or dark, and on paper.
 */
import { paper } from "./paper.ts"

const colors = `
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --surface: #ffffff; --sunken: #f0f2f5; --ink: #1a212c; --muted: #545e6e; --line: #dce1e8;
  --strong-line: #bcc4cf; --accent: #1d4f91;
  --good: #155c38; --good-back: #e4f4ea; --good-line: #2f9460;
  --bad: #9c1b2b; --bad-back: #fdebed; --bad-line: #cf3a4c;
  --care: #744600; --care-back: #fdf1d9; --care-line: #d3922a;
  --note: #2a4796; --note-back: #e8eefc; --note-line: #5b7bd6;
  --shadow: 0 1px 2px rgb(20 30 45 / 6%), 0 1px 1px rgb(20 30 45 / 4%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151b; --surface: #181e26; --sunken: #131820; --ink: #e5e9ef; --muted: #a3adbb; --line: #2b3440;
    --strong-line: #465262; --accent: #8fb8f6;
    --good: #86d9a8; --good-back: #142c1f; --good-line: #3fa36d;
    --bad: #ffa3ab; --bad-back: #371a1f; --bad-line: #d65462;
    --care: #f0c674; --care-back: #32280f; --care-line: #b98a2c;
    --note: #abc3ff; --note-back: #1b2848; --note-line: #5f80d8;
    --shadow: none;
  }
}
.good { --tone: var(--good); --tone-back: var(--good-back); --tone-line: var(--good-line); }
.bad { --tone: var(--bad); --tone-back: var(--bad-back); --tone-line: var(--bad-line); }
.care { --tone: var(--care); --tone-back: var(--care-back); --tone-line: var(--care-line); }
.note { --tone: var(--note); --tone-back: var(--note-back); --tone-line: var(--note-line); }
.plain { --tone: var(--muted); --tone-back: var(--sunken); --tone-line: var(--strong-line); }
`

const base = `
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
html { scroll-padding-top: 1.5rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink); overflow-wrap: break-word;
  font: 1rem/1.55 -apple-system, "Segoe UI", Roboto, Inter, "Noto Sans", "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
}
code, pre { font-family: ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: .875em; }
code { overflow-wrap: anywhere; unicode-bidi: isolate; }
h1, h2, h3, h4, p, ul, ol, dl, dd, pre { margin: 0; }
h1, h2, h3, h4 { text-wrap: balance; }
p, li, dd { text-wrap: pretty; }
ul, ol { padding: 0; }
ul { list-style: none; }
h1 { font-size: clamp(1.75rem, 1.4rem + 1.6vw, 2.4rem); line-height: 1.15; letter-spacing: -.02em; font-weight: 680; }
h2 { font-size: 1.4rem; line-height: 1.25; letter-spacing: -.01em; font-weight: 660; }
h3 { font-size: 1.05rem; line-height: 1.35; font-weight: 640; }
h4 { font-size: 1rem; line-height: 1.4; font-weight: 620; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: 1px; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
main:focus { outline: none; }
.sprite, .visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: 1rem; top: -4rem; z-index: 5; padding: .5rem .9rem; background: var(--surface); border-radius: 0 0 8px 8px; }
.skip:focus { top: 0; }
.sign { width: 1em; height: 1em; flex: none; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; overflow: visible; }
.sprite symbol { overflow: visible; }
.hidden-character { margin: 0 .1em; padding: 0 .3em; border: 1px solid var(--bad-line); border-radius: 4px; background: var(--bad-back); color: var(--bad); font: 600 .72rem/1.3 ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; white-space: nowrap; unicode-bidi: isolate; }
`

const frame = `
.frame { max-width: 82rem; margin: 0 auto; padding: 0 1.25rem; }
.contents { padding: .9rem 0; border-bottom: 1px solid var(--line); }
.contents ul { display: flex; flex-wrap: wrap; gap: .15rem .4rem; margin: 0 -.6rem; }
.contents a { display: flex; gap: .5rem; justify-content: space-between; padding: .32rem .6rem; border-radius: 6px; color: var(--muted); font-size: .9rem; text-decoration: none; }
.contents a:hover { background: var(--surface); color: var(--ink); }
.count { font-variant-numeric: tabular-nums; }
main > section { padding-top: 3.25rem; }
main > section#answers { padding-top: 1.75rem; }
.quiet { font-size: .8rem; font-weight: 640; letter-spacing: .07em; text-transform: uppercase; color: var(--muted); margin-bottom: .7rem; }
.introduction { max-width: 44rem; margin: .3rem 0 1.15rem; color: var(--muted); }
.footer { max-width: 82rem; margin: 4rem auto 0; padding: 1.1rem 1.25rem 2rem; color: var(--muted); font-size: .85rem; }
@media (min-width: 70rem) {
  .frame { display: grid; grid-template-columns: 10.5rem minmax(0, 1fr); gap: 0 3.25rem; }
  .contents { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 3.4rem 0 1rem; border: 0; }
  .contents ul { display: block; }
  .footer { padding-left: calc(1.25rem + 13.75rem); }
}

.opening { padding-top: 3rem; }
.kicker { margin-bottom: .45rem; font-size: .8rem; font-weight: 640; letter-spacing: .07em; text-transform: uppercase; color: var(--muted); }
.version { color: var(--muted); font-weight: 400; letter-spacing: 0; }
.byline { margin-top: .6rem; color: var(--muted); }
.verdict { display: flex; gap: .7rem; align-items: center; margin-top: 1.35rem; padding: .85rem 1.1rem; border-radius: 10px; background: var(--tone-back); color: var(--tone); font-size: 1.1rem; font-weight: 620; line-height: 1.4; }
.verdict .sign { width: 1.35em; height: 1.35em; }

.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); gap: 1rem; }
.answer { display: flex; flex-direction: column; gap: .5rem; padding: 1.05rem 1.15rem 1.1rem; border: 1px solid var(--line); border-top: 4px solid var(--tone-line); border-radius: 10px; background: var(--surface); box-shadow: var(--shadow); }
.answer-word { display: flex; gap: .45rem; align-items: center; color: var(--tone); font-size: 1.4rem; font-weight: 680; line-height: 1.2; }
.answer-word .sign { width: .95em; height: .95em; }
.because { color: var(--muted); font-size: .9rem; line-height: 1.5; }
.numbers { display: flex; flex-wrap: wrap; gap: .5rem .6rem; margin-top: 1.1rem; }
.numbers a { text-decoration: none; }
.numbers .badge { padding: .22rem .7rem; }
.numbers a:hover .badge { text-decoration: underline; }
.badge { display: inline-flex; gap: .38em; align-items: center; padding: .1rem .55rem; border-radius: 99px; background: var(--tone-back); color: var(--tone); font-size: .84rem; font-weight: 600; line-height: 1.5; white-space: nowrap; }
`

const parts = `
.severity { margin: 1.4rem 0 .75rem; }
.finding { padding: 1.15rem 1.3rem 1.25rem; border: 1px solid var(--line); border-left: 5px solid var(--tone-line); border-radius: 10px; background: var(--surface); box-shadow: var(--shadow); }
.finding + .finding { margin-top: 1rem; }
.finding-head { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; margin-bottom: .4rem; font-size: .9rem; color: var(--muted); }
.finding h4 { max-width: 46rem; font-size: 1.1rem; }
.cases > li { padding: .8rem 0; border-top: 1px solid var(--line); }
.cases { margin-top: .8rem; border-bottom: 1px solid var(--line); }
.subject { padding: .1em .4em; border-radius: 5px; background: var(--sunken); font-weight: 600; }
.where { color: var(--muted); }
.advice { max-width: 46rem; margin-top: .7rem; }
.excerpt { margin-top: .55rem; padding: .7rem .85rem; border-radius: 7px; background: var(--sunken); font-size: .82rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; }
.excerpt-fold > summary { margin-top: .55rem; padding: .7rem .85rem; border-radius: 7px; background: var(--sunken); font-size: .82rem; }
.excerpt-start { font-family: ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; unicode-bidi: isolate; }
.excerpt-fold[open] .excerpt-start { display: none; }
.more { color: var(--accent); text-decoration: underline; text-underline-offset: .18em; }
summary { cursor: pointer; }
.prose { max-width: 46rem; }
.prose p + p { margin-top: .5rem; }
.missing { color: var(--care); font-style: italic; }
.none { color: var(--muted); }

.filters { display: flex; flex-wrap: wrap; gap: .7rem .9rem; align-items: end; margin-bottom: .9rem; }
.filters label { display: flex; flex-direction: column; gap: .22rem; color: var(--muted); font-size: .82rem; }
.filters input, .filters select, button { min-height: 2.4rem; padding: .3rem .65rem; border: 1px solid var(--strong-line); border-radius: 7px; background: var(--surface); color: var(--ink); font: inherit; font-size: .92rem; max-width: 100%; }
.filters input { width: 13rem; }
button { cursor: pointer; }
button:hover { border-color: var(--accent); }
.shown-count { padding: .45rem 0; color: var(--muted); font-size: .9rem; }
.matrix-frame { overflow: auto; max-height: 80vh; border: 1px solid var(--line); border-radius: 10px; background: var(--surface); box-shadow: var(--shadow); }
table { border-collapse: separate; border-spacing: 0; width: 100%; text-align: left; }
th, td { padding: .55rem .7rem; vertical-align: top; border-bottom: 1px solid var(--line); font-weight: 400; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { font-size: .82rem; font-weight: 620; color: var(--muted); }
.matrix thead th { position: sticky; top: 0; z-index: 2; background: var(--surface); vertical-align: bottom; border-bottom: 1px solid var(--strong-line); min-width: 5.6rem; }
.matrix th:first-child { position: sticky; left: 0; z-index: 1; width: 21rem; min-width: 14rem; background: var(--surface); border-right: 1px solid var(--strong-line); }
.matrix thead th:first-child { z-index: 3; }
/* Lines are above the rows: the cells that stay in place would hide those below. */
.matrix tbody > tr > * { border-top: 1px solid var(--line); border-bottom: 0; }
.matrix tbody > tr:first-child > * { border-top: 0; }
.matrix.one-role { width: auto; min-width: min(100%, 34rem); }
.matrix td { border-left: 1px solid var(--line); background: var(--tone-back); color: var(--tone); font-size: .87rem; }
.matrix td.plain { background: transparent; }
.matrix td:nth-child(2) { border-left: 0; }
.cell { display: inline-flex; gap: .4em; align-items: center; white-space: nowrap; }
.matrix td.good, .matrix td.care, .matrix td.note { font-weight: 600; }
.note-link { font-size: .78em; vertical-align: .35em; color: inherit; padding: 0 .15em; }
.rule { display: block; margin-top: .1rem; color: var(--muted); font-size: .8rem; line-height: 1.4; }
.kind { display: inline-block; padding: 0 .4rem; border: 1px solid var(--strong-line); border-radius: 5px; color: var(--muted); font-size: .74rem; line-height: 1.5; }
.kind.write { border-color: var(--ink); color: var(--ink); font-weight: 620; }
.empty { padding: 1rem; color: var(--muted); }
.legend { display: flex; flex-wrap: wrap; gap: .45rem 1.4rem; margin-top: .9rem; color: var(--muted); font-size: .86rem; }
.notes { margin: .7rem 0 0 1.4rem; color: var(--muted); font-size: .88rem; }
.notes li:target { color: var(--ink); font-weight: 600; }

.fold-all { margin-bottom: .8rem; }
.tool, .transcript { border: 1px solid var(--line); background: var(--surface); }
.tool + .tool, .transcript + .transcript { border-top: 0; }
.tool:first-of-type, .transcript:first-of-type { border-radius: 10px 10px 0 0; }
.tool:last-of-type, .transcript:last-of-type { border-radius: 0 0 10px 10px; }
.tool:only-of-type, .transcript:only-of-type { border-radius: 10px; }
.tool > summary, .transcript > summary { display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: baseline; padding: .72rem 1.1rem; list-style: none; }
.tool > summary::-webkit-details-marker, .transcript > summary::-webkit-details-marker { display: none; }
.tool > summary::before, .transcript > summary::before { content: "+"; width: .8em; color: var(--muted); font-weight: 600; }
.tool[open] > summary::before, .transcript[open] > summary::before { content: "\\2212"; }
.tool > summary:hover, .transcript > summary:hover { background: var(--sunken); }
.tool[open] > summary { border-bottom: 1px solid var(--line); }
.tool summary h3, .transcript summary h3 { font-size: 1rem; }
.transcript summary h3 { flex: 1 1 20rem; font-weight: 500; }
.tool-title { color: var(--muted); min-width: 0; overflow-wrap: anywhere; }
.tool-marks { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin-left: auto; color: var(--muted); font-size: .84rem; }
.tokens { min-width: 5.2rem; text-align: right; font-variant-numeric: tabular-nums; }
.tool-body { padding: 1.1rem 1.25rem 1.35rem; scroll-margin-top: 4.5rem; }
.tool-body h4 { margin: 1.3rem 0 .4rem; font-size: .82rem; letter-spacing: .05em; text-transform: uppercase; color: var(--muted); }
.fields { border: 1px solid var(--line); border-radius: 8px; font-size: .92rem; table-layout: fixed; }
.fields th:nth-child(1) { width: 22%; }
.fields th:nth-child(2) { width: 15%; }
.fields th:nth-child(3) { width: 23%; }
.fields th:nth-child(4) { width: 5.4rem; }
.fields thead th { background: var(--sunken); }
.fields thead th:first-child { border-top-left-radius: 8px; }
.fields thead th:last-child { border-top-right-radius: 8px; }
.fields th, .fields td { padding: .45rem .7rem; overflow-wrap: anywhere; }
.fields thead th { overflow-wrap: normal; }
.facts { margin-top: 1.3rem; display: grid; gap: .55rem; }
.facts > div { display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: .2rem 1rem; }
.facts dt { color: var(--muted); }
.facts dd { overflow-wrap: anywhere; max-width: 46rem; }
.hints { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }
.checks { margin-bottom: 1.4rem; border: 1px solid var(--line); border-radius: 10px; background: var(--surface); box-shadow: var(--shadow); table-layout: fixed; }
.checks caption { padding: 0 0 .5rem; text-align: left; font-weight: 640; }
.checks th:nth-child(2) { width: 5rem; }
.checks th:nth-child(3) { width: 6.2rem; }
.checks th:nth-child(4) { width: 9.2rem; }
.checks th:nth-child(5) { width: 27%; }
.checks td { font-size: .92rem; }
.checks tr:target > * { background: var(--note-back); }
.check-id { font-weight: 660; font-variant-numeric: tabular-nums; }
#record .facts, .points { padding: 1.2rem 1.3rem; border: 1px solid var(--line); border-radius: 10px; background: var(--surface); box-shadow: var(--shadow); margin-top: 0; }
.transcript > ol { padding: 0 1.25rem 1.2rem 2.6rem; scroll-margin-top: 4.5rem; }
.transcript > ol > li { padding-top: .9rem; }
.transcript h4 { font-weight: 560; overflow-wrap: anywhere; }
.millis, .said { color: var(--muted); font-size: .82rem; font-weight: 400; }
.exchange { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .3rem 1rem; }
.exchange .said { margin-top: .35rem; }
.exchange .excerpt { margin-top: .2rem; }
.points { padding-left: 2.7rem; }
.point { padding: 1rem 0; border-top: 1px solid var(--line); }
.point:first-child { padding-top: 0; border-top: 0; }
.point:last-child { padding-bottom: 0; }
.point h3 { font-weight: 600; font-size: 1rem; }
.decision, .line, .signature { display: none; }
@media (min-width: 52rem) {
  .point { display: list-item; }
  .point > div { display: inline-block; vertical-align: top; width: 43%; }
  .point > div + div { width: 54%; margin-left: 2.5%; }
  .point .excerpt, .point .excerpt-fold > summary { margin-top: 0; }
}
`

const narrow = `
@media (max-width: 44rem) {
  .frame, .footer { padding-left: 1rem; padding-right: 1rem; }
  .opening { padding-top: 1.6rem; }
  main > section { padding-top: 2.5rem; }
  .finding, .tool-body { padding-left: 1rem; padding-right: 1rem; }
  .filters label, .filters input, .filters select { width: 100%; }
  .filters label { flex: 1 1 8rem; }
  .filters label:first-child { flex-basis: 100%; }
  .matrix th:first-child { width: 9.5rem; min-width: 9.5rem; max-width: 9.5rem; }
  .matrix thead th { min-width: 5rem; }
  .matrix .rule { display: none; }
  .exchange, .facts > div { grid-template-columns: minmax(0, 1fr); }
  .tool-marks { margin-left: 1.6rem; width: 100%; }
  .tokens { min-width: 0; }
  .fields thead, .checks thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .fields, .checks, .fields tbody, .checks tbody, .fields tr, .checks tr, .fields th, .checks th, .fields td, .checks td, .checks caption { display: block; width: auto; }
  .fields tr, .checks tr { padding: .55rem 0; border-bottom: 1px solid var(--line); }
  .fields tbody tr:last-child, .checks tbody tr:last-child { border-bottom: 0; }
  .fields th, .fields td, .checks th, .checks td { padding: .12rem .8rem; border: 0; }
  .fields td, .checks td { display: grid; grid-template-columns: 6rem minmax(0, 1fr); gap: .5rem; }
  .fields td::before, .checks td::before { content: attr(data-label); color: var(--muted); font-size: .84rem; }
    .checks td:has(> div:empty) { display: none; }
  .checks caption { padding: .8rem .8rem .2rem; }
  .points { padding-left: 2.2rem; padding-right: 1rem; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
`

export const style: string = [colors, base, frame, parts, narrow, paper].join("").replaceAll("\n\n", "\n")
