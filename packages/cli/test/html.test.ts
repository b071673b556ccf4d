import { assert, describe, it } from "@effect/vitest"
import { type DefaultTreeAdapterTypes, parse } from "parse5"
import { html } from "../src/reports/html.ts"
import { script } from "../src/reports/html/script.ts"
import { style } from "../src/reports/html/style.ts"
import { arbitraryReport } from "./fixtures/arbitraryReport.ts"
import { hostileTexts } from "./fixtures/hostileTexts.ts"
import { richReport } from "./fixtures/richReport.ts"

type Element = DefaultTreeAdapterTypes.Element

const elementsOf = (text: string): ReadonlyArray<Element> => {
  const found: Array<Element> = []
  const visit = (node: DefaultTreeAdapterTypes.ParentNode) => {
    for (const child of node.childNodes) {
      if (!("tagName" in child)) continue
      found.push(child)
      visit(child)
    }
  }
  const errors: Array<string> = []
  visit(parse(text, { onParseError: ({ code }) => void errors.push(code) }))
  assert.deepStrictEqual(errors, [])
  return found
}

const textOf = (node: DefaultTreeAdapterTypes.ChildNode): string =>
  "value" in node ? node.value : "childNodes" in node ? node.childNodes.map(textOf).join("") : ""

const attributesOf = ({ attrs, tagName }: Element) =>
  attrs.map(({ name, value }) => [`${tagName} ${name}`, value] as const)

const classOf = ({ attrs }: Element) => attrs.find(({ name }) => name === "class")?.value.split(" ") ?? []

/** What the page is made of, whatever it is a page about. Everything else would have come out of a text. */
const tags = new Set(
  "html head meta title style body script a svg symbol circle path use div nav ul ol li main header section article footer p span strong h1 h2 h3 h4 table caption thead tbody tr th td dl dt dd pre code details summary form label input select option button".split(
    " "
  )
)

const assertIsPage = (text: string): void => {
  const elements = elementsOf(text)
  const attributes = elements.flatMap(attributesOf)
  assert.deepStrictEqual(
    elements.map(({ tagName }) => tagName).filter((tag) => !tags.has(tag)),
    []
  )
  assert.deepStrictEqual(
    elements.filter(({ tagName }) => tagName === "script").map((element) => textOf(element)),
    [script]
  )
  assert.deepStrictEqual(
    elements.filter(({ tagName }) => tagName === "style").map((element) => textOf(element)),
    [style]
  )
  assert.deepStrictEqual(
    attributes.filter(([name]) => /\s(?:on.*|src|srcset|style|action|ping)$/.test(name)),
    []
  )
  assert.deepStrictEqual(
    attributes.filter(([name, value]) => /\shref$/.test(name) && !value.startsWith("#")),
    []
  )
}

describe("the HTML report", () => {
  it("asks nothing of the network, and runs nothing but its own script", () => {
    assertIsPage(html(richReport))
    const [, policy] = elementsOf(html(richReport))
      .flatMap(attributesOf)
      .find(([name, value]) => name === "meta content" && value.startsWith("default-src"))!
    assert.match(
      policy,
      /^default-src 'none'; style-src 'sha256-[^' ]+'; script-src 'sha256-[^' ]+'; base-uri 'none'; form-action 'none'$/
    )
  })

  it.prop("takes no text for markup, whatever is in the report", { report: arbitraryReport }, ({ report }) =>
    assertIsPage(html(report))
  )

  it("leads every link to a place on the page", () => {
    const attributes = elementsOf(html(richReport)).flatMap(attributesOf)
    const ids = attributes.flatMap(([name, value]) => (/\sid$/.test(name) ? [value] : []))
    assert.strictEqual(new Set(ids).size, ids.length)
    const dead = attributes.filter(([name, value]) => /\shref$/.test(name) && !ids.includes(value.slice(1)))
    assert.deepStrictEqual(dead, [])
  })

  it("opens with the four answers", () => {
    const answers = elementsOf(html(richReport)).filter((element) => classOf(element).includes("answer"))
    assert.deepStrictEqual(answers.map(textOf), [
      "YesCan the model never see a raw credential?A09, D01 found nothing that blocks it.",
      "NoDoes every tool have a strict schema with descriptions?A06 found what blocks it.",
      "NoDoes every error name the fault and its class?E04 found what blocks it.",
      "OpenIs every write idempotent?Not everything could be seen: F03."
    ])
  })

  it("says each access in a word, and what a conditional one depends on in a note", () => {
    const elements = elementsOf(html(richReport))
    const row = elements.find(
      (element) => element.tagName === "tr" && textOf(element).startsWith("update_ticket write")
    )!
    assert.deepStrictEqual(row.childNodes.slice(1).map(textOf), [
      "If 1",
      ...Array.from({ length: 10 }, () => "Never"),
      "Always",
      "Never"
    ])
    const note = elements.find(({ attrs }) => attrs.some(({ value }) => value === "access-note-1"))!
    assert.strictEqual(textOf(note), "the ticket is in a queue of the caller's own")
  })

  it("shows hidden characters by their names, and hostile texts as they are written", () => {
    const page = parse(html(richReport))
    const text = page.childNodes.map(textOf).join("")
    assert.include(text, "transfer U+202Eruoy otU+202C")
    assert.include(text, hostileTexts.markup)
    assert.include(text, hostileTexts.attribute)
    assert.notMatch(text, /\p{Cf}/u)
    assert.notInclude(text, "\u001B")
  })

  it("tells of findings that are accepted with the reason, and of nothing that was not found", () => {
    const clean = { ...richReport, checks: richReport.checks.filter(({ findings }) => findings.length === 0) }
    const texts = (report: typeof richReport, id: string) =>
      textOf(
        elementsOf(html(report)).find(({ attrs }) => attrs.some(({ name, value }) => name === "id" && value === id))!
      )
    assert.include(texts(richReport, "accepted"), "Accepted because. Cowork loads tools as they are searched for")
    assert.include(texts(clean, "accepted"), "The team lives with nothing that the checks found.")
    assert.include(texts(clean, "findings"), "No check found anything that the team has not accepted.")
  })
})
