/**
 * The small parts that the page is made of: signs, badges, foldable texts.
 */
import { counted } from "../digest.ts"
import { type Markup, markup, type Part, shown } from "./markup.ts"

export type Tone = "good" | "bad" | "care" | "note" | "plain"
export type Sign = "yes" | "no" | "open" | "warn" | "some" | "key" | "never"

/** A sign of the sprite. It repeats what a word beside it says. */
export const sign = (name: Sign): Markup =>
  markup`<svg class="sign" aria-hidden="true" focusable="false"><use href="#sign-${name}"></use></svg>`

export const sprite: Markup = markup`<svg class="sprite" aria-hidden="true" focusable="false">
  <symbol id="sign-yes" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7"/><path d="M4.8 8.3l2.2 2.2 4.2-4.6"/></symbol>
  <symbol id="sign-no" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7"/><path d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"/></symbol>
  <symbol id="sign-open" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" stroke-dasharray="2.6 1.8"/><path d="M6.2 6.3a1.9 1.9 0 1 1 2.6 1.8c-.6.3-.8.6-.8 1.2M8 11.4v.1"/></symbol>
  <symbol id="sign-warn" viewBox="0 0 16 16"><path d="M8 1.8l6.6 12H1.4zM8 6.2v3.6M8 11.6v.1"/></symbol>
  <symbol id="sign-some" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7"/><path d="M8 1a7 7 0 0 1 0 14z" fill="currentColor"/></symbol>
  <symbol id="sign-key" viewBox="0 0 16 16"><circle cx="4.8" cy="8" r="3.2"/><path d="M8 8h6.6v2.6M11.6 8v2"/></symbol>
  <symbol id="sign-never" viewBox="0 0 16 16"><path d="M4 8h8"/></symbol>
</svg>`

export const badge = (tone: Tone, text: string, symbol?: Sign): Markup =>
  markup`<span class="badge ${tone}">${symbol === undefined ? "" : sign(symbol)}${text}</span>`

/** A section of the page, which the table of contents leads to. */
export const section = (id: string, title: string, introduction: Part, content: Part): Markup =>
  markup`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
<p class="introduction">${introduction}</p>
${content}
</section>
`

/** A text in the letters of a machine. A long one is folded. */
export const excerpt = (text: string): Markup => {
  const lines = text.split("\n")
  if (text.length <= 700 && lines.length <= 14) return markup`<pre class="excerpt">${shown(text)}</pre>`
  const start = lines.slice(0, 3).join("\n").slice(0, 240).toWellFormed()
  return markup`<details class="excerpt-fold"><summary><span class="excerpt-start">${shown(start)}…</span> <span class="more">All ${counted(text.length, "character")}</span></summary><pre class="excerpt">${shown(text)}</pre></details>`
}

/** A cell of a table that becomes a list where there is no room for columns: it then says what it is. */
export const cell = (label: string, content: Part): Markup =>
  markup`<td data-label="${label}"><div>${content}</div></td>`

/** A text of several lines as paragraphs. */
export const paragraphs = (text: string): Markup =>
  markup`<div class="prose">${text.split(/\r?\n(?:\r?\n)*/).map((line) => markup`<p>${shown(line)}</p>`)}</div>`

/** A list of terms, without those that are missing. */
export const facts = (entries: ReadonlyArray<readonly [string, Part]>): Markup =>
  markup`<dl class="facts">${entries.flatMap(([term, value]) =>
    value === undefined ? [] : [markup`<div><dt>${term}</dt><dd>${value}</dd></div>`]
  )}</dl>`
